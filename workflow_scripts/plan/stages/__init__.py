"""What each stage of a run asks for: the values and files that the rule file of the same name reads."""
