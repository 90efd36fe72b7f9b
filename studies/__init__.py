"""Studies of finished runs, or of corpora outside the workflow; docs/ has the results."""
