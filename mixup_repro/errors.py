"""Errors that are the user's to fix: shown as one line, without a traceback."""


class InputError(ValueError):
    """Bad input, found before any work started. Commands exit with code 2."""


class DamagedError(InputError):
    """A file of our own that is not what was written: cut short, flipped bits, or gone."""
