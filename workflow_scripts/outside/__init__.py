"""Losses that others measured: their tables, what their tokens were worth, and the law that joins the two."""
