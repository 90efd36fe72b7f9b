"""Can the Fisher measure predict loss better? Variants are chosen on half of the evaluation sets, tested on the rest.

Run as `python -m studies.fisher_variants --run results/real --experiment pretraining` after that run. A variant is
a Fisher diagonal, the coordinates that are compared, and how:

- Fisher: `drawn` labels (the embeddings of the run), `real` next tokens instead, `fitted` (drawn, after a head fit),
  `once` (one draw of each label instead of four), `ends` (ends of text are read instead of hidden), and, with
  --other-probe, `other` (by a probe of the same shape);
- coordinates: `all`, `tokens`, `body`, `linear`, each `block` of layers, `modules` (the mean over the modules of the
  body of the alignment within each, so no module dominates);
- comparison: `quotient` (the paper's), `cosine`, `root` (cosine of square roots), `log` (cosine of centred
  logarithms).

Prints one JSON line per variant (correlation with loss, within evaluation sets and double-centred, and regret), and
then `chosen`: over random halves of the evaluation sets, the variant with the highest double-centred correlation on
one half, its results on the other, and those of task2vec and the other metrics of the run there. With --output
analysis/fisher_variants.parquet of the run, both are written as a table that is recorded with the run.
"""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workflow_scripts.command_line import parser_for, set_threads
from workflow_scripts.errors import UserError
from workflow_scripts.fisher.embedding import measure
from workflow_scripts.fisher.estimator import Estimator, Settings
from workflow_scripts.fisher.layout import layout
from workflow_scripts.fisher.reading import Batch
from workflow_scripts.models.loading import load_model
from workflow_scripts.records.keep import joined
from workflow_scripts.statistics.correlation import Centring, correlation
from workflow_scripts.storage.tables import read_frame, read_json, write_table
from workflow_scripts.tokens.batches import batch_indices
from workflow_scripts.tokens.parts import ANSWER
from workflow_scripts.tokens.rows import read_rows
from workflow_scripts.tokens.tokenizer import end_of_text_of

Grid = NDArray[np.float64]
SPLITS = 500
HEAD_EPOCHS = 5
OVERRIDES: dict[str, dict[str, Any]] = {"once": {"label_draws": 1}, "ends": {"hide_ends": False}}
TINY = 1e-12
DEFAULT = "drawn all quotient"


class Run:
    """The data of a finished run about one experiment."""

    def __init__(self, folder: Path, experiment: str, part: str, work: Path, other_probe: Path | None):
        config = read_json(folder / "report" / "provenance.json")["config"]
        self.folder, self.work, self.seed = folder, work, config["seed"]
        self.probe = folder / "probe" / f"seed-{config['probe']['seeds'][0]}"
        self.other_probe = other_probe
        self.end_of_text = end_of_text_of(str(folder / "tokens" / "tokenizer"))
        self.batches, self.rows = config["alignment"]["batches"], config["alignment"]["rows"]
        entry = next(one for one in config["experiments"] if one["name"] == experiment)
        self.train, self.evaluated = entry["train_sets"], entry["eval_sets"]
        summary = read_frame(folder / "losses" / "loss_summary.parquet")
        own = summary[(summary["experiment"] == experiment) & (summary["part"] == part)]
        own = own[own["tokens"] == own["tokens"].max()]
        means = own.pivot_table(index="train_set", columns="eval_set", values="loss")
        self.loss: Grid = means.loc[self.train, self.evaluated].to_numpy()
        self.part = part
        table = read_frame(folder / "alignment" / "alignment.parquet")
        table = table[table["part"] == part]
        self.metrics = {
            metric: self._grid(rows) for metric, rows in table.groupby("metric") if metric != "task2vec"
        }

    def _grid(self, rows: pd.DataFrame) -> Grid:
        wide = rows.pivot_table(index="source", columns="target", values="alignment")
        return wide.loc[[f"{s}.train" for s in self.train], [f"{s}.eval" for s in self.evaluated]].to_numpy()

    @property
    def sets(self) -> list[str]:
        return [f"{name}.train" for name in self.train] + [f"{name}.eval" for name in self.evaluated]

    def embeddings(self, fisher: str) -> dict[str, NDArray[np.float32]]:
        """(batches, coordinates) of every set."""
        return {name: self._embedding(fisher, name) for name in self.sets}

    def _embedding(self, fisher: str, name: str) -> NDArray[np.float32]:
        if fisher == "drawn":
            return np.stack(list(read_frame(self._embedded_by_the_run(name))["embedding"]))
        kept = self.work / f"{fisher}.{name}.{self.part}.npy"
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            np.save(kept, self._embedded(fisher, name))
        return np.load(kept)

    def _embedded_by_the_run(self, name: str) -> Path:
        """The table of a set's answers; of text without prompts, which is all answer, that of whole rows."""
        folder = self.folder / "embeddings" / self.probe.name / "corrected"
        names = [f"{name}.{ANSWER}.parquet"] if self.part == ANSWER else []
        found = [path for one in [*names, f"{name}.parquet"] for path in sorted(folder.glob(f"*/{one}"))]
        if not found:
            raise UserError(f"{folder} has no embeddings of {name}: finish the run first")
        return found[0]

    def _embedded(self, fisher: str, name: str) -> NDArray[np.float32]:
        import torch

        model = load_model((self.other_probe if fisher == "other" else None) or self.probe)
        corpus, side = name.split(".")
        rows = read_rows(self.folder / "tokens" / corpus / f"{side}.packed.parquet")
        done = []
        for index in batch_indices(len(rows), self.batches, self.rows, self.seed):
            batch = rows.take(index)
            ids = torch.from_numpy(batch.input_ids).long()
            # Position t is scored with the next token; the last position has none.
            labels = torch.roll(ids, -1, dims=1) if fisher == "real" else None
            estimator = replace(Estimator.corrected(), **OVERRIDES.get(fisher, {}))
            epochs = HEAD_EPOCHS if fisher == "fitted" else 0
            settings = Settings(estimator, epochs, self.seed, end_of_text=self.end_of_text)
            answers = (
                torch.from_numpy(batch.loss_mask) if self.part == ANSWER and batch.have_prompts else None
            )
            mask = torch.from_numpy(batch.attention_mask)
            # Row ids as in the run: the same labels are drawn, so variants differ in nothing else.
            read = Batch.of(ids, mask, row_ids=batch.row_ids, labels=labels, answers=answers)
            found = measure(model, read, settings)
            done.append(found.embedding.numpy())
        print(f"embedded {name} ({fisher})", file=sys.stderr, flush=True)
        return np.stack(done)


