"""What a switch moves, on tables whose answer is known."""

import numpy as np
import pandas as pd
import pytest

from workflow_scripts import weigh_switches
from workflow_scripts.errors import UserError
from workflow_scripts.metrics.intervals import between_sets
from workflow_scripts.statistics.switches import loss_grid, switch_table
from workflow_scripts.storage.tables import read_frame, write_table

TRAIN, EVAL, BATCHES = ("a", "b", "c"), ("x", "y"), 4
# A higher alignment goes with a lower loss: x likes a, y likes c.
ALIGNMENT = np.array([[0.8, 0.5], [0.7, 0.6], [0.6, 0.75]])


def frame_of(end: str, switch: str | None, is_corrected: bool, tables: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "end": end,
                "switch": switch,
                "is_corrected": is_corrected,
                "train_set": train_set,
                "eval_set": eval_set,
                "source_batch": i,
                "target_batch": j,
                "alignment": tables[s, e, i, j],
                "note": "",
            }
            for s, train_set in enumerate(TRAIN)
            for e, eval_set in enumerate(EVAL)
            for i in range(BATCHES)
            for j in range(BATCHES)
        ]
    )


def losses_of(alignment: np.ndarray, seeds: int = 1) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "experiment": "pretraining",
                "train_set": train_set,
                "eval_set": eval_set,
                "part": "whole",
                "tokens": tokens,
                "seed": seed,
                "loss": 6
                - 2 * alignment[s, e]
                + (1 if tokens == 100 else 0)
                + 0.1 * (seed - (seeds - 1) / 2),
            }
            for s, train_set in enumerate(TRAIN)
            for e, eval_set in enumerate(EVAL)
            for tokens in (100, 200)
            for seed in range(seeds)
        ]
    )


@pytest.fixture
def noise() -> np.ndarray:
    """Of batches of every set: (S, E, N, M) made of what a source batch and a target batch add."""
    generator = np.random.default_rng(0)
    source = 0.01 * generator.normal(size=(len(TRAIN), 1, BATCHES, 1))
    target = 0.01 * generator.normal(size=(1, len(EVAL), 1, BATCHES))
    return source + target


def table_of(noise: np.ndarray, **variants: np.ndarray) -> pd.DataFrame:
    """Published ends at .1 below the corrected one; `variants` by end__switch."""
    corrected = ALIGNMENT[:, :, None, None] + noise
    parts = [frame_of("published", None, False, corrected - 0.1)]
    parts.append(frame_of("corrected", None, True, corrected))
    for name, tables in variants.items():
        end, switch = name.split("__")
        parts.append(frame_of(end, switch, end == "published" and switch != "same_batches", tables))
    found = switch_table(pd.concat(parts, ignore_index=True), losses_of(ALIGNMENT), "pretraining")
    return found.set_index("variant")


def test_a_change_is_that_of_the_correction_from_either_end(noise: np.ndarray) -> None:
    corrected = ALIGNMENT[:, :, None, None] + noise
    found = table_of(noise, published__square=corrected - 0.06, corrected__square=corrected - 0.04)
    for variant in ("published, square corrected", "corrected, square as released"):
        assert found.loc[variant, "change_of_alignment"] == pytest.approx(0.04)
    assert found.loc["all", "change_of_alignment"] == pytest.approx(0.1)
    assert found.loc["all", "alignment_mean"] == pytest.approx(found.loc["corrected", "alignment_mean"])
    assert found.loc[["published", "corrected"], "change_of_alignment"].isna().all()


def test_changes_are_paired_over_batches(noise: np.ndarray) -> None:
    """What both sides of a change share is not in its interval."""
    corrected = ALIGNMENT[:, :, None, None] + noise
    paired = table_of(noise, corrected__square=corrected - 0.04).loc["corrected, square as released"]
    assert paired["change_of_alignment_high"] - paired["change_of_alignment_low"] == pytest.approx(
        0, abs=1e-9
    )
    other = corrected - 0.04 + 0.01 * np.random.default_rng(1).normal(size=corrected.shape)
    loose = table_of(noise, corrected__square=other).loc["corrected, square as released"]
    expected = between_sets((corrected - other).mean(axis=(0, 1)))
    assert loose["change_of_alignment_low"] == pytest.approx(expected.low)
    assert loose["change_of_alignment_high"] == pytest.approx(expected.high)
    mean = between_sets(other.mean(axis=(0, 1)))
    assert loose["alignment_low"] == pytest.approx(mean.low)


def test_intervals_of_the_mean_hold_it(noise: np.ndarray) -> None:
    """Batches alone vary here: the interval over them holds the true mean about as often as it says."""
    generator = np.random.default_rng(2)
    held = []
    for _ in range(300):
        source = 0.01 * generator.normal(size=(len(TRAIN), 1, BATCHES, 1))
        target = 0.01 * generator.normal(size=(1, len(EVAL), 1, BATCHES))
        interval = between_sets((source + target).mean(axis=(0, 1)))
        held.append(interval.low <= 0 <= interval.high)
    assert 0.9 <= np.mean(held) <= 0.99


