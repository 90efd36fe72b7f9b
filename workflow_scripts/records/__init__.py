"""Recorded runs: the small tables of a run, kept in the repository, from which its analysis can be repeated."""
