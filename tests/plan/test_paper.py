"""The config of the paper: planned without a network, and the numbers that the paper states."""

import socket

import pytest
from snakemake.common.configfile import load_configfile
from snakemake.utils import update_config

from workflow_scripts.plan.checks import checked
from workflow_scripts.plan.run_plan import RunPlan


@pytest.fixture
def paper(config, root):
    """The default config with configs/paper.yaml laid over it, as Snakemake does it."""
    update_config(config, load_configfile(str(root / "configs" / "paper.yaml")))
    return config


@pytest.fixture
def plan(paper, monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("planning asked for a network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    return RunPlan(checked(paper))


def recipes(plan, name):
    return {how: plan.training.recipe(f"{name}_{how}") for how in ("published", "corrected")}


def experiment(plan, name):
    return next(one for one in plan.config["experiments"] if one["name"] == name)


def test_it_plans_offline_and_reads_no_text_of_the_environment(plan):
    sources = {plan.corpora.specs[name]["source"] for name in plan.corpora.needed}
    assert sources == {"hub", "derived", "mixture", "random_tokens"}
    assert len(plan.training.jobs) + len(plan.training.evaluations) + len(plan.corpora.needed) < 200


def test_the_models_have_the_published_number_of_parameters(plan):
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    for recipe in recipes(plan, "pretraining").values():
        model = AutoConfig.for_model(recipe["model"]["type"], vocab_size=50257, **recipe["model"]["settings"])
        with torch.device("meta"):
            assert AutoModelForCausalLM.from_config(model).num_parameters() == 51_475_968
        assert model.n_positions == recipe["context"] == 1024
        assert model.resid_pdrop == model.embd_pdrop == model.attn_pdrop == 0.1


def test_pretraining_is_as_long_as_published(plan):
    for recipe in recipes(plan, "pretraining").values():
        assert recipe["tokens"] == [20_000 * 64 * 1_024]
        assert recipe["batch_rows"] * recipe["context"] * 20_000 == recipe["tokens"][0]
        assert (recipe["learning_rate"], recipe["schedule"], recipe["warmup_steps"]) == (5e-5, "linear", 0)
        assert (recipe["weight_decay"], recipe["clip"], recipe["epochs"]) == (0, 1, 1)
    published, corrected = recipes(plan, "pretraining").values()
    assert (published["seeds"], published["shuffle"]) == ([42], False)
    assert (len(corrected["seeds"]), corrected["shuffle"]) == (3, True)
    assert plan.training.recipe("pretraining_published")["evaluation"]["layout"] == "packed"
    assert plan.training.recipe("pretraining_corrected")["evaluation"]["layout"] == "documents"


@pytest.mark.parametrize(
    ("name", "n_train", "n_eval"),
    [("pretraining", 3, 8), ("finetuning_af", 7, 1), ("finetuning_docstring", 8, 1), ("gzip", 7, 1)],
)
def test_every_setting_is_there_as_published_and_as_corrected(plan, name, n_train, n_eval):
    for how in ("published", "corrected"):
        one = experiment(plan, f"{name}_{how}")
        assert (len(one["train_sets"]), len(one["eval_sets"])) == (n_train, n_eval)
        assert one["recipe"].endswith(how)


def test_the_quirks_are_options(plan):
    published, corrected = recipes(plan, "finetuning").values()
    assert (published["count"], published["shuffle"]) == ("padded", False)
    assert (corrected["count"], corrected["shuffle"]) == ("real", True)
    corpora = plan.config["corpora"]
    assert corpora["af_test_first"]["documents"] == 1
    assert "documents" not in corpora["af_test"]
    assert experiment(plan, "finetuning_af_published")["eval_sets"] == ["af_test_first"]
    assert experiment(plan, "finetuning_af_published_whole")["eval_sets"] == ["af_test"]
    assert {corpora[f"c4_short_{n}"]["characters"] for n in (1, 2, 3)} == {100}
    assert corpora["af_one_sequence"]["joined_rows"] == plan.fisher.settings("published")["rows"] == 512
    assert plan.fisher.settings("published")["sampling"] == "same"
    assert plan.fisher.settings("corrected")["sampling"] == "disjoint"
    assert plan.fisher.settings("published")["batches"] == 100


def test_both_sides_of_every_measurement_have_documents(plan):
    """A stand-in must have the side that it stands for."""
    for name in plan.sets.names:
        for estimator in (None, *plan.fisher.estimators):
            corpus, side = plan.sets.standing_for(name, estimator).split(".")
            held_out = plan.corpora.held_out(corpus)
            assert held_out < 1 if side == "train" else held_out > 0, (name, estimator)


def test_revisions_are_commits_or_the_parquet_copy(plan):
    for name in plan.corpora.needed:
        spec = plan.corpora.specs[name]
        revision = spec.get("revision", "0" * 7)
        if spec["source"] == "hub":
            assert revision == "refs/convert/parquet" or (
                len(revision) in (7, 40) and set(revision) <= set("0123456789abcdef")
            )
            assert spec["held_out"] in (0, 0.1, 1)


def test_what_is_fine_tuned_is_what_measures(plan):
    assert plan.probe.names == ["pretrained"]
    assert plan.corpora.reserved == set()
    assert plan.config["tokenizer"]["revision"] == plan.config["probe"]["model"]["revision"]
