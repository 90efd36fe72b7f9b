"""How much more a probe's Fisher information of a text is like the target's than like the pool's.

    weight(j) = log (((1 - s) T(j) + s P(j)) / ((1 - s) P(j) + s T(j))),      s = 0.1
    score     = sum of sqrt(F(j)) weight(j) / sum of sqrt(F(j)),      over all coordinates j

F is the diagonal of the Fisher information of the first tokens of the text, T and P are those of texts of the target
and of the pool, as many as SAMPLE. It is the score of `pool/importance.py` with Fisher information in place of n-gram
counts. Square roots, because a few coordinates would decide a plain sum; both signs of the ratio have the same
smoothing, so a token that only one side has seen counts at most log 9. The score hardly depends on the length of a text
(docs/method/selecting.md).
"""

import random
from collections.abc import Iterable, Sequence
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from workflow_scripts.fisher.capture import survey
from workflow_scripts.fisher.embedding import measure
from workflow_scripts.fisher.estimator import Settings
from workflow_scripts.fisher.reading import Batch
from workflow_scripts.tokens.text_tokenizer import TextTokenizer

SAMPLE = 512
"""Texts of the target, and of the pool, that are read for T and P; fewer if there are fewer."""

SMOOTHING = 0.1
_LONGEST_TOKEN = 64
"""Bytes of a text that are tokenized for each token that is read."""


class RowFisher:
    """Reads the Fisher information of one text at a time."""

    def __init__(self, model: PreTrainedModel, tokenizer: TextTokenizer, settings: Settings, length: int):
        self._model, self._tokenizer, self._settings, self._length = model, tokenizer, settings, length
        self._route = survey(model)

    def of(self, text: bytes) -> tuple[NDArray[np.float64], int] | None:
        """The diagonal and the scored positions of the first tokens; None of a text with nothing to score.

        Label draws depend on the tokens, so equal texts have equal information.
        """
        opening = text[: self._length * _LONGEST_TOKEN].decode(errors="ignore")
        ids = self._tokenizer([opening], add_special_tokens=False, verbose=False)["input_ids"][0]
        if len(ids) < 2:
            return None
        batch = Batch.of(torch.tensor([ids[: self._length]]))
        found = measure(self._model, batch, self._settings, route=self._route)
        return found.embedding.double().numpy(), found.n_scored

    def of_all(self, texts: Iterable[bytes]) -> NDArray[np.float64]:
        """The mean over scored positions of all texts; 0 without any."""
        total, positions = np.zeros(1), 0
        for found in map(self.of, texts):
            if found is not None:
                information, scored = found
                total = total + information * scored
                positions += scored
        return total / max(positions, 1)


class RowScores:
    """The score of each text."""

    rule: ClassVar[str] = (
        "mean log-ratio of Fisher information of a probe on the target and on the pool, weighted by the square root "
        "of the row's own"
    )

    def __init__(self, reader: RowFisher, target: NDArray[np.float64], pool: NDArray[np.float64]):
        self._reader = reader
        nearer = (1 - SMOOTHING) * target + SMOOTHING * pool
        farther = (1 - SMOOTHING) * pool + SMOOTHING * target
        is_known = nearer > 0
        self._weights = np.zeros(len(nearer))
        self._weights[is_known] = np.log(nearer[is_known] / farther[is_known])

    @classmethod
    def fit(cls, reader: RowFisher, target: Sequence[bytes], pool: Sequence[bytes], seed: int) -> "RowScores":
        draw = random.Random(seed)
        of_target, of_pool = (
            reader.of_all(draw.sample(texts, min(SAMPLE, len(texts)))) for texts in (target, pool)
        )
        return cls(reader, of_target, of_pool)

    def score(self, text: bytes) -> float:
        """Higher is nearer to the target; minus infinity for a text with nothing to score."""
        found = self._reader.of(text)
        if found is None:
            return -np.inf
        roots = np.sqrt(found[0])
        total = roots.sum()
        return float(roots @ self._weights / total) if total else -np.inf
