"""Second scores of a selection by name: each is a module with `opened`, which is imported only where it is used."""

SECOND_SCORES = {"fisher": "workflow_scripts.fisher.second_score"}
