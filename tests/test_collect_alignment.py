import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workflow_scripts.collect_alignment import main
from workflow_scripts.errors import UserError
from workflow_scripts.metrics.matrix import ALIGNMENT_SCHEMA, COST_SCHEMA
from workflow_scripts.storage.tables import write_table


def write(path, schema, records):
    write_table(pa.Table.from_pylist(records, schema=schema), path)
    return path


@pytest.fixture
def files(tmp_path):
    """Two metrics; the second has no calibrated value at all."""
    alignments, costs = [], []
    for metric in ("zeta", "alpha"):
        pairs = [(source, target) for source in ("b.train", "a.train") for target in ("b.train", "a.train")]
        records = [
            {"metric": metric, "part": part, "source": s, "target": t, "alignment": 0.5}
            for part in ("whole", "answer")
            for s, t in pairs
        ]
        alignments.append(write(tmp_path / f"{metric}.parquet", ALIGNMENT_SCHEMA, records))
        seconds = [
            {"metric": metric, "part": "whole", "set": name, "seconds": 1.5}
            for name in ("b.train", "a.train")
        ]
        costs.append(write(tmp_path / f"{metric}-cost.parquet", COST_SCHEMA, seconds))
    return alignments, costs


def arguments(tmp_path, alignments, costs):
    outputs = ["--output", str(tmp_path / "all.parquet"), "--cost-output", str(tmp_path / "cost.parquet")]
    return ["--metrics-files", *map(str, alignments), "--costs", *map(str, costs), *outputs]


def test_rows_are_sorted_and_the_order_of_files_does_not_matter(tmp_path, files):
    alignments, costs = files
    main(arguments(tmp_path, alignments, costs))
    table = pq.read_table(tmp_path / "all.parquet")
    assert table.schema == ALIGNMENT_SCHEMA
    columns = ("metric", "part", "source", "target")
    keys = list(zip(*(table.column(name).to_pylist() for name in columns), strict=True))
    assert keys == sorted(keys) and len(keys) == 16
    assert pq.read_table(tmp_path / "cost.parquet").column("set").to_pylist() == ["a.train", "b.train"] * 2
    first = (tmp_path / "all.parquet").read_bytes()
    main(arguments(tmp_path, alignments[::-1], costs[::-1]))
    assert (tmp_path / "all.parquet").read_bytes() == first


def test_a_metric_given_twice_and_a_wrong_file_are_refused(tmp_path, files):
    alignments, costs = files
    with pytest.raises(UserError, match="given twice"):
        main(arguments(tmp_path, [*alignments, alignments[0]], costs))
    with pytest.raises(UserError, match="has the columns"):
        main(arguments(tmp_path, costs, costs))
