"""Every training method as one record: all that the rest of the project asks of a method.

The checks, the plan of an epoch, the learner, Hydra's group `method` and the figures' legends read
it; no other module compares a method's name. Free of torch, so that planning starts fast; the loss
is named here, and imported when something trains.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import Any

from mixup_repro.errors import InputError
from mixup_repro.schema import MethodConfig

# What the plan of an epoch may draw.
PAIRS, BOX, OWN_LABELS, NOISE, LAYER = "pairs", "box", "own labels", "noise", "layer"


@dataclass(frozen=True)
class Method:
    """A way to train.

    title, look: its name in figures, and its colour (of papers.style), line and marker.
    loss: module and function below mixup_repro.methods, which `function` imports; "" where its
        networks are not trained here.
    defaults: the fields of `method` that it reads, and their values where none are given. Other
        fields are no part of its runs.
    draws: PAIRS (partners and lambdas), BOX (a box's centre), OWN_LABELS (a second partner and
        lambda), NOISE (keys of random numbers), LAYER (where a batch is mixed).
    modified_data: it needs the means and variances of Carratino et al., section 3.
    differentiates: it needs the network's derivatives for each example, so no BatchNorm, float32.
    accumulates: gradients are never zeroed.
    pictures: it is for pictures only.
    whole_batch: its loss needs the whole batch in one pass of one process.
    """

    title: str
    look: tuple[str, str, str]
    loss: str
    defaults: dict[str, Any] = field(default_factory=dict)
    draws: tuple[str, ...] = ()
    modified_data: bool = False
    differentiates: bool = False
    accumulates: bool = False
    pictures: bool = False
    whole_batch: bool = False

    @property
    def reads(self) -> tuple[str, ...]:
        """The fields of `method` that it reads."""
        return tuple(self.defaults)

    def check_trainable(self) -> None:
        """Refuse a method whose networks are made of files and not trained here.

        Raises:
            InputError: it is such a method.
        """
        if not self.loss:
            raise InputError(
                f"method={self.title.lower()}: nothing to train; mixup-repro import-weights makes "
                f"such a run of a file of weights, and mixup-repro evaluate asks it"
            )

    @property
    def function(self) -> Callable[..., Any]:
        """Its loss: (network, batch, MethodConfig) to an `Outcome`.

        Raises:
            InputError: as `check_trainable`.
        """
        self.check_trainable()
        return resolve_name(f"mixup_repro.methods.{self.loss}")


def mixing(
    lam_per: str = "example", pairing: str = "permutation", scheduled: bool = True
) -> dict[str, Any]:
    """The fields of a method that mixes pairs, as the papers write Mixup's risk.

    alpha: lambda ~ Beta(alpha, alpha); a number, or a list for several runs.
    lam_per: example, or batch (Zhang et al.'s code).
    pairing: permutation of the batch, reversal of the batch, or uniform over the data.
    pairing_group: partners come from groups of this many; null: the batch.
    truncated: an example's own weight is max(lam, 1 - lam).
    alpha_end, off_epochs: alpha by epoch (`plan.alphas`); only where alpha enters by lambda alone.
    """
    rest = {"pairing_group": None, "truncated": None}
    schedule = {"alpha_end": None, "off_epochs": None} if scheduled else {}
    return {"alpha": 1.0, "lam_per": lam_per, "pairing": pairing} | rest | schedule


def needs_means(method: MethodConfig) -> bool:
    """Whether training needs the training set's means: for modified data, or labels' y_bar."""
    return METHODS[method.name].modified_data or method.u == "mean"


SMOOTHING = {"epsilon": 0.1, "u": None}

METHODS = {
    "erm": Method("ERM", ("grey", "-", ""), "losses:erm"),
    "mixup": Method("Mixup", ("blue", "-", "o"), "losses:mixup", mixing(), (PAIRS,)),
    # Never zeroing Mixup's gradients, as the two-moons code of Chidambaram et al. does.
    "mixup_accumulated": Method(
        "Mixup (accumulated)",
        ("purple", "--", "s"),
        "losses:mixup",
        mixing("batch", "uniform"),
        (PAIRS,),
        accumulates=True,
    ),
    # Ablation: the label is that of the example with the larger weight.
    "mixup_inputs": Method(
        "Mixup of inputs only", ("purple", "--", "^"), "losses:mixup_inputs", mixing(), (PAIRS,)
    ),
    # Ablation: inputs and labels each with a partner and a lambda of their own.
    "mixup_independent": Method(
        "Independent Mixup",
        ("green", ":", "v"),
        "losses:mixup_independent",
        mixing(),
        (PAIRS, OWN_LABELS),
    ),
    # Carratino et al., eq. 12 without R2, by one Jacobian product an example.
    "approx_mixup": Method(
        "Approximate Mixup",
        ("purple", "--", "^"),
        "approximate:approx_mixup",
        mixing(scheduled=False),
        (PAIRS,),
        modified_data=True,
        differentiates=True,
    ),
    # The same by whole Jacobians, one backward pass a class: exact in theta and partners, and slow.
    "approx_mixup_exact": Method(
        "Approximate Mixup (exact)",
        ("purple", ":", "v"),
        "approximate:approx_mixup_exact",
        {"alpha": 1.0},
        modified_data=True,
        differentiates=True,
        whole_batch=True,
    ),
    # Carratino et al., eq. 20: inputs and labels shrunk to their means by theta_bar(alpha).
    "erm_modified": Method(
        "ERM on modified data",
        ("green", "-.", "v"),
        "approximate:erm_modified",
        {"alpha": 1.0},
        modified_data=True,
    ),
    # Yun et al. (2019): a box of the partner's pixels, labels mixed by area.
    "cutmix": Method(
        "CutMix", ("orange", "--", "s"), "losses:cutmix", mixing(), (PAIRS, BOX), pictures=True
    ),
    # Verma et al. (2019): hidden values mixed in place of inputs, in a layer drawn for each batch.
    "manifold_mixup": Method(
        "Manifold Mixup",
        ("purple", "--", "D"),
        "losses:manifold_mixup",
        mixing() | {"layers": [0, 1, 2]},
        (PAIRS, LAYER),
    ),
    # DeVries and Taylor (2017): one square of each picture zeroed.
    "cutout": Method(
        "Cutout", ("orange", ":", "^"), "losses:cutout", {"side": 4}, (BOX,), pictures=True
    ),
    # Chapelle et al. (2000): the vicinity of an example is a Gaussian around it.
    "gaussian_noise": Method(
        "Gaussian noise", ("green", "--", "o"), "losses:gaussian_noise", {"sigma": 0.3}, (NOISE,)
    ),
    # Szegedy et al. (2016): (1 - epsilon) y + epsilon u.
    "label_smoothing": Method(
        "Label smoothing",
        ("green", "-.", "v"),
        "losses:label_smoothing",
        SMOOTHING,
    ),
    # Both at once, as timm trains: the labels are smoothed, then mixed.
    "mixup_smoothed": Method(
        "Mixup and smoothing",
        ("purple", ":", "P"),
        "losses:mixup_smoothed",
        mixing() | SMOOTHING,
        (PAIRS,),
    ),
    "cutmix_smoothed": Method(
        "CutMix and smoothing",
        ("orange", ":", "X"),
        "losses:cutmix_smoothed",
        mixing() | SMOOTHING,
        (PAIRS, BOX),
        pictures=True,
    ),
    # A network that was not trained here, named by its file of weights.
    "imported": Method("Imported", ("grey", "--", "D"), "", {"sha256": None}),
}
