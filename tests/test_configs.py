"""Every config composes and builds, holds its paper's settings, and keeps its run id."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace
from functools import cache
from itertools import product

import pytest
import torch
from helpers import job
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from mixup_repro import networks
from mixup_repro.data import load
from mixup_repro.errors import InputError
from mixup_repro.jobs import NAMED_BY_ROOT, SCALES, composed, expand, register, resolve
from mixup_repro.methods.registry import METHODS, PAIRS
from mixup_repro.papers import style
from mixup_repro.paths import CHECKOUT
from mixup_repro.schema import NOT_SCIENCE, SCIENCE, ArchitectureConfig, Config, MethodConfig
from mixup_repro.store.identity import dataset_label, run_id
from mixup_repro.training.learner import learning_rate, optimiser

EXPERIMENTS = sorted(
    str(path.relative_to(CHECKOUT / "configs/experiment").with_suffix(""))
    for path in (CHECKOUT / "configs/experiment").glob("*/*.yaml")
)
# Input shape and classes of the sets whose files a test machine may not have.
SHAPES = {
    "mnist": ((1, 28, 28), 10),
    "cifar10": ((3, 32, 32), 10),
    "cifar100": ((3, 32, 32), 100),
    "imagenet": ((3, 224, 224), 1000),
}
FIG4_ALPHAS = [0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0]


@cache
def experiment_jobs(name: str, scale: str) -> tuple[Config, ...]:
    """The jobs of `train.py -m experiment=<name> scale=<scale>`, the file's own sweep expanded."""
    words = [f"experiment={name}", f"scale={scale}"]
    return tuple(job(*words, *cell) for cell in product(*sweep_of(name)))


@cache
def sweep_of(name: str) -> list[list[str]]:
    """The words of the file's own sweep, key by key; they are the same at every scale."""
    _, params = composed([f"experiment={name}"])
    return [[f"{key}={value}" for value in str(params[key]).split(",")] for key in params]


def by_hydra(*words: str, **options: bool) -> DictConfig:
    """What Hydra itself makes of the words, all at once."""
    register()
    with initialize_config_dir(str(CHECKOUT / "configs"), version_base="1.3"):
        return compose("config", list(words), **options)


def only_run(*words: str) -> Config:
    (run,) = expand(job(*words))
    return run.config


@cache
def logits_shape(architecture: str, shape: tuple[int, ...], classes: int):
    config = ArchitectureConfig(**json.loads(architecture))
    network = networks.build(config, shape, classes, [0]).eval()
    with torch.inference_mode():
        return tuple(network(torch.zeros(1, 2, *shape)).shape)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_expands_and_builds_at_every_scale(name, scale):
    for config in experiment_jobs(name, scale):
        assert config.scale == scale
        label = dataset_label(config)
        if label in SHAPES:
            shape, classes = SHAPES[label]
        else:
            dataset = load(config.dataset)
            shape, classes = dataset.input_shape, dataset.classes
        built = logits_shape(json.dumps(asdict(config.architecture)), shape, classes)
        assert built == (1, 2, classes)
        runs = expand(config)
        assert len({(run_id(run.config), run.seed) for run in runs}) == len(runs) > 0


def test_no_grid_has_lost_a_run():
    """run_ids.txt: ids of all grids at all scales, each with how many seeds it has."""
    ids: dict[str, set[int]] = {}
    for name, scale in product(EXPERIMENTS, SCALES):
        for config in experiment_jobs(name, scale):
            for run in expand(config):
                ids.setdefault(run_id(run.config), set()).add(run.seed)
    known = (CHECKOUT / "tests/run_ids.txt").read_text().splitlines()
    assert len(known) > 300
    assert set(known) <= {f"{name} {len(seeds)}" for name, seeds in ids.items()}


MIXUP_ONLY = "carratino2020/table2_imagenet"  # as the paper's table


@pytest.mark.parametrize("name", [name for name in EXPERIMENTS if name != MIXUP_ONLY])
def test_every_experiment_trains_erm_and_mixup_on_the_same_seeds(name):
    jobs = {config.method.name: config for config in experiment_jobs(name, "paper")}
    mixup = jobs.get("mixup") or jobs["mixup_accumulated"]  # as the authors' code trains it
    assert jobs["erm"].seeds == mixup.seeds
    assert jobs["erm"].recipe == mixup.recipe


