"""The command `plumbline` of an installed package.

`plumbline rank` tells you which of your files to train on, `plumbline select` which of their rows, `plumbline mix` in
which shares.

`plumbline run` is `snakemake` with the Snakefile of this package: it accepts the targets and options of Snakemake,
writes results below the working directory, and lays the file of `--configfile` over the default run. `plumbline where`
prints the folder of that Snakefile and of `configs/`.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from workflow_scripts.command_line import parser_for
from workflow_scripts.commands import mix, rank, select
from workflow_scripts.commands.config_files import check_config_files
from workflow_scripts.errors import UserError
from workflow_scripts.workflow_files import ROOT, snakefile

QUESTIONS = {"rank": rank, "select": select, "mix": mix}


def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_for(__doc__)
    parser.prog = "plumbline"
    commands = parser.add_subparsers(dest="command", required=True)
    for name, question in QUESTIONS.items():
        summary, _, _ = (question.__doc__ or "").partition("\n")
        question.add_options(
            commands.add_parser(
                name,
                help=summary,
                description=question.__doc__,
                formatter_class=argparse.RawDescriptionHelpFormatter,
                allow_abbrev=False,
                epilog="Options after -- go to Snakemake, such as -- --workflow-profile profiles/slurm",
            )
        )
    commands.add_parser(
        "run", help="run the workflow, with the targets and options of Snakemake", add_help=False
    )
    commands.add_parser("where", help="print the folder of the Snakefile and of configs/")
    argv = sys.argv[1:] if argv is None else list(argv)
    if argv[:1] == ["run"]:
        with _mistakes_in_one_sentence():
            check_config_files(argv[1:])
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(snakefile()), *argv[1:]]
        os.execv(sys.executable, command)
        return
    own, for_snakemake = _divided(argv)
    given = parser.parse_args(own)
    if given.command == "where":
        print(ROOT)
        return
    with _mistakes_in_one_sentence():
        QUESTIONS[given.command].main(given, for_snakemake)


@contextmanager
def _mistakes_in_one_sentence() -> Iterator[None]:
    try:
        yield
    except UserError as mistake:
        print(f"error: {mistake}", file=sys.stderr)
        raise SystemExit(1) from None


def _divided(argv: list[str]) -> tuple[list[str], list[str]]:
    """Our arguments, and those after `--`."""
    place = argv.index("--") if "--" in argv else len(argv)
    return argv[:place], argv[place + 1 :]
