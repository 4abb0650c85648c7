"""An error in one line, for those that a user can mend, and the exit code that goes with it."""

from __future__ import annotations

import re

from mixup_repro.errors import InputError

# What OmegaConf and Hydra add to a message for people who debug them.
NOISE = re.compile(
    r"^\s*(full_key|reference_type|object_type)[:=].*|^Config search path:[\s\S]*"
    r"|^To append to your .*|^See https?://.*",
    re.MULTILINE,
)


def one_line(error: Exception) -> tuple[str, int]:
    """What to print, and the exit code: 2 for bad input, 1 for a file that cannot be written.

    ("", 1) for what is no user's fault: it deserves its traceback.
    """
    if isinstance(error, InputError):
        return str(error), 2
    if _raised_in(error) in ("hydra", "omegaconf"):
        causes = [error]
        while causes[-1].__cause__:
            causes.append(causes[-1].__cause__)
        override = getattr(error, "override", None)  # of one that cannot be parsed
        told = [*filter(None, [override]), *filter(None, map(_told, causes))]
        return ": ".join(dict.fromkeys(told)), 2
    if isinstance(error, OSError):
        why = error.strerror or str(error)
        return ": ".join(str(part) for part in (error.filename, why) if part), 1
    return "", 1


def _raised_in(error: Exception) -> str:
    """The package whose code raised it."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return str(trace.tb_frame.f_globals["__name__"]).split(".")[0] if trace else ""


def _told(error: BaseException) -> str:
    """A message of several lines in one: Hydra lists choices below a heading."""
    lines = [line.strip() for line in NOISE.sub("", str(error)).splitlines() if line.strip()]
    text = "; ".join(lines).rstrip(".")
    heading, colon, choices = text.partition(":; ")
    return f"{heading}: {choices.replace('; ', ', ')}" if colon else text
