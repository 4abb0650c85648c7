"""Errata: what a paper prints that is misprinted, lacks a condition, or is false.

Each can be checked in five minutes: by its derivation, by hand, and by its witness, by numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from inspect import cleandoc
from typing import NamedTuple


class Kind(StrEnum):
    """What is wrong with what is printed."""

    MISPRINT = "misprint"  # a formula; the paper's use of it, or its proof, has it right
    CONDITION = "needs a condition"  # true where the condition holds
    FALSE = "false"
    PROOF = "a proof's step"  # the statement holds
    UNSAID = "not said"  # a choice or a reason that the paper does not tell, and that matters


@dataclass(frozen=True)
class Number:
    """One number that shows an erratum.

    what: what the number is, in words, with the case that it is computed for.
    printed: the value by the paper's formula or statement; None where it gives no number.
    right: the value by the formula that we hold for right.
    independent: the same value by another route, such as brute force.
    allowed: the largest difference of these two that rounding (or quadrature) explains.
    """

    what: str
    printed: float | None
    right: float
    independent: float
    allowed: float = 1e-9

    @property
    def confirms(self) -> bool:
        """Whether both routes agree, and what is printed differs from them."""
        agree = abs(self.right - self.independent) <= self.allowed
        return agree and (self.printed is None or abs(self.printed - self.right) > self.allowed)

    @property
    def row(self) -> str:
        """A row of the witness's table; what rounding explains is written as 0."""
        values = (self.printed, self.right, self.independent)
        what = self.what.replace("|", "\\|")
        return f"| {what} | " + " | ".join(_written(v, self.allowed) for v in values) + " |"


def _written(value: float | None, allowed: float) -> str:
    if value is None:
        return ""
    return f"{0.0 if abs(value) <= allowed else value:.6g}"


@dataclass(frozen=True)
class Erratum:
    """One erratum.

    id: what `mixup-repro check` takes.
    where: the place in the paper.
    printed: what the paper says, in our words; formulas stand in backticks, and the site typesets
        them.
    right: what is right, written in the same way.
    derivation: two to six numbered lines of Markdown, each a step that can be followed by hand.
    holds: what remains true of the paper's statement, or of its use.
    witness: computes the numbers that show the erratum, in seconds.
    """

    id: str
    where: str
    kind: Kind
    printed: str
    right: str
    derivation: str
    holds: str
    witness: Callable[[], list[Number]]


class Misprint(NamedTuple):
    """A misprint that has no consequence, and so needs no numbers."""

    where: str
    printed: str
    right: str


def markdown(errata: Sequence[Erratum]) -> str:
    """The errata as Markdown, a heading and a table of the witness's numbers each.

    Computes every witness: seconds each.
    """
    return "\n".join(section(erratum, erratum.witness()) for erratum in errata)


def section(erratum: Erratum, numbers: list[Number]) -> str:
    """An erratum and its numbers as Markdown. Texts may be indented blocks, as in a docstring."""
    rows = "\n".join(number.row for number in numbers)
    return f"""\
### {erratum.id}: {erratum.where} ({erratum.kind})

**Printed.** {cleandoc(erratum.printed)}

**Right.** {cleandoc(erratum.right)}

**Derivation.**

{cleandoc(erratum.derivation)}

| Number | Printed | Right | By another route |
|---|---|---|---|
{rows}

**What holds.** {cleandoc(erratum.holds)}

Check: `mixup-repro check {erratum.id}`
"""
