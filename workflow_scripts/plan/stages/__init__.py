"""One module for each stage: the values and files that the rule file of the same name reads."""
