"""The commands rank, select and mix: each writes a small config, runs the workflow with it, and prints the answer."""
