"""An error in one line, for those that a user can mend, and the exit code that goes with it."""

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
    """What to print, and the exit code: 2 for bad input, 1 for a file that cannot be written, 75
    for what the same command goes on from.

    words: of the command line.

    ("", 1) for what is no user's fault: it deserves its traceback.
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
    """What was meant perhaps, where Hydra knows no such group, option or field."""
    word = ""
    if isinstance(error, MissingConfigException):
        word = (error.missing_cfg_file or "").replace("/", "=", 1)
    elif said := re.match(r"Could not override '([^']+)'", str(error)):
        typed = (word for word in words if word.lstrip("+~").startswith(f"{said[1]}="))
        word = next(typed, f"{said[1]}=")
    near = meant(word) if word else ""
    return f"; did you mean {near}?" if near else ""


def _choices(error: Exception) -> str:
    """What there is to choose from, where Hydra does not say it."""
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
