"""Losses that others measured: their tables, the worth of tokens, and predictors of the best mixture."""
