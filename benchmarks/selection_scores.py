"""Which score chooses the better rows: compare them on a folder of corpora, at equal tokens.

    python -m benchmarks.selection_scores --folder CORPORA --target pile_pubmed_abstracts --domain pubmed

The scores see only the target's first rows. Its other rows are held out and scored with a Kneser-Ney trigram model of
the chosen rows, which replaces training. Prints one JSON line for each score: the share of the chosen tokens that come
from the target's own domain, nats per token on the held-out rows, and the median words of a chosen row.

DSIR resamples: log-importances of whole rows plus Gumbel noise, highest first (arXiv 2302.03169). Means divide by the
number of n-grams, shrunk means by that number plus a constant.
"""

import argparse
import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from workflow_scripts.command_line import parser_for, run
from workflow_scripts.ngrams.kneser_ney import KneserNey
from workflow_scripts.pool import importance
from workflow_scripts.texts.words import find_words

VOCABULARY, ORDER = 8192, 3
SHRINKAGES = (10, 30, 300)
EQUAL_LENGTH = 256
"""Assumed n-grams of every row: DSIR's own rows are pieces of 128 words."""


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument(
        "--folder", type=Path, required=True, help="with <corpus>.jsonl.gz, texts in column text"
    )
    parser.add_argument("--target", required=True, help="corpus whose first rows are the target")
    parser.add_argument(
        "--domain", action="append", required=True, help="corpus of the same domain; repeated"
    )
    parser.add_argument("--target-rows", type=int, default=200)
    parser.add_argument("--held-out-rows", type=int, default=300)
    parser.add_argument("--tokens", type=int, nargs="+", default=[500_000, 2_000_000])
    parser.add_argument("--cut", action="store_true", help="cut the pool's rows to 4 to 256 words")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def read_texts(path: Path) -> list[str]:
    """The texts of a corpus of plain text; empty for pairs."""
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        return [row["text"] for row in map(json.loads, stream) if row.get("text", "").strip()]


def cut(text: str, draws: np.random.Generator) -> list[str]:
    """Pieces of 4 to 256 words, short ones as frequent as long ones on a logarithmic scale."""
    words = text.split()
    pieces = []
    while words:
        length = round(2 ** draws.uniform(2, 8))
        pieces.append(" ".join(words[:length]))
        words = words[length:]
    return pieces


def rankings(target: list[bytes], pool: list[bytes], seed: int) -> dict[str, np.ndarray]:
    """For each score, a value by row of the pool; the highest are chosen."""
    scorer = importance.fit(target, pool)
    parts = [scorer.sums(find_words(pool[start : start + 500])) for start in range(0, len(pool), 500)]
    sums = np.concatenate([part[0] for part in parts]) / importance.UNIT
    counts = np.concatenate([part[1] for part in parts])
    mean = sums / np.maximum(counts, 1)
    draws = np.random.default_rng(seed)
    gumbel = draws.gumbel(size=len(pool))
    return {
        "random": draws.random(len(pool)),
        "dsir": sums + gumbel,
        "dsir_equal_lengths": EQUAL_LENGTH * mean + gumbel,
        "mean": mean,
        **{f"shrunk_{constant}": sums / (counts + constant) for constant in SHRINKAGES},
    }


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    pool: list[str] = []
    corpora: list[str] = []
    draws = np.random.default_rng(arguments.seed)
    first, second = arguments.target_rows, arguments.target_rows + arguments.held_out_rows
    for path in sorted(arguments.folder.glob("*.jsonl.gz")):
        name = path.name.removesuffix(".jsonl.gz")
        texts = read_texts(path)
        if name == arguments.target:
            order = draws.permutation(len(texts))
            texts = [texts[row] for row in order]
            target, held_out, texts = texts[:first], texts[first:second], texts[second:]
        if arguments.cut:
            texts = [piece for text in texts for piece in cut(text, draws)]
        pool += texts
        corpora += [name] * len(texts)
    is_own = np.isin(corpora, [arguments.target, *arguments.domain])
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(pool[::10], trainer)
    ids = [np.array(one.ids) for one in tokenizer.encode_batch(pool)]
    lengths = np.array([len(one) for one in ids])
    read = [np.array(one.ids) for one in tokenizer.encode_batch(held_out)]
    encoded = [text.encode() for text in pool]
    words = np.concatenate([find_words(encoded[n : n + 500]).counts() for n in range(0, len(pool), 500)])
    values = rankings([text.encode() for text in target], encoded, arguments.seed)
    for tokens in arguments.tokens:
        for name, value in values.items():
            chosen = np.argsort(-value, kind="stable")
            chosen = chosen[: int(np.searchsorted(np.cumsum(lengths[chosen]), tokens)) + 1]
            rows = [ids[row] for row in chosen]
            rows[-1] = rows[-1][: tokens - int(lengths[chosen[:-1]].sum())]
            model = KneserNey(rows, VOCABULARY, ORDER)
            nats = np.concatenate(model.log_probabilities(read))
            result = {
                "target": arguments.target,
                "cut": arguments.cut,
                "tokens": tokens,
                "score": name,
                "own_domain": round(float(lengths[chosen][is_own[chosen]].sum() / lengths[chosen].sum()), 3),
                "held_out_nats": round(float(-nats.mean()), 4),
                "rows": len(chosen),
                "median_words": float(np.median(words[chosen])),
            }
            print(json.dumps(result), flush=True)


if __name__ == "__main__":
    run(main)
