"""Draw rows of uniformly random tokens: the floor of the alignment scale, and text without content."""

from collections.abc import Sequence

from workflow_scripts.command_line import parser_for, run


def build_parser():
    parser = parser_for(__doc__)
    parser.add_argument("--name", required=True, help="name of the corpus")
    parser.add_argument("--split", required=True, choices=["train", "eval"])
    parser.add_argument("--tokenizer", required=True, help="folder of the tokenizer")
    parser.add_argument("--length", type=int, required=True, help="tokens in a row")
    parser.add_argument("--count", type=int, required=True, help="number of rows")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--output", required=True, help="the rows, as Parquet")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    from workflow_scripts.storage.content_store import content_key
    from workflow_scripts.tokens.mixture import random_rows
    from workflow_scripts.tokens.rows import write_rows
    from workflow_scripts.tokens.text_tokenizer import open_tokenizer

    tokenizer = open_tokenizer(arguments.tokenizer)
    prefix = f"{arguments.name}.{arguments.split}"
    # The two sides, and two corpora of this kind, must have different rows.
    seed = int(content_key(seed=arguments.seed, name=prefix)[:12], 16)
    rows = random_rows(
        arguments.count, arguments.length, len(tokenizer), set(tokenizer.all_special_ids), seed, prefix
    )
    write_rows(rows, arguments.output)


if __name__ == "__main__":
    run(main)