@pytest.mark.parametrize("group", ["dataset", "architecture", "recipe", "hardware"])
def test_every_option_of_a_group_composes(group):
    for path in sorted((CHECKOUT / "configs" / group).glob("*.yaml")):
        words = [f"{group}={path.stem}"]
        if path.stem in NAMED_BY_ROOT:
            words.append("dataset.root=somewhere")
        if path.stem == "torchvision":
            words.append("dataset.label=FashionMNIST")
        if path.stem == "timm":
            words.append("architecture.name=resnet50")
        if path.stem == "imported":
            words.append(f"method.sha256={64 * 'a'}")
        assert job(*words)


def test_every_method_composes_and_has_a_loss_a_name_and_a_look_in_figures():
    known = {f.name for f in fields(MethodConfig)} - {"name"}
    for name, method in METHODS.items():
        if not method.loss:
            continue
        config = job(f"method={name}").method
        given = {key: value for key in known if (value := getattr(config, key)) is not None}
        assert given == {key: v for key, v in method.defaults.items() if v is not None}
        assert set(method.reads) <= known and callable(method.function)
        assert style.METHODS[name] == method.title and method.title in style.SERIES
    titles = [method.title for method in METHODS.values()]
    assert len(set(titles)) == len(titles)


def test_slurm_jobs_may_be_requeued_and_are_told_before_their_end():
    launcher = by_hydra("hardware=slurm", return_hydra_config=True).hydra.launcher
    assert launcher._target_.endswith("SlurmLauncher")
    assert launcher.additional_parameters.requeue is True
    assert launcher.signal_delay_s >= 60


def test_slots_are_for_jobs_of_this_process_only():
    assert job("hardware=node").hardware.slots == "auto"
    assert job("hardware=auto").hardware.slots is None


def test_table_2_asks_the_mixup_runs_of_figure_4_at_two_alphas():
    (config,) = experiment_jobs(MIXUP_ONLY, "paper")
    ids = {run_id(run.config) for run in expand(config)}
    trained = experiment_jobs("carratino2020/fig4_imagenet", "paper")
    assert ids < {run_id(run.config) for job_ in trained for run in expand(job_)}
    assert config.method.alpha == [0.25, 0.5] and len(ids) == 2


def carratino(lr_at: list[tuple[int, float]], lr: float) -> tuple[dict, list[float]]:
    """The settings of appendix B.1, and the learning rate of each of its 200 epochs."""
    rates = []
    for epoch in range(200):
        lr = dict(lr_at).get(epoch, lr)
        rates.append(lr)
    settings = {
        "optimizer": "sgd",
        "momentum": 0.9,
        "nesterov": None,
        "weight_decay": 5e-4,
        "batch_size": 128,
        "epochs": 200,
        "crop_padding": 4,
        "flip": True,
    }
    return settings, rates


RESNET34 = carratino([(60, 0.01), (120, 0.001), (160, 0.0001)], lr=0.1)
LENET = carratino([(100, 0.001)], lr=0.01)
ADAM = {"optimizer": "adam", "momentum": None, "weight_decay": None}
ADAM |= {"crop_padding": None, "flip": None}
PAPER = {
    "carratino2020/fig4_cifar10": ("resnet34", *RESNET34),
    "carratino2020/fig4_cifar100": ("resnet34", *RESNET34),
    "carratino2020/fig4_cifar10_lenet": ("lenet", *LENET),
    "carratino2020/fig4_cifar100_lenet": ("lenet", *LENET),
    "carratino2020/fig4_cifar10_resnet20": ("resnet20", *RESNET34),
    "chidambaram2022/fig1": ("mlp", ADAM | {"batch_size": None, "epochs": 5000}, [1e-3] * 5000),
    "chidambaram2022/fig8_x10_2": (
        "mlp",
        ADAM | {"batch_size": None, "epochs": 5000},
        [1e-3] * 5000,
    ),
    "chidambaram2022/fig8_x10_10": (
        "mlp",
        ADAM | {"batch_size": None, "epochs": 5000},
        [1e-3] * 5000,
    ),
}


@pytest.mark.parametrize("name", PAPER)
def test_paper_scale_holds_the_papers_training_settings(name):
    architecture, settings, rates = PAPER[name]
    for config in experiment_jobs(name, "paper"):
        assert config.architecture.name == architecture
        recipe = asdict(config.recipe)
        assert {key: recipe[key] for key in settings} == settings
        got = [learning_rate(config.recipe, epoch) for epoch in range(config.recipe.epochs)]
        assert got == pytest.approx(rates, rel=1e-12)


