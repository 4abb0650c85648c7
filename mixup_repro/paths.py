"""Where things lie: in a checkout beside the package; once installed, in the package and in the
current folder."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
INSTALLED = (PACKAGE / "configs").is_dir()  # a wheel carries its configs inside the package
CHECKOUT = PACKAGE.parent  # means something only where nothing was installed
CONFIGS = (PACKAGE if INSTALLED else CHECKOUT) / "configs"


def home() -> Path:
    """The folder that data/, runs/ and results/ are in by default."""
    return Path.cwd() if INSTALLED else CHECKOUT
