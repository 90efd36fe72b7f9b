"""The program that embeds the batches of a set: what it writes, what it keeps, and what kills leave behind."""

import json
import logging
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from workflow_scripts import embed_batches
from workflow_scripts.errors import TooFewRows, UserError
from workflow_scripts.fisher.embedding import embed
from workflow_scripts.fisher.estimator import Estimator
from workflow_scripts.fisher.layout import layout
from workflow_scripts.metrics.inputs import embedding_batches
from workflow_scripts.metrics.rows_curve import pooled_batches
from workflow_scripts.storage.tables import read_frame
from workflow_scripts.tokens.batches import batch_indices
from workflow_scripts.tokens.rows import Rows, read_rows, write_rows
from workflow_scripts.tokens.tokenizer import train_tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny probe and 40 rows, some of them padded."""
    folder = tmp_path_factory.mktemp("embed_batches")
    torch.manual_seed(0)
    config = GPT2Config(
        n_layer=1, n_embd=16, n_head=2, vocab_size=60, n_positions=16, bos_token_id=0, eos_token_id=0
    )
    GPT2LMHeadModel(config).save_pretrained(folder / "probe")
    train_tokenizer(["ends with token 0"], 257).save_pretrained(folder / "tokenizer")
    generator = np.random.default_rng(0)
    n_tokens = generator.integers(5, 13, 40).astype(np.int32)
    ids = generator.integers(1, 60, (40, 12)).astype(np.int32)
    mask = np.arange(12) < n_tokens[:, None]
    rows = Rows([f"r{i}" for i in range(40)], [[f"d{i}"] for i in range(40)], ids * mask, n_tokens, mask)
    write_rows(rows, folder / "rows.parquet")
    return folder


def options(
    folder: Path, output: Path, store: Path, *, rows: Path | str | None = None, **changes: object
) -> list[str]:
    values = {
        "set": f"embeddings={rows or folder / 'rows.parquet'}",
        "model": folder / "probe",
        "tokenizer": folder / "tokenizer",
        "estimator": '{"name": "corrected"}',
        "batches": 4,
        "rows-per-batch": 8,
        "head-epochs": 0,
        "sampling": "disjoint",
        "seed": 0,
        "store": store,
        "output": output,
        "times": output / "times",
        "device": "cpu",
        **changes,
    }
    return [part for name, value in values.items() for part in (f"--{name}", str(value))]


def run(folder: Path, output: Path, store: Path, **changes: object) -> bytes:
    embed_batches.main(options(folder, output, store, **changes))
    return (output / "embeddings.parquet").read_bytes()


def test_table_holds_what_the_engine_finds(folder: Path, tmp_path: Path) -> None:
    run(folder, tmp_path, tmp_path / "store", **{"head-epochs": 1, "seed": 3, "microbatch": 4})
    table = read_frame(tmp_path / "embeddings.parquet")
    assert list(table.columns) == ["batch", "row_ids", "n_scored", "embedding"]
    assert pq.read_schema(tmp_path / "embeddings.parquet").field("embedding").type.value_type == "float"
    rows = read_rows(folder / "rows.parquet")
    model = GPT2LMHeadModel.from_pretrained(folder / "probe")
    assert len(np.unique(np.concatenate(table["row_ids"]))) == 32  # disjoint batches share no row
    for number, index in enumerate(batch_indices(40, 4, 8, seed=3)):
        batch = rows.take(index)
        assert list(table["row_ids"][number]) == batch.row_ids
        assert table["n_scored"][number] == (batch.n_tokens - 1).sum()
        expected = embed(
            model,
            torch.from_numpy(batch.input_ids),
            torch.from_numpy(batch.attention_mask),
            Estimator.corrected(),
            head_epochs=1,
            seed=3,
            row_ids=batch.row_ids,
            microbatch=4,
        )
        np.testing.assert_allclose(table["embedding"][number], expected.numpy(), rtol=1e-6)
    times = json.loads((tmp_path / "times" / "embeddings.json").read_text())
    assert times["seconds"] == pytest.approx(sum(times["batches"]))
    assert len(times["batches"]) == 4


def test_ends_of_text_are_hidden_from_the_corrected_estimator_alone(folder: Path, tmp_path: Path) -> None:
    rows = read_rows(folder / "rows.parquet")
    ids = {end: rows.input_ids.copy() for end in (0, 59)}
    for end, changed in ids.items():
        changed[:, 2] = end
        made = Rows(rows.row_ids, rows.doc_ids, changed, rows.n_tokens, rows.loss_mask)
        write_rows(made, tmp_path / f"{end}.parquet")
    scored = {}
    for end in ids:
        for name in ("corrected", "published"):
            given = {"rows": tmp_path / f"{end}.parquet", "estimator": json.dumps({"name": name})}
            run(folder, tmp_path, tmp_path / "store", **given)
            scored[name, end] = read_frame(tmp_path / "embeddings.parquet")["n_scored"].sum()
    # Neither the position of an end nor the one before it, whose next token it is.
    assert scored["corrected", 0] == scored["corrected", 59] - 2 * 32
    assert scored["published", 0] == scored["published", 59]


def test_equal_runs_give_equal_bytes(folder: Path, tmp_path: Path) -> None:
    first = run(folder, tmp_path, tmp_path / "one")
    assert first == run(folder, tmp_path, tmp_path / "other")


def kept_lines(caplog: pytest.LogCaptureFixture) -> int:
    return sum("found in the store" in record.message for record in caplog.records)


def test_what_is_finished_is_not_computed_again(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = tmp_path / "store"
    four = run(folder, tmp_path, store)
    (tmp_path / "elsewhere").mkdir()
    for name in ("rows.parquet", "probe", "tokenizer"):
        (tmp_path / "elsewhere" / name).symlink_to(folder / name)
    with caplog.at_level(logging.INFO):
        assert run(tmp_path / "elsewhere", tmp_path, store) == four  # paths do not count
        assert kept_lines(caplog) == 4
        caplog.clear()
        run(folder, tmp_path, store, batches=5)  # one more batch
        assert kept_lines(caplog) == 4
        for change in (
            {"estimator": '{"name": "corrected", "label_draws": 2}'},
            {"head-epochs": 1},
            {"seed": 1},
            {"precision": "bfloat16"},
        ):
            caplog.clear()
            assert run(folder, tmp_path, store, **change) != four
            assert kept_lines(caplog) == 0, change


def test_same_rows_in_every_batch_differ_in_their_draws(folder: Path, tmp_path: Path) -> None:
    run(folder, tmp_path, tmp_path / "store", sampling="same", batches=2)
    table = read_frame(tmp_path / "embeddings.parquet")
    assert list(table["row_ids"][0]) == list(table["row_ids"][1])
    assert not np.allclose(table["embedding"][0], table["embedding"][1])


def test_damaged_batch_is_named_and_computed_again(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = tmp_path / "store"
    before = run(folder, tmp_path, store)
    damaged = sorted(path for path in store.rglob("*") if path.is_file())[1]
    content = bytearray(damaged.read_bytes())
    content[-1] ^= 1
    damaged.write_bytes(content)
    with caplog.at_level(logging.INFO):
        assert run(folder, tmp_path, store) == before
    assert str(damaged) in caplog.text
    assert kept_lines(caplog) == 3


def test_variance_by_kind(folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        run(folder, tmp_path, tmp_path / "store", variance=tmp_path / "variance")
        table = read_frame(tmp_path / "variance" / "embeddings.parquet").set_index("kind")
        run(
            folder,
            tmp_path,
            tmp_path / "store",
            variance=tmp_path / "variance",
            estimator='{"name": "corrected", "label_draws": 16}',
        )
    many_draws = read_frame(tmp_path / "variance" / "embeddings.parquet").set_index("kind")
    model = GPT2LMHeadModel.from_pretrained(folder / "probe")
    assert set(table.index) == {kind for _, kind, _ in layout(model)}
    assert table.loc["token", "coordinates"] == 60
    assert (
        many_draws["draws"] < 0.6 * table["draws"]
    ).all()  # four times the draws, a quarter of the variance
    assert table.loc["token", "rows"] > table.loc["linear", "rows"]
    assert "linear (112 coordinates): relative standard deviation" in caplog.text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": "nowhere.parquet"}, "nowhere.parquet is missing"),
        ({"model": "/nowhere/at/all"}, "no model could be read from /nowhere/at/all"),
        ({"estimator": '{"name": "right"}'}, "name is 'right'; allowed are 'published', 'corrected'"),
        ({"estimator": '{"name": "corrected", "draws": 2}'}, "'draws' is not a field"),
        ({"estimator": '{"name": "corrected", "square": "rows"}'}, "square is 'rows'"),
        ({"estimator": '{"name": "corrected", "dropout": 1}'}, "dropout is 1"),
        ({"estimator": '{"name": "corrected", "label_draws": 0}'}, "label_draws is 0"),
    ],
)
def test_mistakes_are_errors_in_one_line(
    folder: Path, tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(UserError) as error:
        run(folder, tmp_path, tmp_path / "store", **changes)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_rows_of_another_tokenizer_or_too_long(folder: Path, tmp_path: Path) -> None:
    rows = read_rows(folder / "rows.parquet")
    foreign = rows.input_ids.copy()
    foreign[0, 0] = 60
    write_rows(
        Rows(rows.row_ids, rows.doc_ids, foreign, rows.n_tokens, rows.loss_mask), tmp_path / "foreign.parquet"
    )
    with pytest.raises(UserError, match="token 60, and the probe's vocabulary has 60"):
        run(folder, tmp_path, tmp_path / "store", rows=tmp_path / "foreign.parquet")
    long = np.tile(rows.input_ids, 2)
    write_rows(Rows(rows.row_ids, rows.doc_ids, long, rows.n_tokens, long > 0), tmp_path / "long.parquet")
    with pytest.raises(UserError, match="rows of 24 tokens, and the probe reads at most 16"):
        run(folder, tmp_path, tmp_path / "store", rows=tmp_path / "long.parquet")


def test_a_tokenizer_that_is_not_there_is_one_line(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no tokenizer could be read from .*elsewhere: "):
        run(folder, tmp_path, tmp_path / "store", tokenizer=tmp_path / "elsewhere")


FORKING_PARENT = """
import json, logging, os, shutil, signal, sys, time
from pathlib import Path