@pytest.mark.parametrize("name", [n for n in PAPER if n.startswith("carratino2020/fig4_cifar")])
def test_figure_4_has_ten_seeds_and_seven_alphas_mixed_per_example(name):
    config = job(f"experiment={name}", "scale=paper", "method=mixup")
    assert config.seeds == 10
    assert config.method.alpha == FIG4_ALPHAS
    assert (config.method.lam_per, config.method.pairing) == ("example", "permutation")
    assert config.evaluation.alphas == FIG4_ALPHAS


@pytest.mark.parametrize(
    ("item", "points", "classes", "alphas"),
    [
        ("fig1", 3, 2, [1, 32, 128]),
        ("fig8_x10_2", 10, 2, [1, 32]),
        ("fig8_x10_10", 10, 10, [1, 32]),
    ],
)
def test_alternating_lines_follow_the_authors_code(item, points, classes, alphas):
    config = job(f"experiment=chidambaram2022/{item}", "scale=paper", "method=mixup")
    assert (config.dataset.points, config.dataset.classes) == (points, classes)
    assert config.architecture.hidden == [512]
    assert config.seeds == 10
    assert config.method.alpha == alphas
    assert (config.method.lam_per, config.method.pairing) == ("batch", "uniform")
    assert config.recipe.evaluate_every == 50


def test_chidambaram_image_recipe_and_normalisation():
    recipe = asdict(job("recipe=chidambaram_images").recipe)
    expected = ADAM | {"lr": 1e-3, "batch_size": 128, "epochs": 50, "decay_at": None}
    assert {key: recipe[key] for key in expected} == expected
    pixels = {
        "mnist": ([0.1307], [0.3081]),
        "cifar10": ([0.4914, 0.4822, 0.4465], [0.2023, 0.1994, 0.2010]),
        "cifar100": ([0.5071, 0.4867, 0.4408], [0.2675, 0.2565, 0.2761]),
    }
    for name, (mean, std) in pixels.items():
        dataset = job(f"dataset={name}").dataset
        assert (dataset.mean, dataset.std) == (mean, std)


@pytest.mark.parametrize("name", ["carratino_lenet", "chidambaram_images"])
def test_the_optimiser_is_the_recipes(name):
    config = only_run(f"recipe={name}")
    network = networks.build(config.architecture, (1, 8, 8), 10, [0])
    (group,) = optimiser(config.recipe, network).param_groups
    assert group["lr"] == config.recipe.lr
    assert group["weight_decay"] == (config.recipe.weight_decay or 0)
    assert group.get("momentum", 0) == (config.recipe.momentum or 0)
    assert ("betas" in group) == (config.recipe.optimizer == "adam")


def test_scale_picks_the_tier():
    name = "experiment=carratino2020/fig4_cifar10_lenet"
    by_scale = {scale: job(name, f"scale={scale}") for scale in SCALES}
    assert {s: c.recipe.epochs for s, c in by_scale.items()} == {
        "paper": 200,
        "short": 40,
        "smoke": 1,
    }
    assert {s: c.seeds for s, c in by_scale.items()} == {"paper": 10, "short": 5, "smoke": 1}
    assert job(name) == by_scale["paper"]


def test_the_command_line_beats_the_tier():
    words = ["scale=smoke", "recipe.epochs=7", "seeds=[4]", "method.alpha=3"]
    config = job("experiment=carratino2020/fig4_cifar10_lenet", *words)
    assert (config.recipe.epochs, config.seeds, config.method.alpha) == (7, [4], 3)
    assert config.evaluation.alphas == [3.0]


def test_an_unknown_scale_is_refused_with_the_known_ones():
    words = ["experiment=carratino2020/fig4_digits", "scale=huge"]
    with pytest.raises(Exception, match="paper, short, smoke"):
        job(*words)
    with pytest.raises(InputError, match="paper, short, smoke"):
        job("scale=huge")


# A changed id orphans every finished run: change these only where the meaning of a run changed.
GOLDEN = [
    ("dataset=digits architecture=mlp method=mixup method.alpha=1", "digits-mlp-mixup-a1-4d91c41c"),
    (
        "dataset=digits architecture=linear method=erm recipe=chidambaram_images",
        "digits-linear-erm-aa553797",
    ),
    (
        "dataset=digits method=label_smoothing recipe=chidambaram_images",
        "digits-mlp-label_smoothing-38e50705",
    ),
    (
        "dataset=cifar100 architecture=resnet18 method=cutmix recipe=carratino_resnet34",
        "cifar100-resnet18-cutmix-a1-e5411728",
    ),
    ("experiment=carratino2020/fig4_cifar10 method=erm", "cifar10-resnet34-erm-bcfd4cfb"),
    (
        "experiment=carratino2020/fig4_cifar10_lenet scale=short method.alpha=0.5",
        "cifar10-lenet-mixup-a0.5-17ed8207",
    ),
    ("experiment=chidambaram2022/fig1 method.alpha=32", "x_3^2-mlp-mixup-a32-54361bcb"),
    (
        "experiment=carratino2020/fig2_cifar10 method=approx_mixup",
        "cifar10-lenet-approx_mixup-a1-3eb22310",
    ),
    (
        "experiment=carratino2020/fig3_cifar10 method=erm_modified",
        "cifar10-lenet-erm_modified-a1-b58b2278",
    ),
    (
        "experiment=carratino2020/fig7_cifar10 method=label_smoothing method.epsilon=0.25",
        "cifar10-lenet-label_smoothing-c1b66757",
    ),
    (
        "experiment=carratino2020/fig8_moons method=mixup",
        "two_moons-random_features-mixup-a1-ca054a8e",
    ),
]