def test_ranking_and_top_choice(noise: np.ndarray) -> None:
    corrected = ALIGNMENT[:, :, None, None] + noise * 0.1
    swapped = corrected.copy()
    swapped[[0, 1], 0] = corrected[[1, 0], 0]  # x now likes b best; y ranks as before
    turned = -corrected
    found = table_of(noise * 0.1, corrected__square=swapped, corrected__dropout=turned)
    square, dropout = (found.loc[f"corrected, {name} as released"] for name in ("square", "dropout"))
    assert square["kendall_tau"] == pytest.approx((1 / 3 + 1) / 2)
    assert square["top_choice_changed"] == 1
    assert dropout["kendall_tau"] == pytest.approx(-1)
    assert dropout["top_choice_changed"] == 2
    assert found.loc["all", "kendall_tau"] == pytest.approx(1)


def test_correlation_with_loss_and_its_change(noise: np.ndarray) -> None:
    corrected = ALIGNMENT[:, :, None, None] + noise
    turned = 1 - corrected
    found = table_of(noise, corrected__square=turned)
    means, loss = corrected.mean(axis=(2, 3)), 6 - 2 * ALIGNMENT
    assert found.loc["corrected", "r_pooled"] == pytest.approx(np.corrcoef(means.ravel(), loss.ravel())[0, 1])
    within = np.corrcoef((means - means.mean(0)).ravel(), (loss - loss.mean(0)).ravel())[0, 1]
    assert found.loc["corrected", "r_within_eval"] == pytest.approx(within)
    row = found.loc["corrected, square as released"]
    assert row["r_within_eval"] == pytest.approx(-within)
    assert row["change_of_r_within_eval"] == pytest.approx(2 * within)
    assert row["change_of_r_within_eval_low"] < 2 * within < row["change_of_r_within_eval_high"]


def test_batches_with_the_same_rows_give_no_interval(noise: np.ndarray) -> None:
    corrected = ALIGNMENT[:, :, None, None] + noise
    found = table_of(noise, corrected__same_batches=corrected - 0.01)
    row = found.loc["corrected, same_batches as released"]
    assert row["change_of_alignment"] == pytest.approx(0.01)
    assert (
        row[[name for name in found if name.startswith("change_of") and name[-4:] in ("_low", "high")]]
        .isna()
        .all()
    )
    assert "same rows" in row["note"]


def test_three_training_sets_are_said_not_to_be_tested(noise: np.ndarray) -> None:
    found = table_of(noise)
    assert found["note"].str.contains("3 training sets: r and the ranking are described, not tested").all()
    assert set(found["n_pairs"]) == {6}


def test_loss_is_the_mean_over_seeds_at_the_largest_budget() -> None:
    losses = losses_of(ALIGNMENT, seeds=3)
    other = losses.assign(experiment="other", loss=0.0)
    found = loss_grid(pd.concat([losses, other]), "pretraining", list(TRAIN), list(EVAL))
    np.testing.assert_allclose(found, 6 - 2 * ALIGNMENT)
    with pytest.raises(UserError, match="experiment nothing has no losses"):
        loss_grid(losses, "nothing", list(TRAIN), list(EVAL))


def test_a_pair_without_loss_has_no_part_in_r(noise: np.ndarray) -> None:
    losses = losses_of(ALIGNMENT)
    losses = losses[~((losses["train_set"] == "a") & (losses["eval_set"] == "y"))]
    tables = ALIGNMENT[:, :, None, None] + noise
    frames = [frame_of("published", None, False, tables), frame_of("corrected", None, True, tables)]
    found = switch_table(pd.concat(frames), losses, "pretraining")
    assert set(found["n_pairs"]) == {5}
    assert (found["r_pooled"] < -0.9).all()


def test_two_points_on_a_line_are_no_correlation(noise: np.ndarray) -> None:
    losses = losses_of(ALIGNMENT)
    tables = ALIGNMENT[:, :, None, None] + noise
    frames = [frame_of("published", None, False, tables), frame_of("corrected", None, True, tables)]
    found = switch_table(pd.concat(frames), losses[losses["train_set"] == "a"], "pretraining")
    assert set(found["n_pairs"]) == {2}
    assert found[["r_pooled", "r_within_eval"]].isna().all(axis=None)


def test_the_program_writes_the_same_bytes_again(noise: np.ndarray, tmp_path) -> None:
    tables = ALIGNMENT[:, :, None, None] + noise
    frames = [
        frame_of("published", None, False, tables - 0.1),
        frame_of("published", "square", True, tables - 0.05),
        frame_of("corrected", None, True, tables),
    ]
    write_table(pd.concat(frames, ignore_index=True), tmp_path / "alignments.parquet")
    write_table(losses_of(ALIGNMENT), tmp_path / "losses.parquet")
    contents = []
    for name in ("one", "other"):
        weigh_switches.main(
            [
                *("--alignments", str(tmp_path / "alignments.parquet")),
                *("--losses", str(tmp_path / "losses.parquet")),
                *("--experiment", "pretraining", "--output", str(tmp_path / name)),
            ]
        )
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]
    assert list(read_frame(tmp_path / "one")["variant"]) == [
        "published",
        "published, square corrected",
        "corrected",
        "all",
    ]
