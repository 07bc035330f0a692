"""What fills in the code: the protocol, the registry, and the agents that come along."""