@pytest.mark.parametrize(("words", "known"), GOLDEN)
def test_known_configs_keep_their_ids(words, known):
    assert run_id(expand(job(*words.split()))[0].config) == known


BASE = "dataset=cifar10", "architecture=lenet", "recipe=carratino_lenet", "method.alpha=0.5"


@pytest.mark.parametrize(
    "word",
    [
        "dataset.root=/elsewhere",
        "data_root=/elsewhere",
        "hardware.device=cuda",
        "hardware.threads=3",
        "hardware.checkpoint_seconds=9",
        "hardware.slots=[0,1]",
        "hardware.runs_per_gpu=2",
        "retry=failed",
        "part=1/1",
        "wandb.mode=offline",
        "runs_dir=/elsewhere",
        "recipe.evaluate_every=7",
        "recipe.evaluate_train=true",
        "recipe.evaluate_rescaled=true",
        "evaluation.terms=1",
        "evaluation.temperature=true",
        "method.epsilon=0.3",
        "evaluation.alphas=[1,2]",
        "seeds=[5]",
    ],
)
def test_the_id_does_not_depend_on_where_and_how_a_run_is_made(word):
    assert run_id(only_run(*BASE, word)) == run_id(only_run(*BASE))


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("method=imported", "method.sha256=abc"), r"method\.sha256=abc: give the 64"),
        (("method=imported", f"method.sha256={64 * 'a'}", "seeds=2"), "is one run"),
        (("method.alpha_end=-1",), "alpha_end=-1.0: must be at least 0"),
        (("method.alpha_end=0", "recipe.epochs=1"), "recipe.epochs of at least 2"),
        (("method.off_epochs=0",), "off_epochs=0: must lie between 1 and"),
        (("method=approx_mixup", "method.alpha_end=0"), "approx_mixup has one alpha"),
    ],
)
def test_a_field_that_nothing_reads_or_that_makes_no_sense_is_refused(words, named):
    with pytest.raises(InputError, match=named):
        job(*words)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("architecture=resnet18", "architecture.width=0"), "width=0: must be at least 1"),
        (
            ("architecture=mlp", "architecture.width=8"),
            "width=8: is for resnet18, resnet34",
        ),
        (("architecture=resnet20", "architecture.width=8"), "resnet20 does not read it"),
        (("architecture=lenet", "architecture.hidden=[8]"), r"hidden=\[8\]: is for mlp"),
        (("architecture=timm", "architecture.name=resnet18", "architecture.width=8"), "of timm"),
        (("architecture=mlp", "architecture.hidden=[4,0]"), r"hidden=\[4, 0\]"),
    ],
)
def test_a_network_is_refused_fields_that_it_does_not_read_or_cannot_use(words, named):
    with pytest.raises(InputError, match=named):
        networks.build(job(*words).architecture, (3, 32, 32), 10, [0])


def test_a_width_is_part_of_a_run_and_none_is_the_run_as_it_was():
    words = ("dataset=cifar10", "architecture=resnet18", "recipe=carratino_resnet34")
    narrow = only_run(*words, "architecture.width=16")
    assert (
        run_id(narrow)
        != run_id(only_run(*words))
        == run_id(only_run(*words, "architecture.width=null"))
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("method.alpha=1", "method.alpha=1.0"),
        ("method.alpha=1", "method.alpha=[1]"),
        ("recipe.lr=1", "recipe.lr=1.0"),
        ("recipe.decay_at=[0.5]", "recipe.decay_at=[5e-1]"),
    ],
)
def test_two_spellings_of_a_number_are_one_run(one, other):
    assert run_id(only_run(*BASE, one)) == run_id(only_run(*BASE, other))


