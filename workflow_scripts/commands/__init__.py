"""The commands of an installed package: each writes a small config, runs the workflow with it, and says the answer."""