import torch

torch.set_num_threads(1)
# Imports and what a first load of a model prepares happen once; no gradient is computed before a fork.
from workflow_scripts import embed_batches
from workflow_scripts.fisher import batch_cache, variance
from workflow_scripts.models.loading import load_model
import workflow_scripts.training.devices

arguments, moments, store, output, log = json.loads(sys.argv[1])
load_model(arguments[arguments.index("--model") + 1])


def start():
    child = os.fork()
    if child:
        return child
    with open(log, "w") as stream:
        logging.basicConfig(level=logging.INFO, stream=stream)
        embed_batches.main(arguments)
        stream.flush()
    os._exit(0)


def finished():
    files = [path for path in Path(store).rglob("*") if path.is_file() and not path.name.endswith(".part")]
    return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}


def whole_run():
    started = time.perf_counter()
    assert os.waitstatus_to_exitcode(os.waitpid(start(), 0)[1]) == 0
    return time.perf_counter() - started


whole_run()
undisturbed = Path(output).read_bytes()
shutil.rmtree(store)
duration = whole_run()
reports = []
for moment in moments:
    shutil.rmtree(store, ignore_errors=True)
    Path(output).unlink(missing_ok=True)
    child = start()
    time.sleep(moment * duration)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    before = finished()
    whole_run()
    after = finished()
    reports.append(
        {
            "finished": len(before),
            "untouched": all(after.get(path) == state for path, state in before.items()),
            "kept": Path(log).read_text().count("found in the store"),
            "equal": Path(output).read_bytes() == undisturbed,
        }
    )
