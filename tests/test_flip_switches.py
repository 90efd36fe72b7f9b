"""The program that flips switches: each variant differs from its end in one thing, and the engine does the rest."""

import dataclasses
import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from workflow_scripts import flip_switches
from workflow_scripts.errors import UserError
from workflow_scripts.fisher import switches
from workflow_scripts.fisher.distance import distance
from workflow_scripts.fisher.embedding import embed
from workflow_scripts.fisher.estimator import Estimator
from workflow_scripts.storage.tables import read_frame
from workflow_scripts.tokens.batches import batch_indices
from workflow_scripts.tokens.rows import Rows, read_rows, write_rows
from workflow_scripts.tokens.tokenizer import train_tokenizer

SETS = ("a.train", "b.train", "a.eval")
LENGTH, VOCABULARY = 12, 40


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny tied probe, and 40 rows of every set in both layouts."""
    folder = tmp_path_factory.mktemp("flip_switches")
    torch.manual_seed(0)
    config = GPT2Config(
        n_layer=1,
        n_embd=16,
        n_head=2,
        vocab_size=VOCABULARY,
        n_positions=LENGTH,
        bos_token_id=0,
        eos_token_id=0,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
    )
    GPT2LMHeadModel(config).save_pretrained(folder / "probe")
    train_tokenizer(["ends with token 0"], 257).save_pretrained(folder / "tokenizer")
    for place, name in enumerate(SETS):
        for layout in ("packed", "documents"):
            write_rows(made_up_rows(name, layout, place), folder / f"{name}.{layout}.parquet")
    return folder


def made_up_rows(name: str, layout: str, seed: int, count: int = 40) -> Rows:
    generator = np.random.default_rng(seed)
    ids = generator.integers(1, VOCABULARY, (count, LENGTH)).astype(np.int32)
    ids[:, 2] = 0  # the end of a text
    n_tokens = generator.integers(4, LENGTH, count) if layout == "documents" else np.full(count, LENGTH)
    mask = np.arange(LENGTH) < n_tokens[:, None]
    row_ids = [f"{name}/{row}" for row in range(count)]
    return Rows(row_ids, [[row] for row in row_ids], ids * mask, n_tokens.astype(np.int32), mask)


def options(folder: Path, output: Path, **changes: object) -> list[str]:
    sets = [
        part
        for layout in ("packed", "documents")
        for name in SETS
        for part in (f"--{layout}", f"{name}={folder}/{name}.{layout}.parquet")
    ]
    values = {
        "model": folder / "probe",
        "tokenizer": folder / "tokenizer",
        "batches": 4,
        "rows-per-batch": 10,
        "head-epochs": 1,
        "seed": 0,
        "store": output / "store",
        "output": output / "alignments.parquet",
        "times": output / "times.json",
        "device": "cpu",
        **changes,
    }
    return sets + [part for name, value in values.items() for part in (f"--{name}", str(value))]


@pytest.fixture(scope="module")
def output(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("output")
    flip_switches.main(options(folder, output))
    return output


@pytest.fixture(scope="module")
def table(output: Path) -> pd.DataFrame:
    return read_frame(output / "alignments.parquet")


def alignments(table: pd.DataFrame, end: str, switch: str | None) -> np.ndarray:
    """(training sets, evaluation sets, source batches, target batches) of one variant."""
    chosen = table[
        (table["end"] == end) & (table["switch"].isna() if switch is None else table["switch"] == switch)
    ]
    return chosen["alignment"].to_numpy().reshape(2, 1, 4, 4)


def test_a_variant_differs_from_its_end_in_one_thing() -> None:
    found = switches.variants()
    ends = {variant.end: variant for variant in found if variant.switch is None}
    other = {"published": ends["corrected"], "corrected": ends["published"]}
    for variant in found:
        flat, end, far = (
            {
                **dataclasses.asdict(one.embedded),
                **dataclasses.asdict(one.embedded.estimator),
                "epsilon": one.epsilon,
            }
            for one in (variant, ends[variant.end], other[variant.end])
        )
        changed = [key for key in flat if key != "estimator" and flat[key] != end[key]]
        assert changed == ([variant.switch] if variant.switch else [])
        if variant.switch not in (None, "same_batches"):
            assert flat[variant.switch] == far[variant.switch]
    for end in ends:
        assert len([variant for variant in found if variant.end == end]) == 11


def test_every_way_in_which_the_ends_differ_is_a_switch() -> None:
    fields = [field.name for field in dataclasses.fields(Estimator)]
    published, corrected = Estimator.published(), Estimator.corrected()
    differ = [name for name in fields if getattr(published, name) != getattr(corrected, name)]
    assert set(differ) == set(switches.OF_THE_ESTIMATOR)


def test_a_switch_says_on_which_side_it_is(table: pd.DataFrame) -> None:
    sides = table.groupby(["end", "switch"], dropna=False)["is_corrected"].first()
    assert sides["published", "square"]
    assert not sides["corrected", "square"]
    assert not sides["published", "same_batches"]  # disjoint batches are at both ends
    assert not sides["corrected", "same_batches"]


@pytest.mark.parametrize(
    ("end", "layout", "epsilon"), [("published", "documents", 1e-8), ("corrected", "packed", None)]
)
def test_the_ends_are_the_estimators_themselves(
    folder: Path, table: pd.DataFrame, end: str, layout: str, epsilon: float | None
) -> None:
    rate = 0.1
    model = GPT2LMHeadModel.from_pretrained(
        folder / "probe", resid_pdrop=rate, embd_pdrop=rate, attn_pdrop=rate
    )

    def embedding(name: str, number: int) -> torch.Tensor:
        rows = read_rows(folder / f"{name}.{layout}.parquet")
        batch = rows.take(batch_indices(len(rows), 4, 10, seed=0)[number])
        return embed(
            model,
            torch.from_numpy(batch.input_ids),
            torch.from_numpy(batch.attention_mask),
            getattr(Estimator, end)(),
            head_epochs=1,
            row_ids=batch.row_ids,
            end_of_text=0,
        )

    expected = 1 - distance(embedding("b.train", 1), embedding("a.eval", 2), epsilon)
    assert alignments(table, end, None)[1, 0, 1, 2] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    "switch", ["label_shift", "square", "tied_head", "dropout", "hide_ends", "label_draws", "layout"]
)
@pytest.mark.parametrize("end", ["published", "corrected"])
def test_a_switch_that_is_flipped_moves_something(table: pd.DataFrame, end: str, switch: str) -> None:
    assert np.abs(alignments(table, end, switch) - alignments(table, end, None)).max() > 1e-3


def test_padding_matters_where_there_is_some(table: pd.DataFrame) -> None:
    moved = {
        end: np.abs(alignments(table, end, "score_padding") - alignments(table, end, None)).max()
        for end in ("published", "corrected")
    }
    assert moved["published"] > 10 * moved["corrected"]
    notes = table[table["switch"] == "score_padding"].groupby("end")["note"].first()
    assert notes["published"] == ""
    assert "no padding" in notes["corrected"]


def test_the_first_of_the_same_batches_is_the_first_of_the_disjoint_ones(table: pd.DataFrame) -> None:
    same, disjoint = (alignments(table, "corrected", switch) for switch in ("same_batches", None))
    np.testing.assert_array_equal(same[:, :, 0, 0], disjoint[:, :, 0, 0])
    assert (same[:, :, 1:, 1:] != disjoint[:, :, 1:, 1:]).all()
    assert len(np.unique(same)) == same.size  # label draws differ from batch to batch


def test_equal_runs_give_equal_bytes_and_finished_batches_are_kept(
    folder: Path, output: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    flip_switches.main(options(folder, tmp_path))
    content = (output / "alignments.parquet").read_bytes()
    assert (tmp_path / "alignments.parquet").read_bytes() == content
    with caplog.at_level(logging.INFO):
        flip_switches.main(options(folder, tmp_path))
    assert (tmp_path / "alignments.parquet").read_bytes() == content
    lines = [record.message for record in caplog.records if record.message.startswith("batch ")]
    assert len(lines) == 20 * 3 * 4  # epsilon needs no embeddings of its own
    assert all("found in the store" in line for line in lines)


def test_times_are_kept_apart(output: Path, table: pd.DataFrame) -> None:
    times = json.loads((output / "times.json").read_text())
    assert times["seconds"] == pytest.approx(sum(times["variants"].values()))
    assert "published.tied_head" in times["variants"]
    assert "seconds" not in table.columns


def test_a_probe_without_dropout_and_with_a_head_of_its_own_is_said_to_be_so() -> None:
    config = LlamaConfig(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        vocab_size=VOCABULARY,
        tie_word_embeddings=False,
    )
    found = switches.notes(LlamaForCausalLM(config), rows_per_batch=8)
    assert "not tied" in found["tied_head", "packed"]
    assert "no dropout" in found["dropout", "documents"]
    assert "one minibatch" in found["square", "packed"]
    assert switches.notes(GPT2LMHeadModel(GPT2Config(n_layer=1, n_embd=16, n_head=2)), 16).keys() == {
        ("score_padding", "packed")
    }


def test_dropout_has_the_rate_of_the_release_and_the_weights_of_the_probe(folder: Path) -> None:
    probe = GPT2LMHeadModel.from_pretrained(folder / "probe")
    changed = switches.with_released_dropout(probe)
    assert {module.p for module in changed.modules() if isinstance(module, torch.nn.Dropout)} == {0.1}
    assert probe.config.resid_pdrop == 0
    for name, value in probe.state_dict().items():
        torch.testing.assert_close(changed.state_dict()[name], value)


def test_too_few_documents_are_one_line(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"4 batches of 11 rows need 44 rows, and the set has 40"):
        flip_switches.main(options(folder, tmp_path, **{"rows-per-batch": 11}))


def test_both_layouts_must_name_the_same_sets(folder: Path, tmp_path: Path) -> None:
    extra = ["--packed", f"c.eval={folder}/a.eval.packed.parquet"]
    with pytest.raises(UserError, match="same sets"):
        flip_switches.main([*options(folder, tmp_path), *extra])


def test_an_evaluation_side_is_needed(folder: Path, tmp_path: Path) -> None:
    arguments = options(folder, tmp_path)
    left = [
        part
        for option, value in zip(arguments[::2], arguments[1::2], strict=True)
        for part in (option, value)
        if not value.startswith("a.eval=")
    ]
    with pytest.raises(UserError, match=r"no set that ends in \.eval"):
        flip_switches.main(left)
