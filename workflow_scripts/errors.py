"""The one error that a user reads."""


class UserError(Exception):
    """A mistake in the config, the data or the machine's set-up: told in one line, without a traceback."""


class TooFewRows(UserError):
    """A set has too little text for the batches that a measure compares: the set costs that measure, not the run."""
