import pandas as pd
import pytest

from workflow_scripts.choosing.measured import Measured

ALIGNMENTS = {"a": -7.5, "b": -7.9, "c": -9.0}


def _survey(**changes):
    """What survey_pool says of an ordinary candidate."""
    found = {
        "rows": 1000,
        "skipped": {},
        "duplicates": {"rows": 3, "is_exact": True},
        "leaks": {"target_rows": 0, "rows": 0, "pairs": []},
        "overlap": {"1": 0.8, "2": 0.4, "3": 0.1},
        "main_script": "Latin",
        "main_script_share": 0.99,
        "other_scripts": {},
        "languages": {"English": 0.97},
        "damaged_rows": 0.0,
        "target": {
            "rows": 200,
            "main_script": "Latin",
            "main_script_share": 1.0,
            "other_scripts": {},
            "languages": {"English": 0.9},
        },
        "nearest": [{"row_id": "a#1", "score": 1.0, "opening": "near"}],
        "farthest": [{"row_id": "a#2", "score": -1.0, "opening": "far <b>"}],
    }
    return found | changes


@pytest.fixture
def survey():
    """Makes a survey; what a test gives replaces parts of it."""
    return _survey


@pytest.fixture
def measured():
    """Three candidates by two measures; what a test gives replaces parts of it."""

    def build(alignments=None, surveys=None, batch_tokens=4096, sizes=None):
        alignments = alignments or ALIGNMENTS
        rows = [
            {
                "metric": metric,
                "source": f"{name}.train",
                "target": "goal.eval",
                "alignment": value * scale,
                "ci_low": value * scale - 0.05,
                "ci_high": value * scale + 0.05,
                "tokens": batch_tokens,
            }
            for metric, scale in (("ngram_cross_entropy", 1), ("unigram_js", 0.1))
            for name, value in alignments.items()
        ]
        rows.append(dict(rows[0], source="goal.eval"))
        size = {"tokens": 1e6, "bytes": 4_200_000, "documents": 1000}
        known = {f"{name}.train": dict(size) for name in alignments} | {"goal.eval": dict(size)}
        for name, changes in (sizes or {}).items():
            known[name] |= changes
        return Measured(
            "goal",
            tuple(alignments),
            ("ngram_cross_entropy", "unigram_js"),
            pd.DataFrame(rows),
            known,
            surveys if surveys is not None else {name: _survey() for name in alignments},
        )

    return build
