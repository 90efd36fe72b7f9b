"""Prediction of losses that were left out, on grids whose answer is known."""

import numpy as np
import pytest

from tests.statistics.test_choice import panel
from workflow_scripts.statistics.experiments import Experiment, Panel
from workflow_scripts.statistics.predictions import (
    CENTRINGS,
    EVAL_SET,
    FAMILY,
    TRAIN_SET,
    UNITS,
    cells_of,
    left_out_errors,
    prediction_table,
    predictions,
)

RNG = np.random.default_rng(0)


def cells(loss: np.ndarray, *alignments: np.ndarray, families: np.ndarray | None = None, allowed=None):
    own = np.arange(len(loss)) if families is None else families
    return cells_of(loss, alignments, np.ones(loss.shape, bool) if allowed is None else allowed, own)


def by_hand(loss: np.ndarray, alignment: np.ndarray, away: np.ndarray, centring: str) -> np.ndarray:
    """Dummies and least squares on the cells that stay; errors of the others, unknown effects given."""
    n_train, n_eval = loss.shape
    rows, columns = np.repeat(np.eye(n_train), n_eval, axis=0), np.tile(np.eye(n_eval), (n_train, 1))
    effects = [columns] if centring == "within_eval" else [columns, rows]
    design = np.column_stack([alignment.ravel(), *effects])
    kept = ~away.ravel()
    fit = np.linalg.lstsq(design[kept], loss.ravel()[kept], rcond=1e-10)[0]
    rest = (loss.ravel() - design @ fit).reshape(loss.shape)
    if away.all(axis=0).any():
        rest = rest - rest.mean(axis=0)
    elif centring == "double_centred":
        rest = rest - rest.mean(axis=1, keepdims=True)
    return rest


@pytest.mark.parametrize("centring", CENTRINGS)
@pytest.mark.parametrize("unit", UNITS)
def test_errors_are_those_of_least_squares_with_an_intercept_for_every_set(unit: str, centring: str) -> None:
    families = np.array([0, 0, 1, 2, 3, 3])
    alignment, loss = RNG.normal(size=(2, 6, 4))
    found = left_out_errors(cells(loss, alignment, families=families), unit, centring, [(0,)])[0]
    labels = {TRAIN_SET: np.arange(6), FAMILY: families, EVAL_SET: np.arange(4)}[unit]
    for label in np.unique(labels):
        away = np.zeros(loss.shape, bool)
        away[(slice(None), labels == label) if unit == EVAL_SET else labels == label] = True
        expected = by_hand(loss, alignment, away, centring)
        assert found.of_model[away] == pytest.approx(expected[away])
        baseline = by_hand(loss, np.zeros_like(alignment), away, centring)
        assert found.of_baseline[away] == pytest.approx(baseline[away])


def test_the_baseline_of_a_training_set_is_the_mean_of_the_others() -> None:
    loss = np.array([[1.0, 5.0], [2.0, 6.0], [6.0, 7.0]])
    found = left_out_errors(cells(loss, np.zeros_like(loss)), TRAIN_SET, "within_eval", [(0,)])[0]
    assert found.of_baseline[0] == pytest.approx([1 - 4, 5 - 6.5])
    # A measure that does not vary predicts as the baseline does.
    assert found.of_model == pytest.approx(found.of_baseline)
    assert found.r2 == pytest.approx(0)


@pytest.mark.parametrize("unit", UNITS)
def test_a_loss_that_follows_the_measure_is_predicted_without_error(unit: str) -> None:
    alignment = RNG.normal(size=(7, 5))
    loss = 3 - 2 * alignment + RNG.normal(size=(1, 5))
    families = np.array([0, 0, 1, 2, 3, 4, 5])
    found = left_out_errors(cells(loss, alignment, families=families), unit, "within_eval", [(0,)])[0]
    assert found.r2 == pytest.approx(1)
    assert found.mean_error == pytest.approx(0, abs=1e-9)


def test_missing_cells_are_not_predicted_and_a_set_with_one_cell_tells_nothing() -> None:
    alignment, loss = RNG.normal(size=(2, 4, 3))
    loss[0, 0] = np.nan
    allowed = np.ones(loss.shape, bool)
    allowed[1:, 2] = False
    made = cells(loss, alignment, allowed=allowed)
    found = left_out_errors(made, TRAIN_SET, "within_eval", [(0,)])[0]
    assert np.isnan(found.of_model[0, 0])
    assert np.isnan(found.of_model[0, 2])  # of the others none is left to tell this evaluation set's level
    assert np.isfinite(found.of_model[1:, :2]).all()
    elsewhere = left_out_errors(made, EVAL_SET, "within_eval", [(0,)])[0]
    assert np.isnan(elsewhere.of_model[0, 2])


