"""What came of the runs of a command, in a table for a person."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, Optional

from mixup_repro.store.folder import Outcome
from mixup_repro.training.progress import Progress
from mixup_repro.training.run import Result

METRICS = {"accuracy": ("test accuracy", ".2%"), "cross_entropy": ("cross-entropy", ".4f")}
METRICS |= {"ece": ("ECE", ".4f")}
RESCALED = (
    "rescaled: the same networks with inputs drawn towards their mean and logits stretched back, "
    "as Mixup with this alpha asks (Carratino et al., Algorithm 1)"
)
Prediction = tuple[str, Optional[float]]  # an evaluation, and the alpha it is at
PLAIN: Prediction = ("plain", None)


def summarise(results: Sequence[Result], progress: Progress) -> None:
    """Print the means over seeds of each id's runs, and what became of them.

    Where a job asks for rescaled predictions, they have lines of their own.
    """
    by_id: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        by_id[result.folder.id].append(result)
    asked = {name: predictions(some) for name, some in by_id.items()}
    rescales = any(len(some) > 1 for some in asked.values())
    rows = []
    for name, some in by_id.items():
        for k, prediction in enumerate(asked[name]):
            head = [name, str(len(some))] if k == 0 else ["", ""]
            what = [in_words(prediction)] if rescales else []
            rows.append(
                [*head, *what, *means(some, prediction), counts(some) if k == 0 else ""],
            )
    what = ["prediction"] if rescales else []
    header = ["run", "seeds", *what, *(heading for heading, _ in METRICS.values()), "state"]
    title = "Runs (mean over seeds)" if rescales else "Runs (plain prediction, mean over seeds)"
    if rows:
        progress.table(title, header, rows, RESCALED if rescales else "")


def predictions(results: Sequence[Result]) -> list[Prediction]:
    """Which predictions the summary shows of runs of one id: the plain one, and some rescaled.

    Records hold every run rescaled at its own alpha. It is shown only where the job asks for alphas
    (evaluation.alphas): at its own alpha, if that is one of them, as in a grid of alphas; else at
    each of them, and at its own where it has one (ERM has none).
    """
    run = results[0].folder.run
    asked = run.config.evaluation.alphas
    if asked is None:
        return [PLAIN]
    alphas = [run.alpha] if run.alpha in asked else sorted(run.rescaled_at)
    return [PLAIN, *(("rescaled", alpha) for alpha in alphas)]


def in_words(prediction: Prediction) -> str:
    """Such as: rescaled, alpha 0.5."""
    evaluation, alpha = prediction
    return evaluation if alpha is None else f"{evaluation}, alpha {alpha:g}"


def means(results: Sequence[Result], prediction: Prediction) -> list[str]:
    """The mean of each metric over the runs that have it."""
    rows: list[dict[str, Any]] = [
        row
        for result in results
        for row in (result.record or {}).get("evaluations", ())
        if (row["evaluation"], row["eval_alpha"]) == prediction
    ]
    if not rows:
        return [""] * len(METRICS)
    return [
        format(sum(row[name] for row in rows) / len(rows), how)
        for name, (_, how) in METRICS.items()
    ]


def counts(results: Sequence[Result]) -> str:
    """Such as: 2 done, 1 failed."""
    count = Counter(result.outcome for result in results)
    return ", ".join(f"{count[outcome]} {outcome}" for outcome in Outcome if count[outcome])
