"""Errors that a user can mend, as one line each, with the exit code that goes with them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields

from hydra.errors import MissingConfigException

from mixup_repro import schema
from mixup_repro.cli.nearest import meant
from mixup_repro.errors import InputError, LostError
from mixup_repro.interrupt import EX_TEMPFAIL
from mixup_repro.jobs import experiments

# What OmegaConf and Hydra add to a message for people who debug them.
NOISE = re.compile(
    r"^\s*(full_key|reference_type|object_type)[:=].*|^Config search path:[\s\S]*"
    r"|^To append to your .*|^See https?://.*",
    re.MULTILINE,
)


def one_line(error: Exception, words: Sequence[str] = ()) -> tuple[str, int]:
    """The line to print and the exit code; ("", 1) for an error that needs its traceback.

    words: those of the command line. Exit codes: 2 for bad input, 1 for a file that cannot be
    written, 75 where the same command can go on.
    """
    if isinstance(error, InputError):
        return str(error), 2
    if isinstance(error, LostError):
        return str(error), EX_TEMPFAIL
    if type(error).__name__ == "FailedJobError":  # of submitit, which is there for Slurm alone
        said = re.findall(r"sbatch: error: (.+)", str(error))
        return f"sbatch refused the job: {'; '.join(said) or error}", 2
    if _raised_in(error) == "optuna" and "No trials are completed" in str(error):
        return "no trial has a value: give evaluation.objective=<metric> for the sweeper", 2
    if _raised_in(error) in ("hydra", "omegaconf"):
        told = [getattr(error, "override", None)]  # the word that cannot be parsed
        cause: BaseException | None = error
        while cause:
            told.append(_told(cause))
            cause = cause.__cause__
        if str(error).startswith("Config group override must"):  # Hydra does not say whose
            told += [word for word in words if "=" in word and "." not in word.split("=")[0]]
        return ": ".join(filter(None, dict.fromkeys(told))) + _choices(error) + _meant(
            error, words
        ), 2
    if isinstance(error, OSError):
        why = error.strerror or str(error)
        return ": ".join(str(part) for part in (error.filename, why) if part), 1
    return "", 1


def _meant(error: Exception, words: Sequence[str]) -> str:
    """A suggestion, where Hydra does not know a group, an option or a field."""
    word = ""
    if isinstance(error, MissingConfigException):
        word = (error.missing_cfg_file or "").replace("/", "=", 1)
    elif said := re.match(r"Could not override '([^']+)'", str(error)):
        typed = (word for word in words if word.lstrip("+~").startswith(f"{said[1]}="))
        word = next(typed, f"{said[1]}=")
    near = meant(word) if word else ""
    return f"; did you mean {near}?" if near else ""


def _choices(error: Exception) -> str:
    """The choices that there are, where Hydra's message does not list them."""
    if isinstance(error, MissingConfigException):
        group, _, name = (error.missing_cfg_file or "").partition("/")
        if group != "experiment":
            return ""
        if _is_item(name):
            return f"; it is an item, drawn from another grid's runs: mixup-repro reproduce {name}"
        every, paper = experiments(), name.split("/")[0]
        near = [name for name in every if name.startswith(f"{paper}/")]
        return f"; experiments: {', '.join(near or every)}"
    if re.search(r"^Could not override '(item|paper)'", str(error)):
        return "; these fields are gone: an item names the grid of its runs, not a run its item"
    node = re.search(r"(?:not in '|not a subclass of )(\w*Config)\b", str(error.__cause__))
    if not node:
        return ""
    return f"; it has {', '.join(field.name for field in fields(getattr(schema, node[1])))}"


def _is_item(name: str) -> bool:
    from mixup_repro import report  # with all figures: a second, for this error alone

    try:
        return bool(report.setting(name))
    except InputError:
        return False


def _raised_in(error: Exception) -> str:
    """The name of the package whose code raised the error; "" if it was never raised."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return str(trace.tb_frame.f_globals["__name__"]).split(".")[0] if trace else ""


def _told(error: BaseException) -> str:
    """A message of several lines as one line; choices below a heading are joined by commas."""
    lines = [line.strip() for line in NOISE.sub("", str(error)).splitlines() if line.strip()]
    text = "; ".join(lines).rstrip(".")
    heading, colon, choices = text.partition(":; ")
    return f"{heading}: {choices.replace('; ', ', ')}" if colon else text
