"""What the numbers can carry: correlation, permutation, intervals, power, choice of data, exchange rate."""
