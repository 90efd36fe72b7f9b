"""The command `plumbline` of an installed package.

`plumbline run` is `snakemake` with the Snakefile of this package: it takes the targets and options of Snakemake, writes
its results below the working directory, and lays what `--configfile` names over the default run. `plumbline where`
prints the folder of that Snakefile, with `configs/` beside it.
"""

import os
import sys
from collections.abc import Sequence

from workflow_scripts.command_line import parser_for
from workflow_scripts.workflow_files import ROOT, snakefile


def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_for(__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser(
        "run", help="run the workflow, with the targets and options of Snakemake", add_help=False
    )
    commands.add_parser("where", help="print the folder of the Snakefile and of configs/")
    given, for_snakemake = parser.parse_known_args(argv)
    if given.command == "run":
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(snakefile()), *for_snakemake]
        os.execv(sys.executable, command)
    elif for_snakemake:
        parser.error(f"unrecognized arguments: {' '.join(for_snakemake)}")
    else:
        print(ROOT)
