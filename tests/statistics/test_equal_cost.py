"""Which measure is best for so many seconds."""

import numpy as np
import pandas as pd
import pytest

from workflow_scripts.statistics.choice import BLIND
from workflow_scripts.statistics.equal_cost import TRAINING, frontier, league

SECONDS = {"cheap": 0.5, "middle": 8.0, "dear": 50.0, "short_run": 300.0, BLIND: 0.0}
REGRETS = {
    "cheap": (0.3, 0.5),
    "middle": (0.1, 0.2),
    "dear": (0.4, 0.0),
    "short_run": (0.0, 0.1),
    BLIND: (1.0, 1.0),
}
R = pd.Series({"cheap": -0.5, "middle": -0.9, "dear": -0.95})


def choice(training: float = 1200.0) -> pd.DataFrame:
    rows = []
    for metric, regrets in REGRETS.items():
        common = {"metric": metric, "cost_seconds": SECONDS[metric], "training_seconds": training}
        common |= {"regret_low": 0.0, "regret_high": 2.0}
        rows += [{**common, "eval_set": f"e{j}", "regret": regret} for j, regret in enumerate(regrets)]
        rows.append({**common, "eval_set": None, "regret": np.mean(regrets)})
    return pd.DataFrame(rows)


def test_each_budget_has_its_best_and_its_closest() -> None:
    found = league(choice(), R).set_index("seconds")
    assert list(found["best"]) == ["cheap", "middle", "middle", "short_run", TRAINING]
    assert list(found["closest"])[:4] == ["cheap", "middle", "dear", "dear"]
    assert found.loc[10.0, "regret"] == pytest.approx(0.15)
    assert found.loc[60.0, "affordable"] == 3
    assert found.loc[60.0, "r"] == -0.9
    assert np.isnan(found.loc[600.0, "r"])
    assert found.loc[1200.0, "regret"] == 0


def test_a_budget_above_training_all_is_training_all() -> None:
    found = league(choice(training=30.0), R)
    assert list(found["seconds"]) == [1.0, 10.0, 30.0]
    assert found["best"].iloc[-1] == TRAINING


def test_without_anything_affordable_a_blind_draw_is_best() -> None:
    table = choice()
    found = league(table[table["metric"] != "cheap"], R).set_index("seconds")
    assert found.loc[1.0, "best"] == BLIND
    assert found.loc[1.0, "affordable"] == 0


def test_elsewhere_the_winner_is_picked_on_the_other_evaluation_sets() -> None:
    found = league(choice(), R).set_index("seconds")
    # Of cheap, middle and dear: on e1 dear is best (.0) and loses .4 on e0; on e0 middle is (.1) and loses .2 on e1.
    assert found.loc[60.0, "regret_elsewhere"] == pytest.approx(0.3)
    one = choice()
    one = one[one["eval_set"].isna() | (one["eval_set"] == "e0")]
    assert league(one, R)["regret_elsewhere"].isna().all()


def test_unknown_seconds_leave_a_measure_out() -> None:
    table = choice()
    table.loc[table["metric"] == "middle", "cost_seconds"] = np.nan
    assert "middle" not in set(league(table, R)["best"])


def test_the_frontier_holds_what_is_dearer_only_where_it_is_better() -> None:
    means = pd.DataFrame({"cost_seconds": [1.0, 2.0, 3.0, 4.0], "regret": [0.5, 0.6, 0.2, 0.2]})
    assert list(frontier(means)) == [True, False, True, False]
