"""The quick run through Slurm, with a GPU asked for wherever a model computes."""

import re
from collections import Counter
from itertools import pairwise

import pytest

pytestmark = pytest.mark.slurm

# Tables that hold seconds, which differ between any two runs.
OF_SECONDS = {"alignment_cost.parquet", "choice_cost.parquet"}


def tables(results):
    return {
        str(path.relative_to(results)): path.read_bytes()
        for path in results.rglob("*.parquet")
        if path.name not in OF_SECONDS and not path.name.endswith(".cost.parquet")
    }


def weights(results):
    return {
        str(path.relative_to(results)): path.read_bytes()
        for path in results.rglob("*.safetensors")
        if "store" not in path.parts
    }


@pytest.fixture(scope="module")
def held(slurm, quick_runs):
    """(start, end, devices) of every job that had a GPU."""
    starts, spans = {}, []
    for when, what, job, devices in slurm.device_events():
        if what == "start":
            starts[job] = when
        elif what == "end":
            spans.append((starts.pop(job), when, devices))
    assert not starts
    return spans


def test_tables_equal_those_of_the_local_run_byte_for_byte(quick_runs):
    local, cluster = tables(quick_runs.local.results), tables(quick_runs.cluster.results)
    assert len(local) > 40
    assert local.keys() == cluster.keys()
    assert [name for name in local if local[name] != cluster[name]] == []


def test_so_do_all_weights(quick_runs):
    local = weights(quick_runs.local.results)
    assert len(local) > 5
    assert local == weights(quick_runs.cluster.results)


def test_the_page_is_there(quick_runs):
    assert "report: results/quick/report/index.html" in quick_runs.cluster_output
    assert (quick_runs.cluster.results / "report" / "index.html").is_file()


def test_short_jobs_share_a_slurm_job(quick_runs):
    steps = int(re.search(r"^total +(\d+)$", quick_runs.cluster_output, flags=re.MULTILINE)[1])
    submitted = len(re.findall("submitted with SLURM jobid", quick_runs.cluster_output))
    assert submitted < 0.75 * steps


def test_every_job_of_a_model_held_a_gpu(quick_runs, held):
    said = quick_runs.cluster_output
    alone = Counter(re.findall(r"^(?:local)?rule (\w+):", said, flags=re.MULTILINE))
    groups = Counter(re.findall(r"Group job (\w+)", said))
    asked = sum(
        alone[rule]
        for rule in ("train_probe", "measure_covariates", "embed_batches", "train_models", "flip_switches")
    )
    assert "evaluate_models" not in alone
    assert len(held) >= asked + groups["evaluation"] > 8


def test_no_two_jobs_ever_hold_one_device(held):
    assert {devices for _, _, devices in held} == {("0",), ("1",)}
    for device in ("0", "1"):
        spans = sorted((start, end) for start, end, devices in held if device in devices)
        for (_, end), (start, _) in pairwise(spans):
            assert end <= start


def test_each_program_sees_the_device_that_its_job_holds(slurm, quick_runs):
    given = {job: devices for _, what, job, devices in slurm.device_events() if what == "start"}
    seen = [(job, devices) for _, what, job, devices in slurm.device_events() if what == "task"]
    assert len(seen) >= len(given)
    assert all(given[job] == devices for job, devices in seen)


def test_a_third_gpu_job_waits(slurm, tmp_path):
    def submit(name):
        command = "date +%s.%N; srun --ntasks=1 --gpus=1 sleep 3; date +%s.%N"
        output = tmp_path / name
        options = ["--parsable", "--gpus=1", "--mem=100", f"--output={output}", "--wrap", command]
        return slurm.run("sbatch", *options).strip()

    jobs = [submit(name) for name in "abc"]
    slurm.wait_until(
        lambda: [slurm.jobs().get(job) for job in jobs] == ["RUNNING", "RUNNING", "PENDING"], "one waits", 120
    )
    slurm.wait_until(lambda: {slurm.jobs()[job] for job in jobs} == {"COMPLETED"}, "all done", 300)
    spans = sorted(tuple(map(float, (tmp_path / name).read_text().split())) for name in "abc")
    assert spans[2][0] >= min(spans[0][1], spans[1][1])
