"""The Fisher embedding: how sensitive the probe's predictions on a batch of text are to each of its weights."""