def coordinate_groups(probe: Path) -> dict[str, list[NDArray[np.int64]]]:
    """Named lists of groups of coordinates; the alignment is the mean over the groups."""
    pieces = layout(load_model(probe))

    def of(*kinds: str) -> NDArray[np.int64]:
        return np.concatenate([np.r_[piece] for _, kind, piece in pieces if kind in kinds])

    groups = {
        "all": [of("token", "position", "norm", "linear")],
        "tokens": [of("token")],
        "body": [of("norm", "linear")],
        "linear": [of("linear")],
        "modules": [np.r_[piece] for _, kind, piece in pieces if kind in ("norm", "linear")],
    }
    blocks: dict[str, list[NDArray[np.int64]]] = {}
    for name, kind, piece in pieces:
        number = next((word for word in name.split(".") if word.isdigit()), None)
        if number is not None and kind in ("norm", "linear"):
            blocks.setdefault(f"block {number}", []).append(np.r_[piece])
    return groups | {name: [np.concatenate(found)] for name, found in blocks.items()}


def cosines(first: Grid, second: Grid) -> Grid:
    norms = np.linalg.norm(first, axis=1)[:, None] * np.linalg.norm(second, axis=1)[None]
    return first @ second.T / np.maximum(norms, TINY)


def quotient(first: Grid, second: Grid) -> Grid:
    from workflow_scripts.fisher.distance import distance_matrix

    return 1 - distance_matrix(first.astype(np.float32), second.astype(np.float32))


def centred_logs(values: Grid) -> Grid:
    logs = np.log(values + TINY * values.mean())
    return logs - logs.mean(axis=1, keepdims=True)


COMPARISONS: dict[str, Callable[[Grid, Grid], Grid]] = {
    "quotient": quotient,
    "cosine": cosines,
    "root": lambda first, second: cosines(np.sqrt(first), np.sqrt(second)),
    "log": lambda first, second: cosines(centred_logs(first), centred_logs(second)),
}


def alignments(
    run: Run, embedded: dict[str, NDArray[np.float32]], groups: list[NDArray[np.int64]], compare: str
) -> Grid:
    """Mean over groups of coordinates and over batch pairs, a row per training set."""
    grid = np.zeros((len(run.train), len(run.evaluated)))
    for group in groups:
        parts = {name: values[:, group].astype(np.float64) for name, values in embedded.items()}
        for i, source in enumerate(run.train):
            for j, target in enumerate(run.evaluated):
                table = COMPARISONS[compare](parts[f"{source}.train"], parts[f"{target}.eval"])
                grid[i, j] += float(np.mean(table)) / len(groups)
    return grid


