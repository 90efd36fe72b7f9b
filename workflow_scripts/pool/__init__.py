"""Score the rows of a pool against a target and choose from them; the pool may be far larger than memory."""
