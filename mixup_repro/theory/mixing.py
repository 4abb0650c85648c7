"""Distributions of lambda: their masses, moments and densities (Chidambaram et al., sec. 2.1).

The paper asks for a density with support [0, 1]; Beta(alpha, alpha) is Mixup's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from scipy import integrate, special, stats

HINT = "It must be bounded, with its jumps, kinks and narrow peaks named in `points`."
Density = Callable[[np.ndarray], np.ndarray]


class Mixing(Protocol):
    """A distribution of lambda on [0, 1]; arrays in, arrays of the same shape out."""

    def mass(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """P(low < lam < high)."""

    def moment(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """E[lam; low < lam < high]."""

    def density(self, lam: np.ndarray) -> np.ndarray:
        """The density at lam; where it jumps, the mean of both sides."""


@dataclass(frozen=True)
class Beta:
    """Beta(a, b); Beta(alpha, alpha) is Mixup's. Incomplete beta functions, accurate in tails.

    Raises:
        ValueError: a or b is not > 0.
    """

    a: float
    b: float

    def __post_init__(self) -> None:
        if not (self.a > 0 and self.b > 0):
            raise ValueError(f"Beta({self.a}, {self.b}): both must be > 0")

    def mass(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        return _between(self.a, self.b, low, high)

    def moment(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        return self.a / (self.a + self.b) * _between(self.a + 1, self.b, low, high)

    def density(self, lam: np.ndarray) -> np.ndarray:
        return stats.beta(self.a, self.b).pdf(lam)


@dataclass(frozen=True)
class FromDensity:
    """Any bounded density on [0, 1]: Lemma 2.3 is for them all. Masses and moments by quadrature.

    density: of an array, elementwise, such as `scipy.stats.truncnorm(-1, 1, 0.5, 0.5).pdf`.
    points: where it jumps or has a kink or a narrow peak, in order. With its ends given, uniform
    mixing `FromDensity(scipy.stats.uniform(0.2, 0.6).pdf, (0.2, 0.8))` is exact.

    Raises:
        ValueError: points that are not increasing inside of [0, 1]; a density whose integral is
            not 1; or, in use too, one that is too rough for the quadrature.
    """

    density: Density
    points: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not all(a <= b for a, b in pairwise((0, *self.points, 1))):
            raise ValueError(f"points={self.points}: must increase, inside of [0, 1]")
        with np.errstate(all="ignore"):
            total = float(self.mass(np.zeros(()), np.ones(())))
        if not abs(total - 1) < 1e-6:
            raise ValueError(
                f"the density's integral over [0, 1] is {total:.6g}: must be 1. {HINT}"
            )

    def mass(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        return self._integral(self.density, low, high)

    def moment(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        return self._integral(lambda lam: lam * self.density(lam), low, high)

    def _integral(self, f: Density, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        total = np.zeros(np.broadcast_shapes(np.shape(low), np.shape(high)))
        for start, stop in pairwise((0, *self.points, 1)):
            a = np.clip(low, start, stop)
            width = np.clip(high, start, stop) - a
            # All intervals at once, cut alike until the heaviest are right.
            value, error = integrate.quad_vec(
                lambda u, a=a, width=width: width * f(a + u * width),
                *(0, 1),
                epsrel=1e-9,
                norm="max",
                limit=100,
            )
            if error > 1e-6 * np.abs(value).max():
                raise ValueError(f"the density cannot be integrated to 1e-6. {HINT}")
            total += value
        return total


def _between(a: float, b: float, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    # On the upper half differences of the survival function keep their digits.
    lower = special.betainc(a, b, high) - special.betainc(a, b, low)
    upper = special.betaincc(a, b, low) - special.betaincc(a, b, high)
    return np.where(low > a / (a + b), upper, lower)
