"""What the benchmark of the metrics says about tables: closeness to oneself, and what the length of documents does."""

from typing import Any

import pandas as pd

from studies.self_closeness import self_closeness, swayed_by_length


def test_the_own_half_is_set_against_the_nearest_other_corpus() -> None:
    to_a = {"a": 0.9, "b": 0.5, "c": 0.7}
    to_b = {"a": 0.8, "b": 0.6, "c": 0.2}
    to_c = {"a": 0.1, "b": 0.3, "c": 0.9}
    table = pd.DataFrame(
        [
            {"source": f"{source}.train", "target": f"{target}.eval", "alignment": alignment}
            for target, found in {"a": to_a, "b": to_b, "c": to_c}.items()
            for source, alignment in found.items()
        ]
    )
    a, b, c = self_closeness(table, ["a", "b", "c"])
    assert (a["won"], a["nearest"], a["nearest_alignment"]) == (True, "c", 0.7)
    assert a["margin_sd"] == round(0.2 / 0.02**0.5, 3)  # .5 and .7 vary by .02
    assert (b["won"], b["nearest"]) == (False, "a")
    assert b["margin_sd"] < 0 < c["margin_sd"]


def cut(tokens: int | None, moved: float, matters: bool) -> dict[str, Any]:
    return {"cut": tokens, "pieces": "shuffled", "moved": moved, "matters": matters}


def test_the_length_of_documents_may_matter_to_the_published_form_alone() -> None:
    rows = {
        "task2vec_published": [cut(None, 0, False), cut(32, -0.2, True)],
        "task2vec": [cut(None, 0, False), cut(32, 0.01, False)],
        "task2vec_body": [cut(None, 0, False), cut(128, 0, False), cut(32, -0.02, True)],
    }
    (failure,) = swayed_by_length(rows)
    assert failure.startswith("task2vec_body: documents of 32 tokens")
    del rows["task2vec_body"]
    assert list(swayed_by_length(rows)) == []
