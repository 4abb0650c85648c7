"""One tested part of a verdict, as a reader wants its numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass


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
