"""The page's sections on provenance and on missing results."""

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

import pandas as pd
import yaml

from workflow_scripts.tokens.parts import of_whole

# Keys of the provenance file; each may be absent.
#   commit    of the code; python, packages: versions
#   config    of the run, as it was checked
#   corpora   name -> manifest.json of the corpus; probes: name -> manifest.json of the probe
KEYS = ("commit", "python", "packages", "config", "corpora", "probes")


def provenance_view(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """The parts that the page shows, in a form that a template can print."""
    return {
        "commit": provenance.get("commit"),
        "python": provenance.get("python"),
        "packages": sorted((provenance.get("packages") or {}).items()),
        "corpora": [
            _corpus(name, manifest) for name, manifest in sorted((provenance.get("corpora") or {}).items())
        ],
        "probes": [
            (name, yaml.safe_dump(manifest, sort_keys=True, allow_unicode=True))
            for name, manifest in sorted((provenance.get("probes") or {}).items())
        ],
        "config": yaml.safe_dump(provenance["config"], sort_keys=False, allow_unicode=True)
        if provenance.get("config")
        else None,
    }


def _corpus(name: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
    near = manifest.get("near_duplicates_removed") or {}
    return {
        "name": name,
        "source": _words(manifest.get("source")),
        "revision": _words(manifest.get("revision")),
        "licence": _words(manifest.get("licence")),
        "documents": _sides(manifest.get("documents")),
        "bytes": _sides(manifest.get("bytes")),
        "removed": (manifest.get("duplicates_removed") or 0)
        + (sum(near.values()) if isinstance(near, Mapping) else near),
        "hash": (manifest.get("content_hash") or "")[:12],
    }


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_words(part)}" for key, part in value.items())
    return "" if value is None else str(value)


def _sides(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{side} {amount:,}" for side, amount in sorted(value.items(), reverse=True))
    return "" if value is None else f"{value:,}"


def missing_lines(missing: Mapping[str, Any]) -> list[str]:
    """One line per experiment and training set with a missing loss or a loss that is not a number."""
    return [
        *_lines(missing.get("missing") or [], "no loss"),
        *_lines(missing.get("not_finite") or [], "a loss that is not a number (the training diverged)"),
    ]


def unmeasured_lines(alignment: pd.DataFrame | None) -> list[str]:
    """One line for each measure that lacks sets which others have: these have too few rows for its batches."""
    if alignment is None:
        return []
    whole = of_whole(alignment)
    sets = whole.groupby("metric")["source"].agg(set)
    everything = set(whole["source"])
    return [
        f"Measure {metric}: no alignment of {', '.join(sorted(everything - own))}, which "
        f"{'has' if len(everything - own) == 1 else 'have'} too few rows for its batches "
        "(smaller batches, or fewer_rows in the config, let it compare them)."
        for metric, own in sets.items()
        if everything - own
    ]


def _lines(entries: Iterable[Mapping[str, Any]], what: str) -> list[str]:
    def key(entry: Mapping[str, Any]) -> tuple[str, str]:
        return str(entry.get("experiment")), str(entry.get("train_set"))

    lines = []
    for (experiment, train_set), group in groupby(sorted(entries, key=key), key=key):
        cases = list(group)
        details = [
            f"{label} {', '.join(map(str, values))}"
            for label, field in (("on", "eval_set"), ("at tokens", "tokens"), ("seed", "seed"))
            if (values := list(dict.fromkeys(case[field] for case in cases if case.get(field) is not None)))
        ]
        lines.append(f"Experiment {experiment}: {what} of {train_set} ({len(cases)}: {'; '.join(details)}).")
    return lines
