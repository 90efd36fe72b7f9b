"""N-gram models over token ids. They measure whole training sets, and are the baseline for trained models."""
