"""Broken lines in steps of whole tenths of a point, with no more steps than the eye sees."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

Point: TypeAlias = tuple[int, int]  # in tenths of a point
MANY, NEAR = 12, 3  # steps of a line from which on points go; tenths of a point


def go(steps: list[Point], step: Point) -> None:
    """Add a step; one that goes on straight is part of the one before."""
    if steps and step == (0, 0):
        return
    if steps:
        (a, b), (c, d) = steps[-1], step
        if a * d == b * c and a * c + b * d > 0:
            steps[-1] = (a + c, b + d)
            return
    steps.append(step)


def fewer(steps: list[Point]) -> list[Point]:
    """Steps of a line of many, without the points that lie within NEAR of the line of the others.

    Douglas and Peucker: a stretch is a straight line unless a point lies farther off; the farthest
    then parts it. What comes back to its beginning, as an outline does, is measured from there.
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
        if off.max() > NEAR:
            middle = first + 1 + int(off.argmax())
            kept.add(middle)
            stretches += [(first, middle), (middle, last)]
    way = np.diff(points[sorted(kept)], axis=0)
    return [(int(dx), int(dy)) for dx, dy in way]
