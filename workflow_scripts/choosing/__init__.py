"""Which data to train on: the worth of a candidate's token for a target, rankings and shares of a budget."""
