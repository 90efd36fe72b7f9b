import pandas as pd

from workflow_scripts.report.provenance import unmeasured_lines


def test_a_measure_without_a_set_that_others_have_is_named():
    whole = [
        ("a", "one"),
        ("a", "two"),
        ("a", "three"),
        ("b", "one"),
        ("b", "two"),
        ("b", "three"),
        ("c", "one"),
    ]
    alignment = pd.DataFrame(
        [{"metric": metric, "source": source, "part": "whole"} for metric, source in whole]
        + [
            {"metric": "a", "source": "four", "part": "answer"}
        ]  # of answers, measures may differ in their sets
    )
    (line,) = unmeasured_lines(alignment)
    assert line.startswith("Measure c: no alignment of three, two, which have too few rows")
    assert unmeasured_lines(alignment[alignment["metric"] != "c"]) == []
    assert unmeasured_lines(None) == []
