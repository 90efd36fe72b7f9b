"""The one error that a user reads."""


class UserError(Exception):
    """A mistake in the config, the data or the machine's set-up: told in one line, without a traceback."""