def planted(n: int = 8, noise: float = 0.05) -> Panel:
    """Loss falls with `good`; `echo` repeats it with an error of its own that a fit takes off again."""
    rng = np.random.default_rng(3)
    good, error = rng.normal(size=(2, n, 6))
    loss = 4 - 0.5 * good + rng.normal(size=(1, 6)) + noise * rng.normal(size=(n, 6))
    made = panel(loss[None], good + error)
    return Panel(
        experiment=Experiment("x", "pretraining", made.train_sets, made.eval_sets),
        part="whole",
        tokens=10,
        train_sets=made.train_sets,
        eval_sets=made.eval_sets,
        losses=made.losses,
        alignments={"noisy": good + error, "of_error": error, "good": good},
        in_domain=made.in_domain,
        note="",
    )


def test_rows_have_the_slopes_with_their_signs() -> None:
    table = prediction_table(list(predictions(planted(), {}, ["noisy"])))
    rows = table[(table["scope"] == "within_eval") & (table["left_out"] == TRAIN_SET)]
    alone = rows[rows["beside"] == ""].set_index("metric")
    pairs = rows[rows["beside"] == "noisy"].set_index("metric")
    assert alone.loc["good", "slope"] == pytest.approx(-0.5, abs=0.05)
    assert alone["error"].idxmin() == "good"
    assert (
        alone.loc["good", "effect_low"] < alone.loc["good", "effect"] < alone.loc["good", "effect_high"] < 0
    )
    # good = noisy - of_error: beside the noisy measure the error has the turned sign, and both predict as good does.
    assert pairs.loc["of_error", "slope"] == pytest.approx(0.5, abs=0.05)
    assert pairs.loc["of_error", "effect_low"] > 0
    assert pairs.loc["of_error", "slope_beside"] == pytest.approx(-0.5, abs=0.05)
    assert pairs.loc["of_error", "r2"] == pytest.approx(alone.loc["good", "r2"], abs=0.02)
    assert alone.loc["of_error", "r2"] < 0.2
    assert (alone["r2_low"] <= alone["r2"]).all()
    assert (alone["r2"] <= alone["r2_high"]).all()
    assert (alone["error_low"] < alone["error"]).all()
    assert "noisy" not in pairs.index


def test_with_fewer_than_six_families_there_is_no_interval_and_the_note_says_why() -> None:
    table = prediction_table(list(predictions(planted(5), {}, [])))
    assert table["r2_low"].isna().all()
    assert table["effect_low"].isna().all()
    assert table["r2"].notna().all()
    assert table["note"].str.contains("need 6 independent families").all()


def test_short_runs_predict_alone() -> None:
    made = planted()
    table = prediction_table(list(predictions(made, {"short_run": -made.loss}, ["noisy"])))
    assert set(table.loc[table["metric"] == "short_run", "beside"]) == {""}
    own = table[(table["metric"] == "short_run") & (table["left_out"] == TRAIN_SET)]
    assert own["r2"].to_numpy() == pytest.approx(1)
    assert own["r2_low"].isna().all()
    assert own["note"].str.contains("no interval: perfect").all()


def test_a_family_is_left_out_as_one() -> None:
    """Two copies of a training set predict each other, unless they are left out together."""
    rng = np.random.default_rng(5)
    loss = np.repeat(rng.normal(size=(4, 3)) * 3, 2, axis=0)
    families = np.repeat(np.arange(4), 2)
    made = cells(loss, rng.normal(size=(8, 3)), families=families)
    alone = left_out_errors(made, TRAIN_SET, "within_eval", [(0,)])[0]
    together = left_out_errors(made, FAMILY, "within_eval", [(0,)])[0]
    assert np.abs(together.of_baseline).mean() == pytest.approx(np.abs(alone.of_baseline).mean() * 7 / 6)


def test_the_interval_holds_the_mean_error_over_studies() -> None:
    rng = np.random.default_rng(7)
    found = []
    for _ in range(60):
        alignment = rng.normal(size=(7, 8))
        loss = (
            -alignment
            + 0.6 * rng.normal(size=(7, 1))
            + 0.6 * rng.normal(size=(7, 8))
            + rng.normal(size=(1, 8))
        )
        rows = list(predictions(panel(loss[None], alignment), {}, []))
        found.append(
            next(row for row in rows if (row["scope"], row["left_out"]) == ("within_eval", TRAIN_SET))
        )
    errors = np.mean([row["error"] for row in found])
    assert np.mean([row["error_low"] <= errors <= row["error_high"] for row in found]) > 0.85
