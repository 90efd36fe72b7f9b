"""The interface that scores rows of a pool; implement it to use another score, such as a model's perplexity."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from workflow_scripts.texts.words import Words


class Scorer(Protocol):
    """Scores rows one by one. It is sent to each reading process, so it must be picklable.

    Rows with the same words must have the same score in any batch, because copies are recognised by it.
    """

    @property
    def rule(self) -> str:
        """Description of the score, for the card of the chosen rows."""

    def scores(self, texts: Sequence[bytes], words: Words) -> NDArray[np.float64]:
        """The score of each text; higher is nearer to the target. `words` are the words of the texts."""
