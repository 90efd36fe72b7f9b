import numpy as np
import pytest

from workflow_scripts.measure_sizes import main
from workflow_scripts.storage.tables import read_json, write_json
from workflow_scripts.tokens.rows import Rows, write_rows


@pytest.fixture
def corpora(tmp_path):
    """One corpus whole, one sampled: 4,000 bytes in 1,000 tokens of each side."""
    rows = Rows(
        [f"r{i}" for i in range(10)],
        [["d"]] * 10,
        np.zeros((10, 100), dtype=np.int32),
        np.full(10, 100, dtype=np.int32),
        np.ones((10, 100), bool),
    )
    described = {"bytes": {"train": 4000, "eval": 2000}, "documents": {"train": 7, "eval": 3}}
    for name, more in (("whole", {}), ("sampled", {"sampled_from": {"bytes": 400_000, "documents": 700}})):
        write_json(described | more, tmp_path / "corpora" / name / "manifest.json")
        for side in ("train", "eval"):
            write_rows(rows, tmp_path / "tokens" / name / f"{side}.parquet")
    return tmp_path


def test_a_sample_stands_for_the_whole(corpora):
    sets = [f"{name}.{side}" for name in ("whole", "sampled") for side in ("train", "eval")]
    paths = [corpora / "tokens" / name.replace(".", "/") for name in sets]
    options = [f"--set={name}={path}.parquet" for name, path in zip(sets, paths, strict=True)]
    main([*options, f"--corpora={corpora / 'corpora'}", f"--output={corpora / 'sizes.json'}"])
    sizes = read_json(corpora / "sizes.json")
    assert sizes["whole.train"]["tokens"] == 1000
    assert sizes["whole.train"]["documents"] == 7
    assert sizes["whole.eval"]["bytes_per_token"] == pytest.approx(2)
    assert sizes["sampled.train"]["tokens"] == 100_000
    assert sizes["sampled.train"]["documents"] == 700
    assert sizes["sampled.train"]["sampled_bytes"] == 4000
