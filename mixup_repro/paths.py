"""Where things lie: in a checkout beside the package; once installed, in the package and in the
current folder."""

from __future__ import annotations

import os
from netrc import NetrcParseError, netrc
from pathlib import Path
from urllib.parse import urlsplit

PACKAGE = Path(__file__).resolve().parent
INSTALLED = (PACKAGE / "configs").is_dir()  # a wheel carries its configs inside the package
CHECKOUT = PACKAGE.parent  # means something only where nothing was installed
CONFIGS = (PACKAGE if INSTALLED else CHECKOUT) / "configs"


def home() -> Path:
    """The folder that data/, runs/ and results/ are in by default."""
    return Path.cwd() if INSTALLED else CHECKOUT


def has_wandb_key() -> bool:
    """Whether there is a key of wandb: in the environment, or where `wandb login` puts it."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname
    try:
        return netrc(os.environ.get("NETRC")).authenticators(host or "") is not None
    except (OSError, NetrcParseError):  # no such file, or none that says anything
        return False
