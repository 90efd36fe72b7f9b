"""The corrected measure without the coordinates of token and position embeddings."""

from typing import Any

import numpy as np

from workflow_scripts.errors import UserError
from workflow_scripts.metrics.base import Batch, Features, Resources
from workflow_scripts.metrics.task2vec import Task2Vec
from workflow_scripts.models.loading import shape_of

LEFT_OUT = frozenset({"token", "position"})


class Task2VecBody(Task2Vec):
    """As `task2vec`, on the coordinates of the probe's linear and norm modules.

    With token rows, the distance mostly reflects which tokens occur, and `unigram_js` measures that at a fraction of
    the cost. The body reflects how the probe combines tokens.
    """

    name = "task2vec_body"
    needs = ("embeddings:corrected", "probe")
    has_scale = False

    def __init__(self, resources: Resources):
        super().__init__(resources)
        from workflow_scripts.fisher.layout import layout

        assert resources.probe is not None
        pieces = layout(shape_of(resources.probe))
        self.kept = [piece for _, kind, piece in pieces if kind not in LEFT_OUT]
        self.length = max(piece.stop for _, _, piece in pieces)

    def parameters(self) -> dict[str, Any]:
        return {"kept": [[piece.start, piece.stop] for piece in self.kept]}

    def features(self, batch: Batch) -> Features:
        assert batch.embedding is not None
        if len(batch.embedding) != self.length:
            raise UserError(
                f"the embeddings have {len(batch.embedding)} coordinates, but the probe at "
                f"{self.resources.probe} has {self.length}: they were made with another probe"
            )
        return {"embedding": np.concatenate([batch.embedding[piece] for piece in self.kept])}
