"""Records the small tables of a run, merges later parts of the same run, and restores recorded runs.

A record contains the inputs of the analysis: alignments, covariates, losses averaged over documents, seconds. It has
no text, weights or embeddings. A run may be made in parts, such as one seed at a time: rows of the new part replace
recorded rows with the same keys, and the others stay.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from workflow_scripts.errors import UserError
from workflow_scripts.plan.schema import with_defaults
from workflow_scripts.storage.tables import (
    read_frame,
    read_json,
    read_plain_json,
    write_json,
    write_plain_json,
    write_table,
)
from workflow_scripts.tokens.parts import with_part

# Each table with the columns that identify its rows.
TABLES = {
    "alignment/alignment.parquet": ["metric", "part", "source", "target"],
    "alignment/alignment_cost.parquet": ["metric", "part", "set"],
    "losses/loss_summary.parquet": ["experiment", "train_set", "eval_set", "part", "tokens", "seed"],
}
# Only runs that train have it.
COVARIATES = "alignment/covariates.parquet"
# Optional tables, each recorded as a whole. Those about recorded experiments take minutes to compute.
OPTIONAL = (
    "losses/ngram_summary.parquet",
    "analysis/switch_alignments.parquet",
    "analysis/fisher_variants.parquet",
    "analysis/effective_tokens.parquet",
    "analysis/effective_token_differences.parquet",
    "analysis/effective_token_points.parquet",
    "analysis/predicted_losses.parquet",
    "analysis/token_worth.parquet",
    "analysis/token_laws.parquet",
)
MIXTURES = "alignment/mixtures"
# Alignments by every probe but the first.
PROBES = "alignment/probes"
# Alignments by the number of rows, and their seconds.
CURVES = "alignment/rows"
PROVENANCE = "report/provenance.json"
MISSING = "losses/missing.json"
TIMES = "times/train_models"
CONFIG = "config.json"
MODEL_KEYS = ("type", "settings", "pretrained", "revision", "base")


def record(run: Path, recorded: Path) -> None:
    """Keep the small tables of a run, merged with those of an earlier part of it."""
    _check_finished(run, [*TABLES, PROVENANCE, MISSING])
    config = read_json(run / PROVENANCE)["config"]
    trains = any(experiment["kind"] != "recorded" for experiment in config["experiments"])
    tables = TABLES | ({COVARIATES: ["source", "target"]} if trains else {})
    _check_finished(run, tables)
    if (recorded / CONFIG).is_file():
        config = _joined_config(read_plain_json(recorded / CONFIG), config)
    for name, keys in tables.items():
        table = read_frame(run / name)
        if (recorded / name).is_file():
            table = joined(_recorded_table(recorded / name), table, keys)
        write_table(table, recorded / name)
    for path in sorted((run / MIXTURES).glob("*.parquet")):
        write_table(_compact(read_frame(path)), recorded / path.relative_to(run))
    for path in sorted((run / CURVES).glob("*.parquet")):
        write_table(read_frame(path), recorded / path.relative_to(run))
    for path in _of_other_probes(run):
        frame = read_frame(path)
        write_table(
            _compact(frame) if path.parent.name == "mixtures" else frame, recorded / path.relative_to(run)
        )
    for name in OPTIONAL:
        if (run / name).is_file():
            write_table(read_frame(run / name), recorded / name)
    for path in sorted((run / TIMES).rglob("*.json")):
        write_plain_json(read_json(path), recorded / path.relative_to(run))
    write_plain_json(read_json(run / PROVENANCE), recorded / PROVENANCE)
    write_plain_json(_joined_missing(recorded / MISSING, run / MISSING), recorded / MISSING)
    write_plain_json(config, recorded / CONFIG)


def _of_other_probes(run: Path) -> list[Path]:
    """Tables of alignments by other probes, without their seconds."""
    return [path for path in sorted((run / PROBES).rglob("*.parquet")) if not path.stem.endswith(".cost")]


def _check_finished(run: Path, names: Iterable[str]) -> None:
    for name in names:
        if not (run / name).is_file():
            raise UserError(f"{run}/{name} is missing: finish the run before you record it")


def joined(kept: pd.DataFrame, new: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """The new rows, plus the recorded rows with other keys."""
    is_new = pd.MultiIndex.from_frame(kept[keys]).isin(pd.MultiIndex.from_frame(new[keys]))
    whole = pd.concat([kept[~is_new], new], ignore_index=True) if not is_new.all() else new
    return whole.sort_values(keys, kind="stable", ignore_index=True)


def restore(recorded: Path, run: Path) -> dict[str, Any]:
    """Restore a recorded run's files as the workflow would have written them; returns the config to continue with."""
    if not (recorded / CONFIG).is_file():
        raise UserError(f"{recorded} is not a recorded run: {CONFIG} is missing")
    # Write mixtures first: Snakemake would remake tables that are older than their inputs.
    mixtures = [str(path.relative_to(recorded)) for path in sorted((recorded / MIXTURES).glob("*.parquet"))]
    probes = [str(path.relative_to(recorded)) for path in _of_other_probes(recorded)]
    curves = [str(path.relative_to(recorded)) for path in sorted((recorded / CURVES).glob("*.parquet"))]
    for name in (*TABLES, COVARIATES, *mixtures, *probes, *curves, *OPTIONAL):
        if (recorded / name).is_file():
            write_table(_recorded_table(recorded / name), run / name)
    for path in [recorded / PROVENANCE, recorded / MISSING, *sorted((recorded / TIMES).rglob("*.json"))]:
        if path.is_file():
            write_json(read_plain_json(path), run / path.relative_to(recorded))
    config = read_plain_json(recorded / CONFIG)
    for part in (config["probe"], *config["recipes"].values()):
        # The config is laid over the default one, so keys of the default model must be set to null to remove them.
        part["model"] = {**dict.fromkeys(MODEL_KEYS), **part["model"]}
    return {**config, "only_existing": True, "corpora_folder": None, "pathvars": {"results": str(run)}}


