"""An optional mirror of a run in Weights & Biases. Off unless asked for; never needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Optional, cast

import wandb

from mixup_repro.store.folder import RunFolder
from mixup_repro.store.identity import science


class Mirror:
    """One wandb run for one of our runs, with our id, so that a resumed run continues its own.

    Where wandb fails, it says so once and mirrors no more; what it mirrors goes on.
    """

    def __init__(self, folder: RunFolder, say: Callable[[str], None]) -> None:
        self.folder, self.say = folder, say
        self.run: Any = None
        self._safely(self._begin)

    def _begin(self) -> None:
        folder, settings = self.folder, self.folder.run.config.wandb
        seed = folder.run.seed
        self.run = wandb.init(
            project=settings.project,
            entity=settings.entity,
            mode=cast(Literal["offline", "online"], settings.mode),
            id=f"{folder.id}-seed{seed}".replace("^", "_"),
            name=f"{settings.name}-seed{seed}" if settings.name else str(folder),
            group=settings.group or folder.id,
            tags=settings.tags,
            config=science(folder.run.config) | {"seed": seed},
            dir=folder.path,
            resume="allow",
            reinit="create_new",  # a stack has one for each of its runs at a time
        )

    def _safely(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:  # of many kinds: the network's, the disk's, its own
            self.run = None
            line = (str(error).splitlines() or [""])[0]
            self.say(f"{self.folder}: wandb mirrors it no more ({type(error).__name__}: {line})")

    def log(self, row: dict[str, Any]) -> None:
        """One point of the curves."""
        values = {k: v for k, v in row.items() if k != "epoch"}
        if self.run:
            self._safely(lambda: self.run.log(values, step=row["epoch"]))

    def finish(self, record: Optional[dict[str, Any]] = None, failed: bool = False) -> None:
        """Close the run as finished, with its evaluations as the summary, or as failed."""
        if self.run:
            self._safely(lambda: self._finish(record, failed))

    def _finish(self, record: Optional[dict[str, Any]], failed: bool) -> None:
        for row in (record or {}).get("evaluations", ()):
            suffix = f"_{row['eval_alpha']:g}" if row["eval_alpha"] else ""
            for name in ("accuracy", "cross_entropy", "ece", "brier"):
                self.run.summary[f"{row['evaluation']}{suffix}/{name}"] = row[name]
        self.run.finish(exit_code=int(failed))
