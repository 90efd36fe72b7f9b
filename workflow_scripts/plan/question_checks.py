"""Checks the questions of a config before any job starts."""

from collections.abc import Callable, Iterable
from typing import Any

from workflow_scripts.choosing.worth import constants_of
from workflow_scripts.errors import UserError
from workflow_scripts.plan.corpus_graph import CorpusGraph
from workflow_scripts.plan.questions import candidates_of, measured, of_kind, targets_of

OneOf = Callable[[str, Iterable[str], str], None]


def check_questions(config: dict[str, Any], one_of: OneOf, without_documents: tuple[str, ...]) -> None:
    """`one_of` refuses a name that is unknown; corpora of some sources have rows, but no documents."""
    if not config["experiments"] and not config["questions"]:
        raise UserError("experiments and questions are both empty: name at least one of either")
    if measured(config):
        constants_of(config["alignment"]["metrics"][0])
    graph, seen = CorpusGraph(config), set()
    for question in config["questions"]:
        here = f"questions.{question['name']}"
        if question["name"] in seen:
            raise UserError(f"{here}: two questions have this name")
        seen.add(question["name"])
        for key, names in (("target", targets_of(question)), ("candidates", candidates_of(question))):
            for name in names:
                one_of(name, graph.specs, f"{here}.{key}")
                if key == "target" or question["kind"] == "rank":
                    _check_has_documents(graph, name, f"{here}.{key}", without_documents)
        for name in targets_of(question):
            if graph.held_out(name) <= 0:
                raise UserError(
                    f"{here}: the target {name} has held_out 0, so it has no eval side; set it to 1"
                )
        for name in candidates_of(question):
            if graph.held_out(name) >= 1:
                raise UserError(
                    f"{here}: the candidate {name} has held_out 1, so it has no train side; set it to 0"
                )
    for question in of_kind(config, "rank"):
        _check_verified(config, question, one_of)
    for question in of_kind(config, "select"):
        _check_pool(config, question, one_of)
    for question in of_kind(config, "mix"):
        here = f"questions.{question['name']}"
        for key, known in (("weights", question["targets"]), ("minimum_shares", question["candidates"])):
            for name in question[key]:
                one_of(name, known, f"{here}.{key}")
        if sum(question["minimum_shares"].values()) > 1:
            raise UserError(f"{here}.minimum_shares: they add up to more than 1")


def _check_has_documents(graph: CorpusGraph, name: str, here: str, without: tuple[str, ...]) -> None:
    source = graph.specs[name]["source"]
    if source in without:
        raise UserError(f"{here} = {name}: a {source} corpus has no documents")


def _check_verified(config: dict[str, Any], question: dict[str, Any], one_of: OneOf) -> None:
    """Runs that correct a ranking must train on its candidates, at two budgets or more, and be tested on its target."""
    here, name = f"questions.{question['name']}.verified_by", question["verified_by"]
    if name is None:
        return
    experiments = {one["name"]: one for one in config["experiments"] if one["kind"] == "pretraining"}
    one_of(name, experiments, here)
    experiment = experiments[name]
    for train_set in experiment["train_sets"]:
        one_of(train_set, question["candidates"], f"{here} = {name}: its training set")
    one_of(question["target"], experiment["eval_sets"], f"{here} = {name}: its evaluation set")
    budgets = experiment.get("tokens") or config["recipes"][experiment["recipe"]]["tokens"]
    if len(experiment["train_sets"]) < 2 or len(budgets) < 2:
        raise UserError(f"{here} = {name}: it needs at least two training sets and two budgets")


def _check_pool(config: dict[str, Any], question: dict[str, Any], one_of: OneOf) -> None:
    here = f"questions.{question['name']}.pool"
    for name in question["pool"]:
        one_of(name, config["corpora"], here)
        source = config["corpora"][name]["source"]
        if source != "files":
            raise UserError(f"{here} = {name}: its source is {source}; rows are chosen only from files")
