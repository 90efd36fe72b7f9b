"""N-gram models over token ids: the measure of whole training sets, and what a trained model has to be better than."""
