"""Which data to train on: what a token of each candidate is worth for a target, and what follows from it."""
