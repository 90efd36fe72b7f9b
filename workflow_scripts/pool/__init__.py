"""A pool of text that may be far larger than memory: read once, scored against a target, chosen from."""
