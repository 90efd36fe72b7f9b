"""The page: figures from the tables of the analysis, sentences from their numbers, one self-contained file."""
