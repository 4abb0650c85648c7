"""An optional mirror of a run in Weights & Biases. Off unless asked for; never needed."""

from __future__ import annotations

from typing import Any, Literal, Optional, cast

import wandb

from mixup_repro.store.folder import RunFolder
from mixup_repro.store.identity import science


class Mirror:
    """One wandb run for one of our runs, with our id, so that a resumed run continues its own."""

    def __init__(self, folder: RunFolder) -> None:
        settings = folder.run.config.wandb
        self.run = wandb.init(
            project=settings.project,
            mode=cast(Literal["offline", "online"], settings.mode),
            id=f"{folder.id}-seed{folder.run.seed}".replace("^", "_"),
            name=str(folder),
            group=folder.id,
            config=science(folder.run.config) | {"seed": folder.run.seed},
            dir=folder.path,
            resume="allow",
            reinit="create_new",  # a stack has one for each of its runs at a time
        )

    def log(self, row: dict[str, Any]) -> None:
        """One point of the curves."""
        self.run.log({k: v for k, v in row.items() if k != "epoch"}, step=row["epoch"])

    def finish(self, record: Optional[dict[str, Any]] = None, failed: bool = False) -> None:
        """Close the run as finished, with its evaluations as the summary, or as failed."""
        for row in (record or {}).get("evaluations", ()):
            suffix = f"_{row['eval_alpha']:g}" if row["eval_alpha"] else ""
            for name in ("accuracy", "cross_entropy", "ece", "brier"):
                self.run.summary[f"{row['evaluation']}{suffix}/{name}"] = row[name]
        self.run.finish(exit_code=int(failed))
