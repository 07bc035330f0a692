"""The model gateway: agents reach models through it, without a key, metered and limited."""
