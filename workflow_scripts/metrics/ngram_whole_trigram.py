"""As `ngram_whole`, with one more token of history."""

from workflow_scripts.metrics.ngram_whole import NgramWhole


class NgramWholeTrigram(NgramWhole):
    """Minus the cross-entropy of a Kneser-Ney trigram model of the whole training set."""

    name = "ngram_whole_trigram"
    order = 3