print(json.dumps(reports))
"""


def test_killed_at_any_moment_it_resumes_and_ends_the_same(folder: Path, tmp_path: Path) -> None:
    generator = random.Random(0)
    moments = [generator.uniform(0, 1) for _ in range(20)]
    store, output, log = tmp_path / "store", tmp_path / "out", tmp_path / "log"
    output.mkdir()
    arguments = options(
        folder, output, store, batches=5, estimator='{"name": "corrected", "label_draws": 16}'
    )
    request = [arguments, moments, str(store), str(output / "embeddings.parquet"), str(log)]
    result = subprocess.run(
        [sys.executable, "-c", FORKING_PARENT, json.dumps(request)],
        capture_output=True,
        text=True,
        cwd=Path(embed_batches.__file__).parents[1],
        check=False,
    )
    assert result.returncode == 0, result.stderr
    reports = json.loads(result.stdout)
    assert len(reports) == 20
    assert all(report["equal"] and report["untouched"] for report in reports)
    assert all(report["kept"] == report["finished"] for report in reports)
    assert len({report["finished"] for report in reports}) >= 3  # the kills met it at different stages


def test_a_set_with_too_few_rows_has_an_empty_table_and_the_log_says_why(folder, tmp_path, caplog):
    run(folder, tmp_path, tmp_path / "store", batches=6)
    table = read_frame(tmp_path / "embeddings.parquet")
    assert len(table) == 0 and list(table) == ["batch", "row_ids", "n_scored", "embedding"]
    assert "6 batches of 8 rows need 48 rows, and the set has 40" in caplog.text
    assert json.loads((tmp_path / "times" / "embeddings.json").read_text())["seconds"] == 0
    with pytest.raises(TooFewRows, match="its set has too few rows"):
        embedding_batches(tmp_path / "embeddings.parquet", 6, 8)
    with pytest.raises(TooFewRows, match="its set has too few rows"):
        pooled_batches({"short": tmp_path / "embeddings.parquet"}, {"short": []})("short", 8)
    with pytest.raises(UserError, match="the set has 40"):
        run(folder, tmp_path, tmp_path / "store", batches=6, variance=tmp_path / "variance")


def test_a_set_with_fewer_rows_gives_smaller_batches_when_asked(folder, tmp_path):
    many = {"rows-per-batch": 512, "sampling": "same", "estimator": '{"name": "published"}'}
    embed_batches.main([*options(folder, tmp_path, tmp_path / "store", **many), "--fewer-rows"])
    table = read_frame(tmp_path / "embeddings.parquet")
    assert [len(row_ids) for row_ids in table["row_ids"]] == [40] * 4
    embed_batches.main(
        [*options(folder, tmp_path, tmp_path / "store", **{"rows-per-batch": 512}), "--fewer-rows"]
    )
    table = read_frame(tmp_path / "embeddings.parquet")
    assert [len(row_ids) for row_ids in table["row_ids"]] == [10] * 4


def test_answers_are_scored_alone_and_kept_apart_from_whole_rows(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = read_rows(folder / "rows.parquet")
    answers = rows.attention_mask & (np.arange(12) >= 3)
    paired = Rows(rows.row_ids, rows.doc_ids, rows.input_ids, rows.n_tokens, answers)
    write_rows(paired, tmp_path / "pairs.parquet")
    given = options(folder, tmp_path, tmp_path / "store", rows=tmp_path / "pairs.parquet")
    embed_batches.main([*given, "--answers", "embeddings"])
    table = read_frame(tmp_path / "embeddings.answer.parquet")
    model = GPT2LMHeadModel.from_pretrained(folder / "probe")
    for number, index in enumerate(batch_indices(40, 4, 8, seed=0)):
        batch = paired.take(index)
        assert table["n_scored"][number] == answers[index].sum()
        expected = embed(
            model,
            torch.from_numpy(batch.input_ids),
            torch.from_numpy(batch.attention_mask),
            Estimator.corrected(),
            answers=torch.from_numpy(batch.loss_mask),
            row_ids=batch.row_ids,
        )
        np.testing.assert_allclose(table["embedding"][number], expected.numpy(), rtol=1e-6)
    caplog.set_level(logging.INFO)
    embed_batches.main([*given, "--answers", "embeddings"])
    assert caplog.text.count("found in the store") == 4 + 4  # whole rows, and their answers
    whole = read_frame(tmp_path / "embeddings.parquet")
    assert (whole["n_scored"] > table["n_scored"]).all()


def test_text_without_prompts_is_embedded_once_for_both_parts(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    given = options(folder, tmp_path, tmp_path / "store")
    caplog.set_level(logging.INFO)
    embed_batches.main([*given, "--answers", "embeddings"])
    assert caplog.text.count("tokens/s") == caplog.text.count("found in the store") == 4
    whole = tmp_path / "embeddings.parquet"
    assert (tmp_path / "embeddings.answer.parquet").read_bytes() == whole.read_bytes()


def test_a_batch_without_an_answer_is_reported(folder: Path, tmp_path: Path) -> None:
    rows = read_rows(folder / "rows.parquet")
    few = rows.loss_mask & (np.arange(40) < 3)[:, None]
    write_rows(Rows(rows.row_ids, rows.doc_ids, rows.input_ids, rows.n_tokens, few), tmp_path / "few.parquet")
    given = options(folder, tmp_path, tmp_path / "store", rows=tmp_path / "few.parquet", batches=8)
    given[given.index("--rows-per-batch") + 1] = "4"
    with pytest.raises(UserError, match=r"few\.parquet: batch \d of 4 rows has no answer to score"):
        embed_batches.main([*given, "--answers", "embeddings"])


def test_sets_of_one_job_have_the_tables_of_jobs_of_their_own(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Fitting the head changes the probe, and the next set must start with the probe as it was."""
    rows = read_rows(folder / "rows.parquet")
    write_rows(rows.take(np.arange(39, -1, -1)), tmp_path / "backwards.parquet")
    sets = {"one.train": folder / "rows.parquet", "two.train": tmp_path / "backwards.parquet"}
    fitted = {"estimator": '{"name": "published"}', "head-epochs": 2, "device": "cpu"}
    together = options(folder, tmp_path / "together", tmp_path / "store", **fitted)[2:]
    embed_batches.main(
        [*(word for name, path in sets.items() for word in ("--set", f"{name}={path}")), *together]
    )
    for name, path in sets.items():
        alone = options(folder, tmp_path / "alone", tmp_path / name, rows=path, **fitted)
        embed_batches.main([word.replace("embeddings=", f"{name}=") for word in alone])
        assert (tmp_path / "together" / f"{name}.parquet").read_bytes() == (
            tmp_path / "alone" / f"{name}.parquet"
        ).read_bytes()
    caplog.set_level(logging.INFO)
    embed_batches.main(["--set", f"three.eval={tmp_path / 'backwards.parquet'}", *together])
    assert caplog.text.count("found in the store") == 4


def test_answers_of_a_set_that_is_not_embedded_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--answers names two\.train, which no --set names"):
        embed_batches.main([*options(folder, tmp_path, tmp_path / "store"), "--answers", "two.train"])
