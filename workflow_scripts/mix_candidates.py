"""Choose shares of candidate corpora for some targets and a budget of tokens.

The shares give the most effective tokens (weighted geometric mean over targets) for the budget; no candidate is read
more than --epochs times. Tables: shares with their intervals and prices (`--output`), gains over obvious alternatives
(`--gains`). For use elsewhere: the shares as plain JSON (`--shares`) and as a mixture for a config (`--mixture`).
docs/method/mixing.md defines them.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.command_line import named_numbers, parser_for, run, set_threads
from workflow_scripts.errors import UserError


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--alignment", required=True, type=Path, help="alignments of candidates and targets")
    parser.add_argument("--metric", required=True, help="the measure in this table")
    parser.add_argument("--sizes", required=True, type=Path, help="output of measure_sizes")
    parser.add_argument("--candidates", required=True, nargs="+", help="corpora whose train sides are mixed")
    parser.add_argument(
        "--targets", required=True, nargs="+", help="corpora whose eval sides are the targets"
    )
    parser.add_argument("--weights", required=True, nargs="+", type=float, help="one per target")
    parser.add_argument("--tokens", required=True, type=int, help="the budget")
    parser.add_argument("--epochs", required=True, type=float, help="how often a candidate may be read")
    parser.add_argument("--minimum-share", action="append", default=[], metavar="NAME=SHARE", help="repeated")
    parser.add_argument(
        "--slope", required=True, type=float, help="b of the law: nats per log effective tokens"
    )
    parser.add_argument(
        "--log-slope-sd", required=True, type=float, help="standard deviation of log slope over targets"
    )
    parser.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="NAME=TEXT",
        help="name of a corpus in the answer; repeated",
    )
    parser.add_argument("--draws", required=True, type=int, help="for intervals")
    parser.add_argument("--seed", required=True, type=int, help="seed of the draws")
    parser.add_argument("--output", required=True, type=Path, help="Parquet: shares, intervals, prices")
    parser.add_argument("--gains", required=True, type=Path, help="Parquet: gains over alternatives")
    parser.add_argument("--shares", required=True, type=Path, help="plain JSON: {candidate: share}")
    parser.add_argument("--mixture", required=True, type=Path, help="YAML: corpus of a config")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    set_threads(1)
    import yaml

    from workflow_scripts.choosing.gains import (
        UncertainSlope,
        decimal_shares,
        gain_table,
        mix_table,
        mixture_entry,
        propose,
    )
    from workflow_scripts.choosing.limits import check_weights, limits_of
    from workflow_scripts.choosing.worth import constants_of, worths_of
    from workflow_scripts.storage.tables import (
        read_frame,
        read_json,
        replaced_whole,
        write_plain_json,
        write_table,
    )
    from workflow_scripts.tokens.parts import of_whole

    weights = check_weights(arguments.targets, arguments.weights)
    sizes = {name: size["tokens"] for name, size in read_json(arguments.sizes).items()}
    sizes = {name.removesuffix(".train"): size for name, size in sizes.items() if name.endswith(".train")}
    limits = limits_of(
        arguments.candidates,
        sizes,
        arguments.tokens,
        arguments.epochs,
        named_numbers("minimum-share", arguments.minimum_share),
    )
    table = of_whole(read_frame(arguments.alignment))
    alignment = table[table["metric"] == arguments.metric]
    if alignment.empty:
        raise UserError(
            f"{arguments.alignment} has no alignments by {arguments.metric}; it has "
            f"{', '.join(sorted(table['metric'].unique()))}"
        )
    worths = worths_of(
        alignment,
        arguments.candidates,
        arguments.targets,
        constants_of(arguments.metric),
        arguments.draws,
        arguments.seed,
    )
    proposal = propose(limits, weights, worths)
    mix = mix_table(limits, proposal)
    slope = UncertainSlope(arguments.slope, arguments.log_slope_sd)
    gains = gain_table(arguments.targets, weights, worths, proposal, slope, arguments.seed)
    shares = decimal_shares(mix)
    labels = dict(label.split("=", 1) for label in arguments.label)
    write_table(mix.replace({"candidate": labels}), arguments.output)
    write_table(gains.replace({"target": labels}), arguments.gains)
    write_plain_json({labels.get(name, name): share for name, share in shares.items()}, arguments.shares)
    with replaced_whole(arguments.mixture) as temporary:
        temporary.write_text(
            yaml.safe_dump(mixture_entry(shares), sort_keys=False, allow_unicode=True), encoding="utf-8"
        )


if __name__ == "__main__":
    run(main)
