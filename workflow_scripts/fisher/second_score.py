"""The second score `fisher` of a selection: opens a probe that orders a shortlist of rows.

`select_rows` finds this module by its name, so an edit of the Fisher engine reruns only the selections that use it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from workflow_scripts.fisher.estimator import Estimator, Settings
from workflow_scripts.fisher.row_scores import RowFisher, RowScores
from workflow_scripts.models.loading import load_model
from workflow_scripts.pool.rescoring import Fit
from workflow_scripts.tokens.text_tokenizer import open_tokenizer
from workflow_scripts.tokens.tokenizer import end_of_text_of
from workflow_scripts.training.devices import claimed_device


@contextmanager
def opened(
    model: Path, tokenizer: Path, estimator: Mapping[str, Any], length: int, seed: int, device: str
) -> Iterator[Fit]:
    """The probe, on a device that is claimed until the rows are chosen. It reads `length` tokens of a row."""
    settings = Settings(
        Estimator.from_options(estimator), seed=seed, end_of_text=end_of_text_of(str(tokenizer))
    )
    with claimed_device(device, 1) as claimed:
        reader = RowFisher(load_model(model, device=claimed), open_tokenizer(tokenizer), settings, length)

        def fit(target: Sequence[bytes], pool: Sequence[bytes]) -> RowScores:
            return RowScores.fit(reader, target, pool, seed)

        yield fit
