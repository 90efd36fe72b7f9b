"""What every rule file uses: resources of a rule from the config, and how the page is made after a failure."""


def one_of(names):
    """A wildcard constraint that admits these names alone (and nothing, where there are none)."""
    return "|".join(names) or "(?!)"


def threads_of(rule):
    return of_rule(rule, plan.config["resources"])["threads"]


def mem_of(rule):
    """Memory in MB, doubled on each retry."""
    return lambda wildcards, attempt: of_rule(rule, plan.config["resources"])["mem_mb"] * 2 ** (attempt - 1)


def runtime_of(rule):
    return of_rule(rule, plan.config["resources"])["runtime"]


def gpu_of(rule):
    return of_rule(rule, plan.config["resources"])["gpu"]
