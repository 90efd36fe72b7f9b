"""Checks the config, and derives from it the files of a run, their cost and the code that each rule depends on."""
