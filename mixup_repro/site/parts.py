"""One tested part of a verdict, as a reader wants its numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

ASKED = re.compile(r"([<>]?) ?(-?[\d.]+)")


@dataclass(frozen=True)
class Part:
    """One tested part of a verdict; effect and its interval are None where nothing was measured.

    Shares (accuracy, ECE, confidence) are in points.
    """

    name: str
    decides: bool
    expected: str
    effect: float | None
    low: float | None
    high: float | None
    finding: str
    unit: str

    @property
    def half(self) -> float | None:
        if self.low is None or self.high is None:
            return None
        return (self.high - self.low) / 2

    @property
    def asked(self) -> tuple[str, float] | None:
        """What is expected: `>` or `<` and a bound, or nothing and the paper's number."""
        match = ASKED.fullmatch(self.expected)
        return (match[1], float(match[2])) if match else None

    @property
    def strength(self) -> float:
        """How far the effect lies on the paper's side of the bound, in half-widths of its interval;
        of a number that the paper has, minus the distance to it."""
        if self.effect is None or not self.half or self.asked is None:
            return math.inf
        side, bound = self.asked
        far = (self.effect - bound) / self.half
        return {">": far, "<": -far}.get(side, -abs(far))

    @property
    def told(self) -> str:
        """The effect with its 95 % interval, with two digits in the interval's half-width."""
        if self.effect is None:
            return ""
        scale = self.half or abs(self.effect) / 100 or 1.0
        digits = min(6, max(0, 1 - _magnitude(scale)))
        numbers = [n for n in (self.effect, self.low, self.high) if n is not None]
        shown = [f"{n:.{digits}f}".replace("-", "−") for n in numbers]
        shown = [re.sub(r"^−(0(?:\.0+)?)$", r"\1", n) for n in shown]
        within = f" [{shown[1]}, {shown[2]}]" if len(shown) == 3 else ""
        return f"{shown[0]}{within}{' ' + self.unit if self.unit else ''}"


def _magnitude(number: float) -> int:
    return int(f"{number:e}".partition("e")[2])


def weakest(parts: Iterable[Part]) -> Part | None:
    """The part with an interval that speaks least for its claim, of those that decide."""
    return min((p for p in parts if p.strength < math.inf), key=lambda p: p.strength, default=None)
