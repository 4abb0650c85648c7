"""The plan of an epoch: everything random about it, as a pure function of (seed, epoch).

Order of the examples, partner and lambda of each, crop offset and flip are drawn up front by
NumPy generators on named streams, so a run gets the same batches on any device, alone or among
stacked replicas, on one rank or on many, and a resumed run needs no generator state. ERM and every
alpha share order and augmentation for a given seed, which makes comparisons between them paired.

Lambda comes from NumPy, not from `torch.distributions.Beta`, which at alpha = 1e-3 returns
exactly 0.5 for a quarter of the draws.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, Optional

import numpy as np

STREAMS = (  # append only
    *("init", "order", "partner", "lam", "crop", "flip", "box"),
    *("label_partner", "label_lam", "data", "features", "resized_crop"),
    "probe",
    *("subset", "flipped", "cue", "test_cue", "rare_train", "rare_test", "keys", "layer"),
)


def stream(seed: int, purpose: str, block: int = 0) -> np.random.Generator:
    """The generator of one purpose, for one seed and block of epochs.

    >>> from mixup_repro.plan import stream
    >>> stream(seed=0, purpose="lam").random() == stream(0, "lam").random()
    True
    >>> stream(0, "lam").random() == stream(0, "order").random()
    False

    Raises:
        ValueError: a purpose that is not among STREAMS.
    """
    key = (STREAMS.index(purpose), block)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


@dataclass(frozen=True)
class PlanSpec:
    """What a plan depends on besides seed and epoch. `batch_size` is at most `n`."""

    n: int
    batch_size: int
    pairing: Optional[str] = None  # permutation | reversal | uniform; None: no partners
    pairing_group: Optional[int] = None  # positions that partners are drawn among; None: a batch
    alpha: Optional[float] = None  # lambda ~ Beta(alpha, alpha)
    alpha_end: Optional[float] = None  # of the last epoch; None: alpha
    off_epochs: int = 0  # last epochs with lambda 1
    epochs: int = 1  # of the run; only schedules of alpha depend on it
    lam_per: str = "example"  # example | batch
    truncated: bool = False  # max(lam, 1 - lam) in place of lam
    crop_padding: int = 0  # pixels a side
    flip: bool = False
    resized_crop: bool = False  # each example's own seed for a random resized crop
    box: bool = False  # CutMix: a box centre for each example
    keys: bool = False  # each example's own key of random_bits
    layers: tuple[int, ...] = ()  # manifold mixup: where a batch may be mixed
    own_labels: bool = False  # labels have partners and lambdas of their own

    @property
    def block(self) -> int:
        """Epochs drawn at once: many for tiny data sets, where a draw costs more than a step."""
        return max(1, 4096 // self.n)


@dataclass(frozen=True)
class EpochPlan:
    """Arrays over the n positions of an epoch (last axes named), NumPy or torch.

    order    (..., n)     data set index at each position
    partner  (..., n)     position of each example's partner (its data: order[partner])
    lam      (..., n)     weight of the example itself; 1 - lam is its partner's
    offset   (..., n, 2)  top-left corner of the crop in the padded image
    flip     (..., n)     mirrored left to right
    crop_seed (..., n)    of the generator that draws a random resized crop
    box      (..., n, 2)  CutMix box centre, as fractions of height and width
    keys     (..., n)     of each example's random numbers inside network and loss
    layer    (..., n)     where the example's batch is mixed, the same for every seed
    label_partner, label_lam (..., n)  like partner and lam, where labels are mixed on their own
    """

    order: Any
    partner: Any = None
    lam: Any = None
    offset: Any = None
    flip: Any = None
    box: Any = None
    label_partner: Any = None
    label_lam: Any = None
    crop_seed: Any = None
    keys: Any = None
    layer: Any = None

    def map(self, function: Callable[[Any], Any]) -> EpochPlan:
        """The plan with `function` applied to every array it has."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return EpochPlan(**{k: None if v is None else function(v) for k, v in values.items()})

    @staticmethod
    def stack(plans: list[EpochPlan], axis: int = 0) -> EpochPlan:
        """Plans of several replicas as one, with a new axis for the replicas."""
        columns = {f.name: [getattr(p, f.name) for p in plans] for f in fields(EpochPlan)}
        return EpochPlan(
            **{k: None if v[0] is None else np.stack(v, axis) for k, v in columns.items()}
        )