def r(alignment: Grid, loss: Grid, centring: Centring) -> float:
    return float(correlation(alignment, loss, np.ones_like(loss), centring))


def regret(alignment: Grid, loss: Grid) -> float:
    """Nats lost by training on the most aligned set, mean over evaluation sets."""
    chosen = loss[alignment.argmax(axis=0), np.arange(loss.shape[1])]
    return float((chosen - loss.min(axis=0)).mean())


def skill(alignment: Grid, loss: Grid) -> dict[str, float]:
    return {
        "within_r": r(alignment, loss, "within_eval"),
        "double_centred_r": r(alignment, loss, "double_centred"),
        "regret": regret(alignment, loss),
    }


def halves(count: int, seed: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    random = np.random.default_rng(seed)
    for _ in range(SPLITS):
        order = random.permutation(count)
        yield order[: count // 2], order[count // 2 :]


def chosen_on_halves(variants: dict[str, Grid], others: dict[str, Grid], loss: Grid) -> pd.DataFrame:
    """Per split and criterion: the variant that is best on one half, and every measure's skill on the other."""
    rows = []
    for split, (here, there) in enumerate(halves(loss.shape[1], seed=0)):
        best = min(variants, key=lambda name: r(variants[name][:, here], loss[:, here], "double_centred"))
        measured = {"the chosen variant": variants[best], "task2vec": variants[DEFAULT], **others}
        rows += [
            {"split": split, "variant": best, "measure": name, **skill(grid[:, there], loss[:, there])}
            for name, grid in measured.items()
        ]
    return pd.DataFrame(rows)


def main() -> None:
    parser = parser_for(__doc__)
    parser.add_argument("--run", required=True, type=Path, help="folder of a finished run")
    parser.add_argument("--experiment", default="pretraining")
    parser.add_argument("--part", default="whole")
    parser.add_argument("--fisher", nargs="+", default=["drawn", "real", "fitted", "once", "ends"])
    parser.add_argument("--other-probe", type=Path, help="folder of a model; adds the Fisher `other`")
    parser.add_argument("--work", type=Path, help="folder for embeddings of other Fishers")
    parser.add_argument("--output", type=Path, help="Parquet, merged with rows of other experiments")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    set_threads(arguments.threads)
    work = arguments.work or arguments.run / "store" / "fisher_variants"
    run = Run(arguments.run, arguments.experiment, arguments.part, work, arguments.other_probe)
    groups = coordinate_groups(run.probe)
    variants = {}
    for fisher in [*arguments.fisher, *(["other"] if arguments.other_probe else [])]:
        embedded = run.embeddings(fisher)
        for where, coordinates in groups.items():
            for compare in COMPARISONS:
                name = f"{fisher} {where} {compare}"
                variants[name] = alignments(run, embedded, coordinates, compare)
                print(json.dumps({"variant": name, **skill(variants[name], run.loss)}), flush=True)
    chosen = chosen_on_halves(variants, run.metrics, run.loss)
    first = chosen[chosen["measure"] == "the chosen variant"]
    print(json.dumps({"chosen": first["variant"].value_counts(normalize=True).round(3).to_dict()}))
    skills = list(skill(run.loss, run.loss))
    halved = chosen.groupby("measure")[skills].agg(
        ["mean", lambda x: x.quantile(0.025), lambda x: x.quantile(0.975)]
    )
    rows = []
    for measure_name, values in halved.iterrows():
        low_high = {
            f"{name}{end}": values.iloc[3 * i + j]
            for i, name in enumerate(skills)
            for j, end in enumerate(("", "_low", "_high"))
        }
        rows.append({"of": "other half", "name": measure_name, **low_high})
        print(json.dumps({"other_half": measure_name, **{k: round(v, 4) for k, v in low_high.items()}}))
    rows += [{"of": "all sets", "name": name, **skill(grid, run.loss)} for name, grid in variants.items()]
    if arguments.output:
        table = pd.DataFrame(rows).assign(experiment=arguments.experiment, part=arguments.part)
        if arguments.output.is_file():
            table = joined(read_frame(arguments.output), table, ["experiment", "part"])
        write_table(table, arguments.output)


if __name__ == "__main__":
    main()
