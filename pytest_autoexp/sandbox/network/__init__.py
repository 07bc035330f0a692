"""The network of an agent's sandbox: some hosts, over a proxy; no container library in here."""
