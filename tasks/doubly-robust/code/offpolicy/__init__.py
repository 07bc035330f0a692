"""Doubly robust evaluation and learning of policies from logged bandit feedback."""
