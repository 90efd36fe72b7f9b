import numpy as np
import pytest

from workflow_scripts.choosing.ranking import alike, beats, rank, sentence, what_would_settle
from workflow_scripts.choosing.worth import (
    Constants,
    all_constants,
    constants_of,
    drawn_log_worth,
    log_worth,
    standard_error,
)
from workflow_scripts.errors import UserError
from workflow_scripts.metrics.registry import metric_names

KNOWN = Constants(tau=0.1, log_tau_sd=0.0, scatter=0.0)


def test_the_best_match_is_worth_one_and_the_others_by_the_root_of_their_gap():
    assert log_worth(np.array([-8.0, -7.6, -7.7]), 0.1) == pytest.approx([-2.0, 0.0, -1.0])


def test_draws_scatter_as_their_parts_do():
    draws = drawn_log_worth([0.0, -0.4], [0.0, 0.0], Constants(0.1, 0.0, 0.5), 40_000, 0)
    assert draws.mean(axis=0) == pytest.approx([0.0, -2.0], abs=0.02)
    assert draws.std(axis=0) == pytest.approx([0.5, 0.5], rel=0.03)
    of_tau = drawn_log_worth([0.0, -0.4], [0.0, 0.0], Constants(0.1, 0.6, 0.0), 40_000, 0)
    assert np.log(-of_tau[:, 1]).std() == pytest.approx(0.3, rel=0.03)  # half of that of log tau
    assert (of_tau[:, 0] == 0).all()


def test_size_and_worth_are_multiplied():
    ranking = rank({"near": (0.0, 0.0), "far": (-0.1, 0.0)}, {"near": 1e6, "far": 2e6}, KNOWN, 1000, 0)
    far = ranking.table.set_index("candidate").loc["far"]
    assert far["effective_tokens"] == pytest.approx(2e6 / np.e)
    assert list(ranking.table["candidate"]) == ["near", "far"]
    larger = rank({"near": (0.0, 0.0), "far": (-0.1, 0.0)}, {"near": 1e6, "far": 3e6}, KNOWN, 1000, 0)
    assert list(larger.table["candidate"]) == ["far", "near"]


def test_probabilities_are_shares_of_the_draws():
    alignments = {"a": (0.0, 0.0), "b": (0.0, 0.0), "c": (-10.0, 0.0)}
    ranking = rank(alignments, dict.fromkeys(alignments, 1e6), Constants(0.1, 0.0, 1.0), 40_000, 0)
    best = ranking.table.set_index("candidate")["probability_best"]
    assert best.sum() == pytest.approx(1)
    assert best["a"] == pytest.approx(0.5, abs=0.02)
    assert best["c"] == 0
    assert alike(ranking) == sorted(["a", "b"], key=lambda name: -best[name]) or set(alike(ranking)) == {
        "a",
        "b",
    }


def test_intervals_hold_what_they_say():
    """Truth drawn as the draws are: 95% of it lies within the ends, 80% within the inner ones."""
    constants = Constants(0.1, 0.5, 0.7)
    table = rank({"a": (0.0, 0.02), "b": (-0.3, 0.02)}, {"a": 1e6, "b": 1e6}, constants, 20_000, 1).table
    truth = 1e6 * np.exp(drawn_log_worth([0.0, -0.3], [0.02, 0.02], constants, 20_000, 2))
    for row, own in zip(table.set_index("candidate").loc[["a", "b"]].itertuples(), truth.T, strict=True):
        assert np.mean((own >= row.low) & (own <= row.high)) == pytest.approx(0.95, abs=0.01)
        assert np.mean((own >= row.low_80) & (own <= row.high_80)) == pytest.approx(0.80, abs=0.015)


def test_beats_is_antisymmetric():
    draws = np.random.default_rng(0).normal(size=(500, 4))
    shares = beats(draws)
    assert shares + shares.T == pytest.approx(np.ones((4, 4)))


@pytest.mark.parametrize(
    ("alignments", "expected"),
    [
        ({"a": (0.0, 0.0), "b": (-9.0, 0.0)}, "Use a: it is the best of 2 with probability above 99%."),
        ({"a": (0.0, 0.0), "b": (-0.001, 0.0), "c": (-9.0, 0.0)}, "Use a; a and b cannot be told apart."),
        ({"a": (0.0, 0.0)}, "a is the only candidate, so there is nothing to choose."),
    ],
)
def test_the_sentence_says_what_the_draws_say(alignments, expected):
    tokens = dict.fromkeys(alignments, 1e6) | {"a": 1.3e6}
    ranking = rank(alignments, tokens, Constants(0.1, 0.0, 0.8), 20_000, 0)
    assert sentence(ranking) == expected


def test_more_text_settles_what_only_the_alignments_leave_open_and_runs_settle_the_rest():
    rough = {"a": (0.0, 0.3), "b": (-0.5, 0.3)}
    tokens = {"a": 1e6, "b": 1e6}
    assert "More text" in what_would_settle(rank(rough, tokens, KNOWN, 5000, 0))
    exact = {"a": (0.0, 0.0), "b": (-0.01, 0.0)}
    assert "Short training runs on a and b" in what_would_settle(
        rank(exact, tokens, Constants(0.1, 0.0, 1.0), 5000, 0)
    )
    assert what_would_settle(rank({"a": (0.0, 0.0), "b": (-9.0, 0.0)}, tokens, KNOWN, 5000, 0)) == ""


def test_constants_are_of_metrics_that_exist_and_an_unknown_one_is_named():
    assert set(all_constants()) <= set(metric_names())
    assert constants_of("ngram_cross_entropy").tau > 0
    with pytest.raises(UserError, match="kneser has not been compared with losses; put one of these first"):
        constants_of("kneser")


def test_standard_error_of_an_interval():
    assert standard_error([-1.96], [1.96]) == pytest.approx([1.0])


def test_many_names_are_counted():
    names = [f"c{i}" for i in range(9)]
    ranking = rank(
        dict.fromkeys(names, (0.0, 0.0)), dict.fromkeys(names, 1e6), Constants(0.1, 0.0, 1.0), 2000, 0
    )
    listed = ", ".join(ranking.table["candidate"][:4])
    assert sentence(ranking).startswith(f"{listed} and 5 others cannot be told apart;")
