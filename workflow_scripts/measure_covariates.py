"""Measure covariates of every pair of sets: facts other than alignment that could explain a loss.

Each set is NAME=PATH, its name <corpus>.<split>, PATH its packed rows. --batches, --rows-per-batch and --seed are
those of the metrics, so both see the same rows. Columns of the output, one row for every ordered pair: source, target,
token_jaccard (of the distinct tokens in the compared rows), source_document_length and target_document_length (mean
tokens of a document), source_entropy (nats, of the compared rows' token frequencies), zero_shot_loss (nats per token,
of the probe on the target's compared rows) and source_tokens (of the whole set).
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.command_line import named_paths, parser_for, run, set_threads


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument(
        "--set", required=True, action="append", metavar="NAME=PATH", help="one per set; repeated"
    )
    parser.add_argument("--model", required=True, type=Path, help="folder of the probe")
    parser.add_argument("--batches", type=int, required=True)
    parser.add_argument("--rows-per-batch", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True, help="seed of the draw of batches")
    parser.add_argument("--store", required=True, type=Path, help="folder of finished pieces")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", required=True, type=Path, help="Parquet")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    set_threads(arguments.threads)
    from workflow_scripts.metrics.covariates import covariate_table, facts_of, probe_losses
    from workflow_scripts.metrics.inputs import drawn_rows
    from workflow_scripts.storage.content_store import ContentStore
    from workflow_scripts.storage.tables import write_table
    from workflow_scripts.tokens.rows import joined

    paths = named_paths("set", arguments.set)
    compared = {
        name: joined(drawn_rows(path, arguments.batches, arguments.rows_per_batch, arguments.seed))
        for name, path in paths.items()
    }
    losses = probe_losses(compared, arguments.model, ContentStore(arguments.store), arguments.device)
    facts = {name: facts_of(path, compared[name], losses[name]) for name, path in paths.items()}
    write_table(covariate_table(facts), arguments.output)


if __name__ == "__main__":
    run(main)
