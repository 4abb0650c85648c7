"""Pictures of the notes' exact claims."""

from collections.abc import Callable

from matplotlib.figure import Figure

PICTURES: dict[str, tuple[Callable[[], Figure], str]] = {}
