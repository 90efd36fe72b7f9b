"""Which training sets are one independent unit."""

import copy
import json

import pytest
import yaml
from snakemake.utils import update_config

from workflow_scripts.errors import UserError
from workflow_scripts.plan.checks import checked
from workflow_scripts.plan.corpus_graph import CorpusGraph
from workflow_scripts.plan.families import families
from workflow_scripts.plan.run_plan import RunPlan


def graph_of(corpora) -> CorpusGraph:
    return CorpusGraph({"corpora": corpora, "corpora_folder": None})


def file(path, **keys):
    return {"source": "files", "paths": f"{path}.txt", **keys}


CORPORA = {
    "a": file("a"),
    "b": file("b"),
    "mix": {"source": "mixture", "fractions": {"a": 0.5, "b": 0.5}},
    "shuffled": {"source": "derived", "kind": "word_shuffled", "base": "b"},
    "part": file("c", where={"split": "one"}),
    "other_part": file("c", where={"split": "two"}),
    "sample": file("d", family="web"),
    "other_sample": file("e", family="web"),
    "alone": file("f"),
    "noise": {"source": "random_tokens", "rows": 8},
}


def test_sets_made_of_or_from_one_another_are_one_family() -> None:
    found = families(graph_of(CORPORA), ["a", "shuffled", "alone", "mix", "noise"])
    assert found == dict.fromkeys(("a", "shuffled", "mix"), "a+b")


def test_a_mixture_that_the_experiment_lacks_joins_nothing() -> None:
    assert families(graph_of(CORPORA), ["a", "b", "alone"]) == {}
    assert families(graph_of(CORPORA), ["a", "b", "shuffled"]) == {"shuffled": "b"}


def test_sets_of_one_file_or_key_are_one_family() -> None:
    found = families(graph_of(CORPORA), ["part", "other_part", "sample", "other_sample"])
    assert found["part"] == found["other_part"] == "other_part+part"
    assert found["sample"] == found["other_sample"] == "web"


def test_a_key_that_names_a_corpus_joins_it() -> None:
    corpora = {**CORPORA, "again": file("g", family="alone")}
    assert families(graph_of(corpora), ["alone", "again"]) == {"again": "alone"}


def test_packages_and_data_sets_in_common_make_a_family() -> None:
    read = {"source": "environment", "kind": "docstrings"}
    hub = {"source": "hub", "path": "x/y"}
    corpora = {
        "one": {**read, "packages": ["scipy", "numpy"]},
        "two": {**read, "kind": "code", "packages": "numpy"},
        "three": {**read, "packages": ["torch"]},
        "short": {**hub, "characters": 100},
        "whole": hub,
    }
    found = families(graph_of(corpora), corpora)
    assert found == {"one": "one+two", "two": "one+two", "short": "short+whole", "whole": "short+whole"}


def sizes(root, name, monkeypatch) -> dict[str, int]:
    """Families by experiment of a config of the repository."""
    monkeypatch.setattr("workflow_scripts.plan.corpus_graph.in_folder", lambda paths, folder: paths)
    config = yaml.safe_load((root / "config.yaml").read_text())
    update_config(config, yaml.safe_load((root / "configs" / f"{name}.yaml").read_text()))
    plan = RunPlan(checked({**config, "only_existing": True}))
    return {
        e["name"]: len({e["families"].get(name, name) for name in e["train_sets"]})
        for e in json.loads(plan.analysis.experiments_json)
    }


def test_families_of_the_shipped_configs(root, monkeypatch) -> None:
    real, authors, paper = (sizes(root, name, monkeypatch) for name in ("real", "authors_4k", "paper"))
    assert (real["pretraining"], real["formal"], real["intervention"]) == (3, 9, 1)
    assert set(authors.values()) == {7}
    assert (paper["pretraining_corrected"], paper["finetuning_af_corrected"], paper["c4_subsets"]) == (
        1,
        6,
        1,
    )


def test_only_corpora_with_text_of_their_own_have_a_family(config) -> None:
    config = copy.deepcopy(config)
    config["corpora"]["science_50"]["family"] = "science"
    with pytest.raises(UserError, match="science_50"):
        checked(config)


def test_controls_are_handed_to_the_analysis(config) -> None:
    experiments = json.loads(RunPlan(checked(config)).analysis.experiments_json)
    controls = {e["name"]: e["controls"] for e in experiments}
    assert controls["pretraining"] == ["shuffled_docstrings", "vocabulary_docstrings"]
    assert (controls["finetuning"], controls["intervention"]) == (["random_tokens"], [])


def test_a_role_does_not_rebuild_a_corpus(config) -> None:
    before = RunPlan(checked(copy.deepcopy(config))).corpora.spec_json("shuffled_docstrings")
    del config["corpora"]["shuffled_docstrings"]["role"]
    assert RunPlan(checked(config)).corpora.spec_json("shuffled_docstrings") == before


def test_a_family_does_not_rebuild_a_corpus(config) -> None:
    before = RunPlan(checked(copy.deepcopy(config))).corpora.spec_json("cpp_headers")
    config["corpora"]["cpp_headers"]["family"] = "headers"
    assert RunPlan(checked(config)).corpora.spec_json("cpp_headers") == before