def _joined_config(kept: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The config of both parts; they may differ only in the seeds of their recipes.

    A key that is missing in an older record gets its default.
    """
    kept, new = with_defaults(dict(kept)), with_defaults(dict(new))
    for key in sorted({*kept, *new}):
        if key != "recipes" and kept.get(key) != new.get(key):
            raise UserError(
                f"the key {key} of the config differs between the run and the record, so they are not one run; "
                "record it in a separate folder"
            )
    recipes = {}
    for name in sorted({*kept["recipes"], *new["recipes"]}):
        one, other = kept["recipes"].get(name), new["recipes"].get(name)
        if one and other and {**one, "seeds": []} != {**other, "seeds": []}:
            raise UserError(f"recipes.{name} differs from the recorded one in more than its seeds")
        seeds = {*(one or {}).get("seeds", []), *(other or {}).get("seeds", [])}
        recipes[name] = {**(other or one or {}), "seeds": sorted(seeds)}
    return {**new, "recipes": recipes}


def _joined_missing(kept: Path, new: Path) -> dict[str, list[Any]]:
    """Models without a usable loss, of both parts."""
    parts = [read_plain_json(kept)] if kept.is_file() else []
    parts.append(read_json(new))
    return {
        key: [
            entry for part in parts for entry in part[key] if part is parts[-1] or entry not in parts[-1][key]
        ]
        for key in parts[-1]
    }


def _recorded_table(path: Path) -> pd.DataFrame:
    """A recorded table. Its checksum is not verified: git does that, and older records have none."""
    table = pq.ParquetFile(path).read().replace_schema_metadata(None).to_pandas()
    return with_part(table) if "part" in TABLES.get(str(path.relative_to(path.parents[1])), ()) else table


def _compact(mixtures: pd.DataFrame) -> pd.DataFrame:
    """Alignments of hundreds of mixtures without their intervals, to five decimals."""
    return (
        mixtures.drop(columns=["ci_low", "ci_high"]).round({"alignment": 5}).astype({"alignment": "float32"})
    )
