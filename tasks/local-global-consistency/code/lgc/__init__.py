"""Learning with local and global consistency: labels spread over a graph of all points."""