def test_every_field_of_the_science_changes_the_id():
    base = only_run(*BASE)
    ids = [run_id(base), run_id(replace(base, scale="short"))]
    for group in SCIENCE:
        values = getattr(base, group)
        for field in fields(values):
            if field.name not in NOT_SCIENCE.get(group, ()):
                other = 7 if field.name == "alpha" else "other"
                ids.append(run_id(replace(base, **{group: replace(values, **{field.name: other})})))
    assert len(ids) > 20
    assert len(set(ids)) == len(ids)


def test_each_alpha_and_method_has_an_id_of_its_own():
    runs = expand(job(*BASE, "method.alpha=[0.1,0.25,0.5]"))
    runs += expand(job(*BASE, "method=cutmix"))
    runs += expand(job(*BASE, "method=erm"))
    assert len({run_id(run.config) for run in runs}) == 5


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_erm_is_one_run_whatever_the_grid_of_alphas(name):
    words = [f"experiment={name}", "method=erm"]
    plain = {run_id(run.config) for run in expand(job(*words))}
    other = ["method.alpha=[0.3,3]", "method.lam_per=batch", "method.pairing=reversal"]
    assert {run_id(run.config) for run in expand(job(*words, *other))} == plain
    assert len(plain) == 1
    assert all(run.alpha is None for run in expand(job(*words)))


def test_seeds_may_be_a_number_or_a_list():
    number, listed = (expand(job(word)) for word in ("seeds=3", "seeds=[0,1,2]"))
    assert number == listed
    assert [run.seed for run in number] == [0, 1, 2]


def test_a_job_is_the_product_of_its_alphas_and_seeds():
    runs = expand(job("method.alpha=[0.5,1]", "seeds=[3,8]"))
    assert [(run.alpha, run.seed) for run in runs] == [(0.5, 3), (0.5, 8), (1.0, 3), (1.0, 8)]
    assert all(run.config.seeds is None for run in runs)


def test_image_folders_are_named_by_their_folder_unless_labelled():
    words = ["dataset=image_folder", "dataset.root=/some/birds/"]
    assert dataset_label(job(*words)) == "birds"
    assert dataset_label(job(*words, "dataset.label=my birds")) == "my_birds"
    for name, ending in NAMED_BY_ROOT.items():
        assert dataset_label(job(f"dataset={name}", f"dataset.root=some/b.d{ending}")) == "b.d"


@pytest.mark.parametrize("method", [m for m, r in METHODS.items() if PAIRS in r.draws])
def test_a_pairing_group_must_divide_the_batch(method):
    words = [f"method={method}", "recipe.batch_size=64"]
    assert job(*words, "method.pairing_group=16").method.pairing_group == 16
    with pytest.raises(InputError, match=r"method\.pairing_group=24"):
        job(*words, "method.pairing_group=24")


def test_resolving_leaves_the_composed_config_alone():
    config, _ = composed(["experiment=carratino2020/fig4_digits"])
    before = config.copy()
    resolve(config)
    assert config == before


@pytest.mark.parametrize(
    "words",
    [
        "experiment=carratino2020/fig4_digits scale=smoke method=mixup",
        "experiment=carratino2020/fig4_digits scale=paper method=mixup method.alpha=[3]",
        "experiment=chidambaram2022/fig3_moons seeds=[1,2] recipe.lr=1 recipe.lr=2",
        "recipe.lr=1 dataset=digits dataset.label=a architecture=mlp hardware.slots=auto",
        "++recipe.lr=1",
        "recipe={lr: 3}",
        "hydra.job.name=other",
    ],
)
def test_fields_set_upon_what_is_kept_are_the_config_that_hydra_composes_at_once(words):
    words = words.replace(": ", ":").split()
    for _ in range(2):  # what is kept stays as it is
        ours, hydras = composed(words)[0], by_hydra(*words)
        for resolved in (False, True):
            assert OmegaConf.to_yaml(ours, resolve=resolved) == OmegaConf.to_yaml(
                hydras, resolve=resolved
            )


@pytest.mark.parametrize(
    "words",
    [
        "nosuch=1",
        "+recipe.lr=1",
        "~method.alpha",
        "recipe.nosuch=1",
        "recipe.lr=abc",
        "dataset=nosuch",
        "seeds=1,2",
        "scale@x=3",
        "recipe.lr=choice(1,2)",
        "scale.x=1",
    ],
)
def test_what_cannot_be_composed_is_refused_as_hydra_refuses_it(words):
    with pytest.raises(HydraException) as hydras:
        by_hydra(words)
    with pytest.raises(type(hydras.value)) as ours:
        composed([words])
    assert str(ours.value) == str(hydras.value)
