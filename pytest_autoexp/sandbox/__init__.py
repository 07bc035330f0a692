"""The places where the agent's and the experiment's commands run."""
