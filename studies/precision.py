"""How much does lower precision change the alignment?

    PLUMBLINE_SHARED=<folder> python -m studies.precision --work <folder> [--device cuda] [--precision tf32]

Embeds both halves of some corpora with the probe of `studies.self_closeness` (made in the work folder if it is
missing), in float32 and in the other precision. Rows and random numbers of label draws are the same. Prints one JSON
line for all coordinates and one for those of the body: the largest and the mean absolute change of the alignment of a
half with a held-out half, and `passes`: all changes are below .001. TF32 needs a GPU.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from studies.self_closeness import MUST_WIN, SIDES, Bench, as_options
from workflow_scripts import embed_batches
from workflow_scripts.command_line import parser_for, run, set_threads
from workflow_scripts.errors import UserError
from workflow_scripts.models.loading import load_model

LIMIT = 0.001


def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_for(__doc__)
    parser.add_argument("--work", required=True, type=Path, help="folder for everything that is made")
    parser.add_argument("--corpora", nargs="+", default=list(MUST_WIN))
    parser.add_argument("--precision", choices=["tf32", "bfloat16"], default="bfloat16")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="cpu")
    parser.add_argument("--batches", type=int, default=4)
    parser.add_argument("--rows-per-batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args(argv)
    if not os.environ.get("PLUMBLINE_SHARED"):
        raise UserError("PLUMBLINE_SHARED is not set: set it to the folder that contains corpora/")
    set_threads(arguments.threads)
    from workflow_scripts.fisher.distance import distance_matrix
    from workflow_scripts.fisher.layout import layout
    from workflow_scripts.storage.tables import read_frame

    corpora = Path(os.environ["PLUMBLINE_SHARED"]) / "corpora"
    bench = Bench(arguments.work, corpora, arguments.batches, arguments.rows_per_batch, 0, arguments.threads)

    def embeddings(corpus: str, side: str, precision: str) -> np.ndarray:
        folder, name = arguments.work / "precision" / precision, f"{corpus}.{side}"
        options = {
            "set": f"{name}={bench.half(corpus, side, 'packed')}",
            "model": bench.probe,
            "tokenizer": bench.tokenizer_folder,
            "estimator": '{"name": "corrected"}',
            "batches": arguments.batches,
            "rows-per-batch": arguments.rows_per_batch,
            "head-epochs": 0,
            "sampling": "disjoint",
            "seed": 0,
            "precision": precision,
            "device": arguments.device,
            "store": bench.store,
            "output": folder,
            "times": folder,
            "threads": arguments.threads,
        }
        embed_batches.main(as_options(options))
        return np.stack(list(read_frame(folder / f"{name}.parquet")["embedding"]))

    precisions = ("float32", arguments.precision)
    found = {
        (corpus, side, precision): embeddings(corpus, side, precision)
        for corpus in arguments.corpora
        for side in SIDES
        for precision in precisions
    }
    pieces = layout(load_model(bench.probe))
    of_the_body = np.concatenate([np.r_[c] for _, kind, c in pieces if kind not in ("token", "position")])
    for part, kept in (("all", slice(None)), ("body", of_the_body)):
        exact, coarse = (
            np.array(
                [
                    [
                        1
                        - distance_matrix(found[a, "train", p][:, kept], found[b, "eval", p][:, kept]).mean()
                        for b in arguments.corpora
                    ]
                    for a in arguments.corpora
                ]
            )
            for p in precisions
        )
        moves = np.abs(coarse - exact)
        print(
            json.dumps(
                {
                    "coordinates": part,
                    "precision": arguments.precision,
                    "device": arguments.device,
                    "pairs": moves.size,
                    "largest_move": round(float(moves.max()), 5),
                    "mean_move": round(float(moves.mean()), 5),
                    "passes": bool(moves.max() < LIMIT),
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    run(main)
