"""The errors that users see as one line."""


class InputError(Exception):
    """Bad input. The message names the file or field, what was found, what was expected, what to do."""


class HopelessRun(Exception):
    """Training ended early because going on leads nowhere: a verdict that ``train.stop_on`` names,
    or restarts without progress. Exit code 76."""
