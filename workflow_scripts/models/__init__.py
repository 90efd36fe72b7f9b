"""Models on disk and in memory: any causal language model that transformers supports."""