def draw_block(spec: PlanSpec, seed: int, block: int) -> EpochPlan:
    """The plans of epochs block * spec.block, ...: arrays with a leading axis of spec.block.

    Order and crops do not depend on alpha, so methods are compared on the same batches:

    >>> from mixup_repro.plan import PlanSpec, draw_block
    >>> spec = PlanSpec(n=6, batch_size=3, pairing="permutation", alpha=0.5)
    >>> mixup = draw_block(spec, seed=0, block=0)
    >>> mixup.order.shape  # 4096 examples are drawn at once: 682 epochs of 6
    (682, 6)
    >>> mixup.order[5]  # which examples come in epoch 5, in which order
    array([4, 1, 0, 2, 3, 5])
    >>> mixup.partner[5]  # positions in the same batch of three
    array([0, 1, 2, 3, 5, 4])
    >>> erm = draw_block(PlanSpec(n=6, batch_size=3), seed=0, block=0)
    >>> bool((erm.order == mixup.order).all()), erm.partner
    (True, None)

    Raises:
        ValueError: partners without alpha.
    """
    shape = (spec.block, spec.n)

    def rng(purpose: str) -> np.random.Generator:
        return stream(seed, purpose, block)

    order = rng("order").permuted(np.broadcast_to(np.arange(spec.n), shape), axis=1)
    drawn: dict[str, np.ndarray] = {"order": order}
    if spec.crop_padding:
        drawn["offset"] = rng("crop").integers(2 * spec.crop_padding + 1, size=(*shape, 2))
    if spec.flip:
        drawn["flip"] = rng("flip").random(shape) < 0.5
    if spec.resized_crop:
        drawn["crop_seed"] = rng("resized_crop").integers(2**62, size=shape)
    if spec.pairing:
        drawn["partner"] = _partners(spec, rng("partner"))
        drawn["lam"] = _lambdas(spec, rng("lam"), block)
    if spec.own_labels:
        drawn["label_partner"] = _partners(spec, rng("label_partner"))
        drawn["label_lam"] = _lambdas(spec, rng("label_lam"), block)
    if spec.box:
        drawn["box"] = rng("box").random((*shape, 2), dtype=np.float32)
    if spec.keys:
        drawn["keys"] = rng("keys").integers(2**62, size=shape)
    if spec.layers:
        drawn["layer"] = _layers(spec, block)
    return EpochPlan(**drawn)


def _layers(spec: PlanSpec, block: int) -> np.ndarray:
    """(block, n) the layer that each position's batch is mixed in.

    Drawn for seed 0 whatever the run's: a stack of runs is mixed in one layer at a time.
    """
    batch = np.arange(spec.n) // spec.batch_size
    shape = (spec.block, batch[-1] + 1)
    choice = stream(0, "layer", block).integers(len(spec.layers), size=shape)
    return np.asarray(spec.layers)[choice][:, batch]


@lru_cache(maxsize=8)
def _groups(spec: PlanSpec) -> np.ndarray:
    """(n,) the pairing group of each position; groups never cross a batch."""
    position = np.arange(spec.n)
    group = spec.pairing_group or spec.batch_size
    per_batch = -(-spec.batch_size // group)
    batch, inside = np.divmod(position, spec.batch_size)
    return batch * per_batch + inside // group


def _partners(spec: PlanSpec, rng: np.random.Generator) -> np.ndarray:
    shape = (spec.block, spec.n)
    if spec.pairing == "uniform":  # over the whole data set, itself included
        return rng.integers(spec.n, size=shape)
    group = _groups(spec)
    if spec.pairing == "reversal":
        first, last = _group_ends(group)
        return np.broadcast_to(first + last - np.arange(spec.n), shape).copy()
    # Sorting random keys inside each group permutes every group of every epoch at once.
    return np.argsort(group + rng.random(shape), axis=1)


def _group_ends(group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    first = np.searchsorted(group, group, side="left")
    return first, np.searchsorted(group, group, side="right") - 1


def alphas(spec: PlanSpec, epochs: np.ndarray) -> np.ndarray:
    """alpha in each of these epochs, counted from 0; 0 where nothing is mixed.

    A straight line from `alpha` in the first epoch to `alpha_end` in the last.

    >>> import numpy as np
    >>> from mixup_repro.plan import PlanSpec, alphas
    >>> spec = PlanSpec(n=6, batch_size=3, alpha=8.0, alpha_end=0.0, epochs=5)
    >>> alphas(spec, np.arange(5))
    array([8., 6., 4., 2., 0.])

    Raises:
        ValueError: no alpha.
    """
    if spec.alpha is None:
        raise ValueError("a plan with partners needs the alpha of their lambdas")
    end = spec.alpha if spec.alpha_end is None else spec.alpha_end
    passed = np.clip(epochs / max(1, spec.epochs - 1), 0, 1)
    alpha = (1 - passed) * spec.alpha + passed * end
    return np.where(epochs < spec.epochs - spec.off_epochs, alpha, 0.0)


def _lambdas(spec: PlanSpec, rng: np.random.Generator, block: int) -> np.ndarray:
    alpha: Any = spec.alpha
    changes = spec.alpha_end is not None or spec.off_epochs
    if changes or alpha is None:
        alpha = alphas(spec, block * spec.block + np.arange(spec.block))[:, None]
    drawn = np.where(alpha > 0, alpha, 1.0)  # also where it is not used: later draws stay
    if spec.lam_per == "batch":
        batch = np.arange(spec.n) // spec.batch_size
        lam = rng.beta(drawn, drawn, (spec.block, batch[-1] + 1))[:, batch]
    else:
        lam = rng.beta(drawn, drawn, (spec.block, spec.n))
    lam = np.where(alpha > 0, lam, 1.0)
    if spec.truncated:  # the pair is the same; who of the two counts as the example is chosen
        lam = np.maximum(lam, 1 - lam)
    return lam.astype(np.float32)


def rank_slice(start: int, stop: int, rank: int, world: int, group: int = 1) -> slice:
    """The positions of batch [start, stop) that one of `world` ranks trains on.

    Each rank gets whole pairing groups, in order, and as many as the others or one more. The slices
    of all ranks join up to the batch, so the batch does not depend on the number of ranks.
    """
    groups = -(-(stop - start) // group)
    low, high = (start + group * (groups * r // world) for r in (rank, rank + 1))
    return slice(low, min(high, stop))
