"""Every mistake gets one line that names the key, the value, and what is allowed."""

import gzip

import pytest

from workflow_scripts.errors import UserError
from workflow_scripts.plan.checks import checked


def mistake(config) -> str:
    with pytest.raises(UserError) as caught:
        checked(config)
    message = str(caught.value)
    assert "\n" not in message
    return message


def experiment(config, name):
    return next(one for one in config["experiments"] if one["name"] == name)


def test_the_shipped_config_passes_and_has_its_defaults(config):
    filled = checked(config)
    assert filled["recipes"]["from_scratch"]["epochs"] == 1
    assert filled["estimators"]["published"]["layout"] == "documents"
    assert "epochs" not in config["recipes"]["from_scratch"]  # what the user wrote is left alone


def test_an_unknown_key_is_named_with_the_nearest(config):
    config["recipes"]["from_scratch"]["learning_rte"] = 1
    assert mistake(config).startswith(
        "recipes.from_scratch.learning_rte: unknown key; did you mean learning_rate?"
    )


def test_an_unknown_key_of_a_corpus_is_named_by_its_source(config):
    config["corpora"]["cpp_headers"]["path"] = "x"
    message = mistake(config)
    assert message.startswith("corpora.cpp_headers.path: unknown key")
    assert "packages" in message
    assert "completion" not in message  # a key of files, not of the environment


def test_an_overlay_takes_a_key_away_with_null(config):
    config["probe"]["model"]["pretrained"] = "gpt2"
    assert "set a key to null to remove it" in mistake(config)
    config["probe"]["model"] |= {"type": None, "settings": None}
    assert checked(config)["probe"]["model"] == {"pretrained": "gpt2"}
    config["corpora"]["licences"] |= {
        "packages": None,
        "kind": None,
        "limit_bytes": None,
        "disjoint_from": None,
    }
    config["corpora"]["licences"] |= {"source": "hub", "path": "somebody/texts"}
    assert "packages" not in checked(config)["corpora"]["licences"]


def test_a_missing_key_is_named(config):
    del config["corpora"]["cpp_headers"]["kind"]
    assert mistake(config) == "corpora.cpp_headers: the key kind is missing"


@pytest.mark.parametrize("side", ["train_sets", "eval_sets"])
def test_an_unknown_corpus_in_an_experiment(config, side):
    experiment(config, "pretraining")[side].append("cpp_heders")
    message = mistake(config)
    assert message.startswith(f"experiments.pretraining.{side} = cpp_heders: unknown name; did you mean")
    assert "cpp_headers?" in message


def test_a_negative_budget(config):
    config["recipes"]["from_scratch"]["tokens"] = [-5]
    assert mistake(config) == "recipes.from_scratch.tokens.0 = -5: must be at least 1"


def test_fewer_than_four_batches(config):
    config["alignment"]["batches"] = 3
    assert mistake(config) == "alignment.batches = 3: must be at least 4"


def test_a_metric_that_does_not_exist(config):
    config["alignment"]["metrics"] = ["task2vek"]
    assert "alignment.metrics = task2vek: unknown name; did you mean task2vec?" in mistake(config)


def test_a_module_beside_the_metrics_is_no_metric(config):
    config["alignment"]["metrics"] = ["registry"]
    assert "alignment.metrics = registry: unknown name" in mistake(config)


def test_a_missing_file(config, tmp_path):
    config["corpora"]["licences"] = {"source": "files", "paths": [f"{tmp_path}/none.txt"], "held_out": 1}
    message = mistake(config)
    assert message.startswith("corpora.licences.paths")
    assert "none.txt" in message


def test_an_environment_variable_that_is_not_set(config, monkeypatch):
    monkeypatch.delenv("NO_SUCH_FOLDER", raising=False)
    config["corpora"]["licences"] = {"source": "files", "paths": ["$NO_SUCH_FOLDER/x.txt"], "held_out": 1}
    assert "NO_SUCH_FOLDER" in mistake(config)


