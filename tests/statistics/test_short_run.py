"""Short runs as a baseline of choices."""

from dataclasses import replace

import numpy as np
import pytest

from tests.statistics.test_choice import panel
from workflow_scripts.statistics.choice import Costs, choice_table, choices
from workflow_scripts.statistics.experiments import Panel
from workflow_scripts.statistics.short_run import ONE_SEED, SHORT_RUN, lower_budget, short_runs

# Training sets x evaluation sets; the first seed's short run is wrong on e0, the mean of both is right.
SHORT = np.array([[[5.0, 4.0], [4.8, 4.5], [6.0, 6.0]], [[4.0, 4.0], [4.8, 4.5], [6.0, 6.0]]])
LONG = np.array([[[3.0, 2.0], [3.5, 2.5], [4.0, 4.0]]] * 2) + np.array([0.0, 0.1])[:, None, None]


def at(tokens: int, losses: np.ndarray, part: str = "whole") -> Panel:
    return replace(panel(losses, -losses.mean(axis=0)), tokens=tokens, part=part)


def test_the_budget_is_the_one_nearest_to_a_quarter() -> None:
    panels = [at(tokens, LONG) for tokens in (0, 100, 200, 500, 1000)]
    found = lower_budget(panels[-1], panels)
    assert found is not None and found.tokens == 200
    found = lower_budget(panels[2], panels)
    assert found is not None and found.tokens == 100
    assert lower_budget(panels[1], panels) is None
    assert lower_budget(panels[-1], [at(200, LONG, part="answer"), panels[-1]]) is None


def test_without_a_lower_budget_there_is_none() -> None:
    assert short_runs(at(1000, LONG), [at(1000, LONG)]) == []


def test_the_mean_over_seeds_and_the_first_seed_choose_and_cost_their_runs() -> None:
    high, low = at(1000, LONG), at(250, SHORT)
    costs = Costs({}, lambda one, train_set: one.tokens / 10)
    table = choice_table(choices(high, costs, short_runs(high, [low, high])))
    rows = table[table["candidates"] == "all"].set_index(["metric", table["eval_set"].fillna("mean")])
    both, first = rows.loc[SHORT_RUN], rows.loc[ONE_SEED]
    assert both.loc["e0", "chosen"] == "a"
    assert first.loc["e0", "chosen"] == "b"
    assert first.loc["e0", "regret"] == pytest.approx(0.5)
    assert both.loc["mean", "regret"] == 0
    # Three candidates, 25 s a run: two seeds, or one.
    assert both.loc["mean", "cost_seconds"] == 150
    assert first.loc["mean", "cost_seconds"] == 75
    assert both.loc["mean", "training_seconds"] == 300
    assert set(both["run_tokens"]) == {250.0}
    assert "the mean of 2 runs of 250 tokens" in both.loc["mean", "note"]
    assert "one run of 250 tokens" in first.loc["e0", "note"]
    assert rows.loc["m", "run_tokens"].isna().all()


def test_pairs_are_found_by_name_and_a_missing_one_is_no_candidate() -> None:
    high, low = at(1000, LONG), at(250, SHORT)
    turned = replace(
        low, train_sets=("c", "a"), losses=low.losses[:, [2, 0]], in_domain=np.zeros((2, 2), bool)
    )
    run = short_runs(high, [turned, high])[0]
    assert run.alignment[0] == pytest.approx(-SHORT.mean(axis=0)[0])
    assert np.isnan(run.alignment[1]).all()
    table = choice_table(choices(high, Costs({}, lambda *_: np.nan), [run]))
    own = table[(table["metric"] == SHORT_RUN) & table["eval_set"].eq("e0")]
    assert own["n_train"].item() == 2


def test_a_seed_is_left_out_on_both_sides() -> None:
    high, low = at(1000, LONG), at(250, SHORT)
    run = short_runs(high, [low, high])[0]
    assert run.without_seed[0] == pytest.approx(-SHORT[1])
    one_more = replace(low, losses=np.concatenate([SHORT, SHORT[:1]]))
    assert short_runs(high, [one_more, high])[0].without_seed == ()
