"""Which training sets share text or origin: the independent units of the statistics."""

from collections.abc import Iterable
from typing import Any

from workflow_scripts.plan.corpus_graph import CorpusGraph
from workflow_scripts.plan.sources import packages_of


def families(graph: CorpusGraph, train_sets: Iterable[str]) -> dict[str, str]:
    """The family of each training set, unless it has the name of the set itself.

    Two sets are related if they are made from a common corpus, if their corpora read a common file, data set
    or package, or if their corpora have the same `family` key. Relation is transitive. A family is named
    after its corpora, or after the key.
    """
    train_sets = list(train_sets)
    groups: list[
        tuple[set[str], set[str], set[str]]
    ] = []  # (training sets, names of origins, what they read)
    for train_set in train_sets:
        leaves = _leaves(graph, train_set)
        names = {graph.specs[leaf].get("family", leaf) for leaf in leaves}
        read = {place for leaf in leaves for place in _read(graph.specs[leaf])}
        members = {train_set}
        apart = []
        for group in groups:
            if group[1] & names or group[2] & read:
                members, names, read = members | group[0], names | group[1], read | group[2]
            else:
                apart.append(group)
        groups = [*apart, (members, names, read)]
    named = {member: "+".join(sorted(names)) for members, names, _ in groups for member in members}
    return {name: named[name] for name in train_sets if named[name] != name}


def _leaves(graph: CorpusGraph, name: str) -> set[str]:
    """The corpora whose text a corpus is made of."""
    parents = graph.parents(name)
    return {leaf for parent in parents for leaf in _leaves(graph, parent)} if parents else {name}


def _read(spec: dict[str, Any]) -> set[str]:
    """Where the text of a corpus is read from."""
    if spec["source"] == "files":
        return {
            f"file {path}" for path in ([spec["paths"]] if isinstance(spec["paths"], str) else spec["paths"])
        }
    if spec["source"] == "hub":
        return {f"data set {spec['path']}"}
    if spec["source"] == "environment":
        return {f"package {package}" for package in packages_of(spec)}
    return set()