def test_batches_larger_than_the_corpus(config, tmp_path):
    path = tmp_path / "small.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"text": "too little text for so many rows"}\n' * 20))
    config["corpora"]["licences"] = {"source": "files", "paths": [str(path)], "held_out": 1}
    message = mistake(config)
    assert message.startswith("alignment.batches x alignment.rows x rows.length = 8 x 32 x 128")
    assert "than corpora.licences has (at most" in message


def test_a_budget_larger_than_the_corpus(config):
    config["corpora"]["random_tokens"]["rows"] = 300
    config["recipes"]["from_probe"]["tokens"] = [100_000]
    message = mistake(config)
    assert message.startswith(
        "experiments.finetuning: a budget of 100000 tokens is more than corpora.random_tokens has"
    )
    assert "38400 tokens" in message


def test_training_text_on_the_evaluation_side(config):
    config["corpora"]["more_headers"] = {
        "source": "environment",
        "kind": "headers",
        "packages": ["torch"],
        "held_out": 1,
    }
    experiment(config, "pretraining")["eval_sets"].append("more_headers")
    message = mistake(config)
    assert message.startswith("corpora.more_headers.held_out = 1")
    assert "the package torch with cpp_headers" in message


def test_equal_shares_of_one_source_are_no_overlap(config):
    config["corpora"]["more_headers"] = {
        "source": "environment",
        "kind": "headers",
        "packages": ["torch"],
        "held_out": config["corpora"]["cpp_headers"]["held_out"],
    }
    experiment(config, "pretraining")["eval_sets"].append("more_headers")
    checked(config)


