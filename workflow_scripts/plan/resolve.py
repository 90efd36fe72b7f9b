"""A checked config with every value in the place where a rule reads it, so that no rule asks what null means."""

from typing import Any

from workflow_scripts.plan.experiments import trained


def resolved(config: dict[str, Any]) -> dict[str, Any]:
    """The config, changed in place; once more changes nothing.

    A recipe's evaluation is the run's but for what the recipe says; a trained experiment has the budgets of its
    recipe unless it names its own; an estimator has the batches and rows of the other metrics unless it names its
    own. Where its batches are those of the other metrics, in the same order, they are no more than those.
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
