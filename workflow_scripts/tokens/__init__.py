"""Documents as rows of token ids: the tokenizer, encoding, packing, mixing, and batches of rows."""
