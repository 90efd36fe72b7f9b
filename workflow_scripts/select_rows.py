"""Choose the rows of a pool that are nearest to a target, until a budget of tokens is used.

The pool is read once and may be far larger than memory. Rows that repeat the target are never chosen. Of rows that
repeat each other, only the best is chosen. With --second-score, n-grams choose a shortlist, and that score orders it.
docs/method/selecting.md defines the rules.
"""

import argparse
import importlib
import json
import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from workflow_scripts.command_line import parser_for, run, set_threads
from workflow_scripts.errors import UserError
from workflow_scripts.pool.second_scores import SECOND_SCORES

if TYPE_CHECKING:
    from workflow_scripts.pool.selection import Shortlist

logger = logging.getLogger(__name__)


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument(
        "--pool",
        required=True,
        action="append",
        help="NAME=SPEC, a corpus entry of source files as JSON; repeated",
    )
    parser.add_argument("--target", required=True, help="documents table of the target")
    parser.add_argument("--split", required=True, help="side of the target's table to use")
    parser.add_argument("--tokens", type=int, required=True, help="number of tokens to choose")
    parser.add_argument("--sizes", type=Path, required=True, help="output of measure_sizes")
    parser.add_argument(
        "--size-of", required=True, metavar="NAME.SIDE", help="set whose bytes per token convert the budget"
    )
    parser.add_argument(
        "--seed", type=int, required=True, help="seed of the sample that estimates the pool's words"
    )
    parser.add_argument(
        "--processes", type=int, required=True, help="number of processes that share the files"
    )
    parser.add_argument(
        "--scratch", type=Path, required=True, help="folder for about four times the chosen rows"
    )
    parser.add_argument(
        "--second-score", choices=sorted(SECOND_SCORES), help="order a shortlist by this score"
    )
    parser.add_argument("--model", type=Path, help="folder of its probe")
    parser.add_argument("--tokenizer", type=Path, help="folder of its tokenizer")
    parser.add_argument(
        "--estimator", type=json.loads, help="of its Fisher information: name and overrides, as JSON"
    )
    parser.add_argument("--length", type=int, help="tokens that it reads of a row, from the beginning")
    parser.add_argument("--shortlist", type=float, default=4, help="times the budget that the shortlist has")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--output", type=Path, required=True, help="output: the rows, .parquet or .jsonl")
    parser.add_argument("--card", type=Path, required=True, help="output: README.md of the rows")
    parser.add_argument("--summary", type=Path, required=True, help="output: counts and rules, JSON")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    set_threads(1)  # processes share the files of the pool, and a row is too little work for more
    from workflow_scripts.pool.card import card
    from workflow_scripts.pool.chosen_table import write_chosen
    from workflow_scripts.pool.rows import PoolEntry
    from workflow_scripts.pool.selection import Request, select
    from workflow_scripts.pool.summary import summary_of
    from workflow_scripts.pool.target import read_target
    from workflow_scripts.storage.tables import UNFINISHED, read_json, replaced_whole, write_json

    bytes_per_token = read_json(arguments.sizes)[arguments.size_of]["bytes_per_token"]
    request = Request(arguments.tokens, bytes_per_token, arguments.seed, arguments.processes)
    if request.tokens < 1 or request.processes < 1:
        raise UserError(
            f"tokens ({arguments.tokens}) and processes ({arguments.processes}) must be greater than 0"
        )
    if not arguments.output.name.endswith((".parquet", ".jsonl")):
        raise UserError(f"{arguments.output}: unknown format; name the output .parquet or .jsonl")
    named = sorted(entry.partition("=")[::2] for entry in arguments.pool)
    entries = [PoolEntry.opened(name, json.loads(spec)) for name, spec in named]
    if len({entry.name for entry in entries}) < len(entries):
        raise UserError("two entries of the pool have the same name; rename one")
    target = read_target(arguments.target, arguments.split)
    arguments.scratch.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=arguments.scratch, prefix=".select-", suffix=UNFINISHED) as folder,
        _shortlist(arguments) as shortlist,
    ):
        selection = select(entries, target, request, Path(folder), shortlist)
        summary = summary_of(selection, entries, target, request)
        for note in summary["notes"]:
            logger.warning(note)
        as_text = write_chosen(selection.chosen, entries, arguments.output)
    if as_text:
        summary["notes"].append(f"Columns whose types differ between rows are text: {', '.join(as_text)}.")
    with replaced_whole(arguments.card) as temporary:
        temporary.write_text(card(summary, arguments.output, arguments.card), encoding="utf-8")
    write_json(summary, arguments.summary)


@contextmanager
def _shortlist(arguments: argparse.Namespace) -> "Iterator[Shortlist | None]":
    """The second score, ready until the rows are chosen."""
    if arguments.second_score is None:
        yield None
        return
    if None in (arguments.model, arguments.tokenizer, arguments.estimator, arguments.length):
        raise UserError("--second-score needs --model, --tokenizer, --estimator and --length")
    from workflow_scripts.pool.selection import Shortlist

    second_score = importlib.import_module(SECOND_SCORES[arguments.second_score])
    with second_score.opened(
        arguments.model,
        arguments.tokenizer,
        arguments.estimator,
        arguments.length,
        arguments.seed,
        arguments.device,
    ) as fit:
        yield Shortlist(fit, arguments.shortlist)


if __name__ == "__main__":
    run(main)
