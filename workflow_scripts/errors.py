"""The error type for mistakes of the user."""

MORE_MEMORY = (
    "run fewer jobs at once (snakemake --resources mem_mb=16000 on a machine with 16 GB), or on a cluster request "
    "more (resources: in the config), and run the same command again: finished work is kept"
)


class UserError(Exception):
    """A mistake in the config, the data or the machine's set-up: reported in one line, without a traceback."""


class TooFewRows(UserError):
    """A set has too little text for the batches of a measure. The run loses this measure for the set, and goes on."""
