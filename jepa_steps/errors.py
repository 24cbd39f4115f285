"""The error that users see as one line."""


class InputError(Exception):
    """Bad input. The message names the file or field, what was found, what was expected, what to do."""
