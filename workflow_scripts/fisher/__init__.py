"""The Fisher embedding: what a probe would have to change, weight by weight, to learn from a batch of text."""
