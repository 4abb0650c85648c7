"""Errors that are the user's to fix: shown as one line, without a traceback."""


class InputError(ValueError):
    """Bad input, found before any work started. Commands exit with code 2."""


class LostError(RuntimeError):
    """Another process of this run has ended before its end. Commands exit with code 75."""

    def __init__(self) -> None:
        super().__init__(
            "another process of this run has ended, and says why if it could; the same command "
            "goes on from the checkpoints"
        )


class DamagedError(InputError):
    """A file of our own that is not what was written: cut short, flipped bits, or gone."""
