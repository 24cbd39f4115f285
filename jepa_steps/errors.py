"""The errors that users see as one line."""


class InputError(Exception):
    """Bad input. The message names the file or field, what was found, what was expected, what to do."""


class HopelessRun(Exception):
    """Training ended early because of a verdict that ``train.stop_on`` names; exit code 76."""
