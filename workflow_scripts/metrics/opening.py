"""Opens the metric that a program's options name, and the reader of its sets."""

import argparse
import logging
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Protocol

from workflow_scripts.errors import TooFewRows, UserError
from workflow_scripts.metrics.base import Batch, Metric, Resources
from workflow_scripts.metrics.inputs import check_batches, embedding_batches, row_batches
from workflow_scripts.metrics.registry import metric_class
from workflow_scripts.tokens.parts import WHOLE
from workflow_scripts.tokens.text_tokenizer import TextTokenizer, open_tokenizer

logger = logging.getLogger(__name__)


class ReadBatches(Protocol):
    """Reads the batches of a set."""

    def __call__(
        self, path: Path, batches: int, rows_per_batch: int, /, part: str = WHOLE
    ) -> list[Batch]: ...


def open_metric(arguments: argparse.Namespace) -> tuple[Metric, ReadBatches]:
    """The metric named by `command_line.add_metric_options`, and the reader of its sets."""
    check_batches(arguments.batches)
    metric, decoder = named_metric(arguments)

    def read(path: Path, batches: int, rows_per_batch: int, /, part: str = WHOLE) -> list[Batch]:
        if metric.estimator():
            return embedding_batches(path, batches, rows_per_batch, arguments.fewer_rows, part)
        return row_batches(path, batches, rows_per_batch, arguments.seed, decoder, part)

    return metric, read


def batches_of_all(
    read: ReadBatches, paths: Mapping[str, Path], batches: int, rows: int, needed: Container[str] = ()
) -> dict[str, list[Batch]]:
    """Batches of every set that has enough rows; the others are left out with a warning, unless they are needed."""
    found = {}
    for name, path in paths.items():
        try:
            found[name] = read(path, batches, rows)
        except TooFewRows as reason:
            if name in needed:
                raise
            logger.warning("%s is left out: %s", name, reason)
    return found


def named_metric(arguments: argparse.Namespace) -> tuple[Metric, TextTokenizer | None]:
    """The metric named by `command_line.add_metric_name_options`; also the tokenizer, if the metric reads text."""
    metric_type = metric_class(arguments.metric)
    for option, value, needs in (
        ("tokenizer", arguments.tokenizer, {"text", "vocabulary"}),
        ("model", arguments.model, {"probe"}),
        ("encoder", arguments.encoder, {"encoder"}),
    ):
        if value is None and needs & set(metric_type.needs):
            raise UserError(f"metric {arguments.metric} needs --{option}")

    reads_tokenizer = {"text", "vocabulary"} & set(metric_type.needs)
    tokenizer = open_tokenizer(arguments.tokenizer) if reads_tokenizer else None
    resources = Resources(
        vocabulary_size=len(tokenizer) if tokenizer else 0,
        probe=arguments.model,
        encoder=arguments.encoder,
        threads=arguments.threads,
        device=arguments.device,
    )
    return metric_type(resources), tokenizer if "text" in metric_type.needs else None
