"""Statistics of alignments and losses: correlation, permutation, intervals, power, choice of data, exchange rate."""
