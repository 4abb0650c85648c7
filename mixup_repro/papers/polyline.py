"""Paths of an SVG in whole tenths of a point, with no more steps than the eye can see."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

import numpy as np

Point: TypeAlias = tuple[int, int]  # in tenths of a point
MANY = 12  # a line of fewer steps keeps all its points
NEAR, FAINT = 3, 7  # tenths of a point that the eye does not see; on a faint line


class Stroke(NamedTuple):
    """One unbroken path: its start, its steps from there in SVG's notation, and its end.

    points: its corners and control points; the path stays within their convex hull. A dot has no
    steps but is closed ("z").
    """

    start: Point
    steps: str
    end: Point
    points: tuple[Point, ...]

    @property
    def is_dot(self) -> bool:
        return self.steps == "z"


def dot(x: float, y: float) -> Stroke:
    """A path of no length. It is closed, so that SVG draws a line's round or square ends there."""
    at = (round(10 * x), round(10 * y))
    return Stroke(at, "z", at, (at,))


def strokes(outline: str, x: float = 0.0, y: float = 0.0, near: int = NEAR) -> list[Stroke]:
    """The strokes of an SVG outline of M, L, Q, C and z, in points, moved by x and y.

    Straight lines become relative steps, without points that the eye does not see (`fewer`); curves
    stay as they are.
    """
    words = outline.split()
    out: list[Stroke] = []
    start = at = (0, 0)
    text, lines, points, k = "", list[Point](), list[Point](), 0
    while k < len(words):
        letter = words[k]
        count = {"z": 0, "M": 2, "L": 2, "Q": 4, "C": 6}[letter]
        told = map(float, words[k + 1 : k + 1 + count])
        numbers = [round(10 * (n + (y if j % 2 else x))) for j, n in enumerate(told)]
        own = list(zip(numbers[::2], numbers[1::2]))
        k += 1 + count
        if letter == "L":
            go(lines, (own[0][0] - at[0], own[0][1] - at[1]))
        else:
            text, lines = text + _lines(fewer(lines, near)), []
        if letter == "M":
            if text:
                out.append(Stroke(start, text, at, tuple(points)))
            text, start, points = "", own[0], []
        elif letter in "QC":
            text += letter.lower() + _numbers(n - at[j % 2] for p in own for j, n in enumerate(p))
        elif letter == "z":
            text, own = text + "z", [start]
        points += own
        at = own[-1]
    text += _lines(fewer(lines, near))
    return [*out, Stroke(start, text, at, tuple(points))] if text else out


def path(all_: Iterable[Stroke]) -> str:
    """Strokes as one SVG path, where each begins with a step from the end of the one before."""
    out, at = "", None
    for stroke in all_:
        x, y = stroke.start
        far = f"M{_numbers((x, y))}"
        near = far if at is None else f"m{_numbers((x - at[0], y - at[1]))}"
        out += min(far, near, key=len) + stroke.steps
        at = stroke.end
    return out


def through(places: list[Point]) -> str:
    """An SVG path through places, each of which is a corner."""
    ways = zip(places, places[1:])
    steps = " ".join(_numbers((c - a, d - b)) for (a, b), (c, d) in ways).replace(" -", "-")
    return f"M{_numbers(places[0])}" + (f"l{steps}" if steps else "")


def go(steps: list[Point], step: Point) -> None:
    """Add a step; one in the same direction as the last is added to the last."""
    if steps and step == (0, 0):
        return
    if steps:
        (a, b), (c, d) = steps[-1], step
        if a * d == b * c and a * c + b * d > 0:
            steps[-1] = (a + c, b + d)
            return
    steps.append(step)


def fewer(steps: list[Point], near: int = NEAR) -> list[Point]:
    """The steps of a line without points that lie within `near` of the line through the others.

    The algorithm of Douglas and Peucker: a stretch becomes a straight line unless a point lies
    farther from it than `near`; then the farthest point divides it. In a stretch that comes back to
    its beginning, as an outline does, distances are measured from there.
    """
    if len(steps) < MANY:
        return steps
    points = np.cumsum([(0, 0), *steps], axis=0)
    kept, stretches = {0, len(steps)}, [(0, len(steps))]
    while stretches:
        first, last = stretches.pop()
        inside, way = points[first + 1 : last] - points[first], points[last] - points[first]
        if not len(inside):
            continue
        length = np.hypot(*way)
        across = np.abs(inside[:, 0] * way[1] - inside[:, 1] * way[0]) / (length or 1)
        along = (inside @ way) / (length or 1)
        outside = np.hypot(across, np.maximum(0, np.maximum(-along, along - length)))
        off = outside if length else np.hypot(*inside.T)
        if off.max() > near:
            middle = first + 1 + int(off.argmax())
            kept.add(middle)
            stretches += [(first, middle), (middle, last)]
    way = np.diff(points[sorted(kept)], axis=0)
    return [(int(dx), int(dy)) for dx, dy in way]


def _lines(steps: list[Point]) -> str:
    """Straight steps in SVG's letters h, v and l; a letter is written once for steps in a row."""
    out, before = "", ""
    for dx, dy in steps:
        if dx == dy == 0:
            continue
        letter = "h" if not dy else "v" if not dx else "l"
        numbers = _numbers({"h": (dx,), "v": (dy,), "l": (dx, dy)}[letter])
        again = "" if numbers[0] == "-" else " "
        out += (again if letter == before else letter) + numbers
        before = letter
    return out


def _numbers(numbers: Iterable[int]) -> str:
    """Whole numbers, separated by a minus sign or else by a space."""
    return " ".join(map(str, numbers)).replace(" -", "-")
