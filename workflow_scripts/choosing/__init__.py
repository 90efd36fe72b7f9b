"""Which candidate corpora to train on for some targets: their order, and their shares of a budget of tokens."""
