"""The schema of a job: what every field of a config is, and its default."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional

SCALES = ("paper", "short", "smoke")


@dataclass
class DatasetConfig:
    name: str = "???"
    root: Optional[str] = None  # where the files lie; not part of a run's identity
    workers: Optional[int] = None  # imagenet: reading processes a rank; null: one a CPU core
    fingerprint: Optional[dict[str, str]] = None  # hashes of a known set, which is then checked
    label: Optional[str] = None  # its name in results; null: the set's, or its file's or folder's
    column: Optional[str] = None  # csv, huggingface: of the labels; null: the last, the only one
    points: Optional[int] = None  # X_m^k: m; the plane's sets: all; digits_graph: labelled
    classes: Optional[int] = None  # alternating_line: k of X_m^k
    noise: Optional[float] = None  # moons: standard deviation of the coordinates' noise
    separation: Optional[float] = None  # separated_moons: how far each moon is pushed aside
    train_examples: Optional[int] = None  # this many, all classes in share; null: all
    labels: Optional[str] = None  # cifar10, cifar100: people's, of data.human_labels; null: true
    flipped: Optional[float] = None  # share of training labels that are wrong, drawn per seed
    cue: Optional[float] = None  # pictures: share with a pixel that names their class in training
    rare: Optional[float] = None  # pictures: share that are negatives in training; half in testing
    hops: Optional[int] = None  # digits_graph: how often features are averaged over neighbours
    ratio: Optional[float] = None  # circles: the inner one's radius, of the outer one's
    layout: Optional[str] = None  # gaussians: where the classes lie
    size: Optional[int] = None  # pictures from files: pixels of a side, to which all are brought
    resize: Optional[int] = None  # imagenet: the shorter side before the centre crop of testing
    interpolation: Optional[str] = None  # imagenet, image_folder: bilinear | bicubic
    unreadable: Optional[str] = None  # imagenet: null stops at a damaged picture; skip: the next
    mean: Optional[list[float]] = None  # per channel, pixels in [0, 1]; null: of the training set
    std: Optional[list[float]] = None


@dataclass
class ArchitectureConfig:
    name: str = "???"
    library: Optional[str] = None  # timm: the name is one of timm's; null: one of our own
    width: Optional[int] = None  # resnet18, resnet34: channels of the first stage; null: 64
    hidden: Optional[list[int]] = None  # mlp: widths of the hidden layers
    features: Optional[int] = None  # random_features: how many
    sigma: Optional[float] = None  # random_features: standard deviation of the frequencies
    one_logit: Optional[bool] = None  # random_features: eq. (22) as for labels 0 and 1, one logit
    options: Any = None  # timm: more arguments of its network, by name
    dropout: Optional[float] = None  # mlp, lenet: rate at which hidden units are zeroed in training


@dataclass
class MethodConfig:
    name: str = "???"
    alpha: Any = None  # lambda ~ Beta(alpha, alpha); a number or a list
    alpha_end: Optional[float] = None  # alpha moves to this from epoch to epoch; 0: ERM at the end
    off_epochs: Optional[int] = None  # nothing is mixed in this many last epochs
    lam_per: Optional[str] = None  # example | batch
    pairing: Optional[str] = None  # permutation | reversal | uniform
    pairing_group: Optional[int] = None  # partners come from groups of this many; null: the batch
    truncated: Optional[bool] = None  # an example's own weight is max(lam, 1 - lam)
    epsilon: Optional[float] = None  # label_smoothing: weight of u
    sigma: Optional[float] = None  # gaussian_noise: standard deviation, of normalised inputs
    side: Optional[int] = None  # cutout: pixels of a side of the square
    layers: Optional[list[int]] = None  # manifold_mixup: stages whose inputs are mixed; 0: pixels
    u: Optional[str] = None  # label_smoothing: uniform (so null) | mean, the class frequencies
    sha256: Optional[str] = None  # imported: of the file of weights


@dataclass
class RecipeConfig:
    optimizer: str = "???"  # sgd | adam
    lr: float = 0.1
    momentum: Optional[float] = None
    nesterov: Optional[bool] = None
    weight_decay: Optional[float] = None
    spectral: Optional[float] = None  # weight of the penalty sum of squared spectral norms / 2
    norm_decay: Optional[bool] = None  # false: no weight decay of BatchNorm's parameters
    batch_size: Optional[int] = None  # null: full batch
    epochs: int = 1
    decay_at: Optional[list[float]] = None  # fractions of `epochs` at which lr is multiplied ...
    decay_by: Optional[float] = None  # ... by this
    warmup_epochs: Optional[int] = None  # lr rises from 0, step by step, over these
    crop_padding: Optional[int] = None  # random crop after zero-padding by this many pixels
    flip: Optional[bool] = None  # random horizontal flip
    resized_crop: Optional[float] = None  # imagenet: random crops from this share of a picture up
    microbatch: Optional[int] = None  # examples of one pass, and of one BatchNorm; null: all
    evaluate_every: int = 1  # epochs between two points of the test curves
    evaluate_train: bool = False  # also measure loss and accuracy on the clean training set
    evaluate_rescaled: bool = False  # also measure the rescaled prediction, at the run's own alpha


@dataclass
class EvaluationConfig:
    alphas: Any = None  # rescaled prediction at these (number or list), besides the run's own
    temperature: bool = False  # also scale by a temperature fitted on held-out examples
    terms: Optional[float] = None  # regularisation and modified-data loss of Mixup at this alpha
    objective: Optional[str] = None  # train's value for a sweeper: a metric of left-out examples


@dataclass
class BenchmarkConfig:
    name: Optional[str] = None  # a key of mixup_repro.shifts.KINDS; null: none
    root: Optional[str] = None  # where the released files lie, or generated ones are kept
    released: Optional[int] = None  # examples of a complete release; null: any number
    corruptions: Optional[list[str]] = None  # null: all 19
    severities: list[int] = field(default_factory=lambda: [1, 2, 3, 4, 5])
    examples: Optional[int] = None  # this many of the test set, drawn once; null: all


@dataclass
class HardwareConfig:
    device: str = "auto"  # auto (a GPU of CUDA, or the CPU) | cpu | cuda | mps
    threads: Optional[int] = None  # CPU threads of PyTorch; null: its own choice
    checkpoint_seconds: float = 1.0  # at most one checkpoint in this time, after an epoch
    checkpoint_minutes: float = 10.0  # and at most one in this time inside an epoch
    patience_minutes: float = 10.0  # torchrun: ranks end where none gets on for this long
    precision: str = "auto"  # of the network in training: auto | float32 | bfloat16
    graph: bool = True  # on a GPU: replay the training step as one CUDA graph
    sync_batchnorm: bool = False  # torchrun: BatchNorm over the batches of all processes
    slots: Any = None  # null: train in this process; auto or a list such as [0, 1]: one process ...
    runs_per_gpu: int = 1  # ... for each visible GPU (or these), times this; or for each CPU core


@dataclass
class WandbConfig:
    mode: str = "disabled"  # disabled | offline | online
    project: str = "mixup_repro"
    entity: Optional[str] = None  # the user or team it belongs to; null: wandb's own choice
    group: Optional[str] = None  # null: the run's id, whose seeds are together
    name: Optional[str] = None  # the seed is added; null: id and seed
    tags: Optional[list[str]] = None


@dataclass
class Config:
    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    architecture: ArchitectureConfig = field(default_factory=ArchitectureConfig)
    method: MethodConfig = field(default_factory=MethodConfig)
    recipe: RecipeConfig = field(default_factory=RecipeConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    benchmark: BenchmarkConfig = field(default_factory=BenchmarkConfig)
    probe: Any = None  # questions to finished runs' weights: keys of mixup_repro.probes.PROBES
    hardware: HardwareConfig = field(default_factory=HardwareConfig)
    wandb: WandbConfig = field(default_factory=WandbConfig)
    seeds: Any = 1  # a number n (seeds 0..n-1) or a list
    part: Optional[str] = None  # k/n: only the k-th of n parts of the job's runs
    retry: str = "all"  # all: train whatever is missing | failed: only runs that failed before
    scale: Optional[str] = None  # paper | short | smoke; set by experiments
    data_root: str = "data"
    runs_dir: str = "runs"


@dataclass(frozen=True)
class Run:
    """One training run: a config with one alpha (or none), and one seed."""

    config: Config
    seed: int

    @property
    def alpha(self) -> float | None:
        """Its one alpha; None for a method without."""
        alpha: float | None = self.config.method.alpha
        return alpha

    @property
    def rescaled_at(self) -> set[float]:
        """The alphas at which its prediction is to be rescaled: its own, and those asked for."""
        return {self.alpha, *(self.config.evaluation.alphas or ())} - {None}


# What a run computes: these groups and the scale make its identity, and nothing else does.
SCIENCE = ("dataset", "architecture", "method", "recipe")

NOT_SCIENCE = {
    "dataset": ("root", "workers", "fingerprint"),
    "recipe": ("evaluate_every", "evaluate_train", "evaluate_rescaled"),
}