def test_the_same_file_on_both_sides(config, tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("word " * 500_000)
    for name, share in (("one", 0), ("other", 1)):
        config["corpora"][name] = {"source": "files", "paths": [str(path)], "held_out": share}
    experiment(config, "pretraining")["train_sets"].append("one")
    experiment(config, "pretraining")["eval_sets"].append("other")
    assert "the file" in mistake(config)


def test_a_probe_that_has_seen_the_data(config):
    config["probe"]["corpora"] = ["probe_code", "library_code"]
    message = mistake(config)
    assert message.startswith("probe.corpora = library_code: it shares")
    config["probe"]["corpora"] = ["probe_code"]
    config["corpora"]["probe_code"]["packages"].append("scipy")
    assert "the package scipy with" in mistake(config)


@pytest.mark.parametrize(
    ("side", "share", "words"), [("train_sets", 1, "no train side"), ("eval_sets", 0, "no eval side")]
)
def test_a_side_without_documents(config, side, share, words):
    config["corpora"]["one_sided"] = {
        "source": "environment",
        "kind": "code",
        "packages": ["yaml"],
        "held_out": share,
    }
    experiment(config, "pretraining")[side].append("one_sided")
    assert words in mistake(config)


def test_a_mixture_cannot_be_evaluated(config):
    experiment(config, "pretraining")["eval_sets"].append("science_50")
    assert "a mixture corpus has no documents to evaluate" in mistake(config)


def test_shares_that_do_not_sum_to_one(config):
    config["corpora"]["science_50"]["fractions"]["cpp_headers"] = 0.6
    assert mistake(config) == "corpora.science_50.fractions sum to 1.1: they must sum to 1"


def test_a_corpus_made_from_itself(config):
    config["corpora"]["one"] = {"source": "derived", "kind": "word_shuffled", "base": "two"}
    config["corpora"]["two"] = {"source": "derived", "kind": "word_shuffled", "base": "one"}
    assert "made from itself" in mistake(config)


def test_a_grid_without_a_share(config):
    del experiment(config, "intervention")["fractions"]["science_50"]
    assert (
        mistake(config)
        == "experiments.intervention.fractions: the share of the target in science_50 is missing"
    )


def test_a_budget_that_the_recipe_has_not(config):
    experiment(config, "pretraining")["tokens"] = [1000]
    assert mistake(config).startswith(
        "experiments.pretraining.tokens = 1000: not a budget of its recipe (32768, "
    )


def test_a_context_that_rows_do_not_fill(config):
    config["recipes"]["from_scratch"]["context"] = 192
    assert mistake(config) == "recipes.from_scratch.context = 192: it must be a multiple of rows.length = 128"


def test_two_experiments_of_one_name(config):
    config["experiments"].append(dict(config["experiments"][0]))
    assert mistake(config) == "experiments.pretraining: two experiments have this name"


def test_a_stride_as_long_as_the_context(config):
    config["evaluation"]["stride"] = 128
    assert mistake(config).startswith("evaluation.stride = 128: it must be below recipes.from_")


def test_two_splits_of_one_file_are_no_overlap(config, tmp_path):
    file = tmp_path / "both.jsonl"
    file.write_text('{"text": "one", "split": "train"}\n' * 60_000)
    spec = {"source": "files", "paths": str(file), "text": "text"}
    config["corpora"] |= {
        "learned": {**spec, "where": {"split": "train"}, "held_out": 0},
        "asked": {**spec, "where": {"split": "test"}, "held_out": 1},
    }
    experiment(config, "pretraining")["train_sets"].append("learned")
    experiment(config, "pretraining")["eval_sets"].append("asked")
    checked(config)
    config["corpora"]["asked"]["where"] = {"split": ["test", "train"]}
    assert "shares the file" in mistake(config)


def test_a_corpora_folder_that_is_not_there(config, monkeypatch):
    config["corpora"]["licences"] = {"source": "files", "paths": "words.txt", "held_out": 1}
    monkeypatch.delenv("SOMEWHERE", raising=False)
    config["corpora_folder"] = "$SOMEWHERE/corpora"
    assert mistake(config).startswith("corpora_folder = $SOMEWHERE/corpora: it names an environment variable")
    config["corpora_folder"] = "/nowhere/at/all"
    assert "there is no folder /nowhere/at/all" in mistake(config)


def test_the_stride_of_a_recipe(config):
    config["recipes"]["from_probe"]["evaluation"] = {"stride": 128}
    assert mistake(config).startswith("recipes.from_probe.evaluation.stride = 128")


def test_pieces_where_no_documents_are_scored_are_refused_before_the_first_job(config):
    config["evaluation"]["piece"] = 128
    checked(config)
    config["recipes"]["from_probe"]["evaluation"] = {"documents": "first"}
    assert mistake(config).startswith(
        "evaluation.piece = 128: recipe from_probe scores packed text or the first"
    )
    config["recipes"]["from_probe"]["evaluation"] = {"layout": "packed", "piece": 64}
    assert mistake(config).startswith("recipes.from_probe.evaluation.piece = 64")
    config["recipes"]["from_probe"]["evaluation"] = {"layout": "packed", "piece": None}
    checked(config)


def test_a_stand_in_that_does_not_exist(config):
    config["alignment"]["measured_as"] = {"licences": "licence"}
    assert "alignment.measured_as.licences = licence: unknown name; did you mean" in mistake(config)
    config["alignment"]["measured_as"] = {}
    config["estimators"]["published"]["measured_as"] = {"licences": "licences.test"}
    assert "licences = licences.test: the side must be train or eval" in mistake(config)
    config["estimators"]["published"]["measured_as"] = {"licenses": "licences"}
    assert mistake(config).startswith("estimators.published.measured_as = licenses: unknown name")


def test_the_rows_of_a_pass_are_a_number_or_automatic(config):
    config["estimators"]["corrected"]["microbatch"] = "auto"
    assert checked(config)["estimators"]["corrected"]["microbatch"] == "auto"
    config["estimators"]["corrected"]["microbatch"] = "all"
    assert mistake(config).startswith("estimators.corrected.microbatch")
    config["estimators"]["corrected"]["microbatch"] = 0
    assert mistake(config).endswith("must be at least 1")


def test_only_an_estimator_may_have_the_same_rows_in_every_batch(config):
    """The other metrics compare disjoint batches, and could give no interval otherwise."""
    config["estimators"]["published"]["sampling"] = "same"
    assert checked(config)["estimators"]["published"]["sampling"] == "same"
    config["alignment"]["sampling"] = "same"
    assert mistake(config).startswith("alignment.sampling: unknown key")
