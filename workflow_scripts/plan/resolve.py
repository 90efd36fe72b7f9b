"""Puts every value of a checked config where a rule reads it, so no rule has to interpret null."""

from typing import Any

from workflow_scripts.plan.experiments import trained


def resolved(config: dict[str, Any]) -> dict[str, Any]:
    """The config, changed in place; a second call changes nothing.

    A recipe gets the run's evaluation settings, except those it sets itself. A trained experiment gets the budgets
    of its recipe, and an estimator the batches and rows of the other metrics, unless they name their own. If an
    estimator reads the same batches as the other metrics, in the same order, it has at most as many.
    """
    for recipe in config["recipes"].values():
        recipe["evaluation"] = {**config["evaluation"], **recipe.get("evaluation", {})}
    for experiment in trained(config):
        budgets = experiment.get("tokens") or config["recipes"][experiment["recipe"]]["tokens"]
        experiment["tokens"] = sorted(budgets)
    general = config["alignment"]
    for estimator in config["estimators"].values():
        of_its_own = estimator["rows"] or estimator["sampling"] == "same"
        asked = estimator["batches"] or general["batches"]
        estimator["batches"] = asked if of_its_own else min(asked, general["batches"])
        estimator["rows"] = estimator["rows"] or general["rows"]
    return config
