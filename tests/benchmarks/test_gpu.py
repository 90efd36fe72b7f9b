"""The program that measures a GPU, tried on a CPU with tiny models."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.gpu import __main__ as program
from benchmarks.gpu import embedding
from benchmarks.gpu.bench import EMBEDDING_SHAPES, Bench
from benchmarks.gpu.processes import lease, resume
from workflow_scripts.storage.tables import read_json

TRIED = ["ceilings", "embedding", "accuracy", "memory", "training", "evaluation"]
NOT_ON_THE_GPU_MACHINE = ("snakemake", "datasets", "altair", "vl_convert", "playwright", "hypothesis")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    output = tmp_path_factory.mktemp("gpu") / "gpu.json"
    options = ["--device", "cpu", "--shapes", "tiny", "--threads", "1", "--minutes", "6"]
    threads = torch.get_num_threads()
    program.main(["--output", str(output), *options, "--parts", *TRIED])
    torch.set_num_threads(threads)
    return read_json(output)["parts"]


def errors_of(found: Any) -> list[str]:
    if isinstance(found, dict):
        return [
            error
            for key, value in found.items()
            for error in ([value] if key == "error" else errors_of(value))
        ]
    return []


def test_every_part_is_measured_without_an_error(results: dict[str, Any]) -> None:
    assert list(results) == sorted(TRIED)
    assert errors_of(results) == []
    for part, found in results.items():
        assert found["seconds"] >= 0, part
        assert "--shapes tiny" in found["command"]


def test_the_ratios_are_those_of_the_rates(results: dict[str, Any]) -> None:
    of_rows = results["embedding"]["gpt2_tiny"]["rows_of_16"]
    for precision in embedding.PRECISIONS:
        ratios, measured = of_rows[precision]["ratios"], of_rows[precision]
        seconds = measured["corrected"]["seconds"], measured["plain"]["seconds"]
        assert ratios["corrected_over_plain"] == pytest.approx(seconds[0] / seconds[1])
    float32 = of_rows["float32"]
    per_row = float32["released_row_by_row"]["seconds"] / embedding.ROWS_BY_ROW
    ours = float32["corrected"]["seconds"] / of_rows["rows"]
    assert float32["ratios"]["times_as_fast_as_released_row_by_row"] == pytest.approx(per_row / ours)
    assert len(program.table(results)) == 6  # two shapes, three precisions


def test_accuracy_says_how_far_coarser_arithmetic_moves_alignments(results: dict[str, Any]) -> None:
    for probe in ("gpt2", "llama"):
        of_rows = results["accuracy"][probe]["rows_of_16"]
        assert of_rows["repeat_difference"] == 0
        assert of_rows["bfloat16"]["largest_move_all"] > 0


def test_the_other_ways_to_the_squares_of_single_rows_agree(tmp_path: Path) -> None:
    bench = Bench(torch.device("cpu"), "tiny", tmp_path)
    shape = EMBEDDING_SHAPES["tiny"]["llama_tiny"]
    model = bench.model(shape)
    ids, labels = bench.rows(shape, 16), bench.rows(shape, 16).flip(1)
    by_row = embedding.squares_row_by_row(model, ids, labels)
    by_func = embedding.per_sample_squares(model, ids, labels)
    assert by_row.keys() == by_func.keys()
    for name, squares in by_row.items():
        torch.testing.assert_close(by_func[name], squares, rtol=1e-3, atol=1e-9)
    assert all(float(squares.sum()) > 0 for squares in by_row.values())


def test_a_part_that_fails_is_reported_and_the_others_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_bench: Bench) -> dict[str, Any]:
        raise torch.OutOfMemoryError("pretended\nwith a second line")

    monkeypatch.setattr(
        program, "part_functions", lambda: {"embedding": fail, "lease": lambda _bench: {"a": 1}}
    )
    output = tmp_path / "gpu.json"
    options = ["--output", str(output), "--device", "cpu", "--threads", "1"]
    program.main([*options, "--parts", "embedding", "lease"])
    parts = read_json(output)["parts"]
    assert parts["embedding"]["error"] == "OutOfMemoryError: pretended"
    assert parts["lease"]["a"] == 1
    monkeypatch.setattr(program, "part_functions", lambda: {"lease": lambda _bench: {"a": 2}})
    program.main([*options, "--parts", "lease"])
    parts = read_json(output)["parts"]
    assert parts["lease"]["a"] == 2 and "error" in parts["embedding"]


def test_works_that_fail_do_not_stop_the_others(tmp_path: Path) -> None:
    bench = Bench(torch.device("cpu"), "tiny", tmp_path, deadline=float("inf"))

    def fail() -> None:
        raise RuntimeError("no")

    measured = bench.interleaved({"bad": fail, "good": lambda: None}, 3, 60)
    assert measured["bad"] == {"error": "RuntimeError: no"}
    assert measured["good"]["repeats"] == 3


def test_training_goes_on_after_a_kill_and_a_lease_is_waited_for(tmp_path: Path) -> None:
    bench = Bench(torch.device("cpu"), "tiny", tmp_path, deadline=float("inf"))
    found = resume(bench)
    assert found["passes"] and found["went_on_from_step"] >= 10
    assert found["largest_difference_of_a_weight"] == 0
    assert lease(bench)["passes"]


def test_nothing_is_imported_that_a_gpu_machine_may_lack() -> None:
    """The lent machine has torch and transformers, and not what the workflow around them needs."""
    code = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({NOT_ON_THE_GPU_MACHINE!r}))\n"
        "from benchmarks.gpu.__main__ import part_functions\n"
        "part_functions()\n"
        "import workflow_scripts.train_models, benchmarks.gpu.worker\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
