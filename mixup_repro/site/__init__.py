"""The results as pages that open from the disk, made of the committed tables and figures alone.

Nothing here knows the papers' modules or loads PyTorch. `tables` reads what `mixup-repro report`
wrote, `words` has the verdicts' vocabulary, `findings` holds every sentence against the verdicts it
needs, `figures` puts drawings into pages, `pages` says what is on each page, and `build` writes
them and looks at every link.
"""

from mixup_repro.site.build import build

__all__ = ["build"]
