"""Where documents come from, how they are split, derived and cleaned of duplicates."""
