"""The sandboxes of this machine: plain processes, and the same isolated by bubblewrap."""
