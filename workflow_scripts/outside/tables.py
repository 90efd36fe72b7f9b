"""Tables of losses that were measured elsewhere, and of the mixtures that the models were trained on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from workflow_scripts.errors import UserError

# Published shares are often rounded: 17 of them, to .001, may miss 1 by .0085.
ROUNDING = 0.02
LOSS_TYPES = {
    "train_set": "str",
    "eval_set": "str",
    "tokens": "int64",
    "seed": "int64",
    "loss": "float64",
}
SHARE_TYPES = {"train_set": "str", "corpus": "str", "share": "float64"}


@dataclass(frozen=True)
class Recorded:
    """Losses of one model size, and the mixtures of its training sets; shares sum to 1.

    tokens: number of training tokens; 0 if the table does not state it.
    """

    losses: pd.DataFrame
    shares: pd.DataFrame


def read(
    losses: str | Path,
    mixtures: str | Path,
    parts: Sequence[str],
    eval_sets: Sequence[str],
    model: str | None = None,
) -> Recorded:
    """Both tables, with the rows and columns of the experiment; a UserError reports what is wrong."""
    found = _losses(losses, eval_sets, model)
    return Recorded(found, _shares(mixtures, parts, list(dict.fromkeys(found["train_set"])), losses))


def share_matrix(shares: pd.DataFrame, train_sets: Sequence[str], parts: Sequence[str]) -> np.ndarray:
    """Shares as training sets x parts, 0 if a mixture has nothing of a part."""
    wide = shares.pivot(index="train_set", columns="corpus", values="share")
    return wide.reindex(index=list(train_sets), columns=list(parts)).fillna(0.0).to_numpy(dtype=float)


def _losses(path: str | Path, eval_sets: Sequence[str], model: str | None) -> pd.DataFrame:
    table = _read(path, ("train_set", "eval_set", "loss"))
    table["train_set"], table["eval_set"] = table["train_set"].astype(str), table["eval_set"].astype(str)
    if "model" in table:
        models = sorted(table["model"].astype(str).unique())
        if model is None and len(models) > 1:
            raise UserError(f"{path} has the models {', '.join(models)}; set the key `model` to one of them")
        if model is not None and model not in models:
            raise UserError(f"{path} has no model {model}; set `model` to one of {', '.join(models)}")
        table = table[table["model"].astype(str) == (model or models[0])]
    elif model is not None:
        raise UserError(f"{path} has no column `model`; remove the key `model`")
    table = table[table["eval_set"].isin(eval_sets)]
    for column, default in (("tokens", 0), ("seed", 0)):
        if column not in table:
            table = table.assign(**{column: default})
        whole = pd.to_numeric(table[column], errors="coerce")
        _refuse(path, table[~(whole >= 0) | (whole % 1 != 0)], f"`{column}` must be a whole number")
        table = table.assign(**{column: whole})
    loss = pd.to_numeric(table["loss"], errors="coerce")
    _refuse(path, table[~np.isfinite(loss)], "the loss is missing or not a number")
    table = table.assign(loss=loss)[list(LOSS_TYPES)].astype(LOSS_TYPES)
    keys = ["train_set", "eval_set", "tokens", "seed"]
    _refuse(path, table[table.duplicated(keys)], "this loss is listed twice")
    runs = table[["train_set", "tokens", "seed"]].drop_duplicates()
    if runs.empty:
        raise UserError(
            f"{path} has no loss on any of {', '.join(eval_sets)}; correct eval_sets or the table"
        )
    wanted = runs.merge(pd.DataFrame({"eval_set": list(eval_sets)}), how="cross")
    absent = wanted.merge(table, on=keys, how="left")
    _refuse(path, absent[absent["loss"].isna()], "this loss is missing")
    return table.sort_values(keys, ignore_index=True)


def _shares(
    path: str | Path, parts: Sequence[str], train_sets: Sequence[str], losses: str | Path
) -> pd.DataFrame:
    table = _read(path, ("train_set", "corpus", "share"))
    table["train_set"], table["corpus"] = table["train_set"].astype(str), table["corpus"].astype(str)
    table = table[table["train_set"].isin(train_sets)]
    share = pd.to_numeric(table["share"], errors="coerce")
    _refuse(path, table[~(share.between(0, 1))], "the share must be between 0 and 1")
    table = table.assign(share=share)[list(SHARE_TYPES)].astype(SHARE_TYPES)
    _refuse(path, table[table.duplicated(["train_set", "corpus"])], "this share is listed twice")
    unknown = table[(table["share"] > 0) & ~table["corpus"].isin(parts)]
    _refuse(path, unknown, f"the corpus is not among `parts` ({', '.join(parts)})")
    sums = table.groupby("train_set")["share"].sum()
    for train_set in train_sets:
        if train_set not in sums:
            raise UserError(
                f"{path} has no mixture {train_set}, but {losses} has its losses; add the mixture"
            )
        if abs(sums[train_set] - 1) > ROUNDING:
            raise UserError(
                f"{path}: the shares of {train_set} sum to {sums[train_set]:.4g}; they must sum to 1"
            )
    table = table[table["share"] > 0]
    normalised = table.assign(share=table["share"] / table["train_set"].map(sums))
    return normalised.sort_values(["train_set", "corpus"], ignore_index=True)


def _read(path: str | Path, columns: Sequence[str]) -> pd.DataFrame:
    name = str(path)
    try:
        if name.endswith(".parquet"):
            table = pd.read_parquet(path)
        elif name.endswith((".csv", ".csv.gz")):
            table = pd.read_csv(path, dtype={"train_set": str, "eval_set": str, "corpus": str, "model": str})
        else:
            raise UserError(f"{path} has an unknown format; use a .csv, .csv.gz or .parquet file")
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path} cannot be read as a table: {str(error).splitlines()[0]}") from None
    for column in columns:
        if column not in table:
            raise UserError(
                f"{path} has no column `{column}`; its columns are {', '.join(map(str, table.columns))}"
            )
    return table


def _refuse(path: str | Path, rows: pd.DataFrame, why: str) -> None:
    """Refuse a table with invalid rows; the message names the first by its keys."""
    if len(rows):
        first = rows.iloc[0]
        named = [c for c in ("train_set", "eval_set", "corpus", "tokens", "seed") if c in rows.columns]
        which = ", ".join(f"{column} {first[column]}" for column in named)
        raise UserError(f"{path}: {why} ({which})")
