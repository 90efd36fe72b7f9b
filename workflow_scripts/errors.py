"""The error type for mistakes of the user."""


class UserError(Exception):
    """A mistake in the config, the data or the machine's set-up: reported in one line, without a traceback."""


class TooFewRows(UserError):
    """A set has too little text for the batches of a measure. The run loses this measure for the set, and goes on."""
