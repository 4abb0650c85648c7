"""Every item of a paper is one record, complete, on runs that a grid trains."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields, replace
from functools import cache
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from mixup_repro import report
from mixup_repro.errors import InputError
from mixup_repro.jobs import compose, expand, experiments
from mixup_repro.papers.carratino2020 import fig4
from mixup_repro.papers.chidambaram2022 import fig2
from mixup_repro.papers.claims import CONTRADICTED, Claim
from mixup_repro.papers.errata import Erratum
from mixup_repro.papers.items import Item, On, check
from mixup_repro.papers.shared import ItemData, by_epoch, by_seed, select, summarise
from mixup_repro.papers.sources import Runs
from mixup_repro.paths import CHECKOUT
from mixup_repro.schema import SCALES, Config
from mixup_repro.stats import NoValues
from mixup_repro.store.identity import run_id
from mixup_repro.store.rows import COLUMNS

SETTINGS = {f"{paper.name}/{on.name}": on for paper in report.PAPERS for _, on in paper.settings}
CORRUPTED = {name for name in SETTINGS if re.match("carratino2020/fig[56]_", name)}
SOURCES = {name: getattr(on.source, "own", on.source) for name, on in SETTINGS.items()}
ON_RUNS = {name: source for name, source in SOURCES.items() if isinstance(source, Runs)}
# Of the others the command is that of the grid.
ASKING = [name for name, source in ON_RUNS.items() if source.ask or source.only]


@cache  # many settings share a grid
def jobs(*words: str) -> list[Config]:
    return list(compose(words))


def ids(*words: str) -> set[str]:
    return {run_id(run.config) for job in jobs(*words) for run in expand(job)}


def test_every_item_is_there_and_drawn_on_settings_of_its_own_name():
    assert len(SETTINGS) == sum(len(paper.settings) for paper in report.PAPERS) == 95
    for paper in report.PAPERS:
        modules = (CHECKOUT / "mixup_repro/papers" / paper.name).glob("*.py")
        records = [path for path in modules if "\nITEM = Item(" in path.read_text()]
        assert len(records) == len(paper.items)


def test_every_grid_is_drawn_and_every_item_names_a_grid_that_is_there():
    beside = [
        runs for on in SETTINGS.values() for runs in getattr(on.source, "others", {}).values()
    ]
    assert {source.grid for source in [*ON_RUNS.values(), *beside]} == set(experiments())


@pytest.mark.parametrize("kind", [Item, On])
def test_no_part_of_a_record_can_be_left_out(kind):
    record = fig4.ITEM if kind is Item else fig4.ITEM.on[0]
    given = {field.name: getattr(record, field.name) for field in fields(kind)}
    told = [field.name for field in fields(kind) if field.default is MISSING]
    assert set(given) - set(told) <= {"panel"}
    for name in told:
        with pytest.raises(TypeError, match=f"missing 1 required positional argument: '{name}'"):
            kind(**{k: v for k, v in given.items() if k != name})


@pytest.mark.parametrize(
    "changes, says",
    [
        ({"paper": ""}, "must say something"),
        ({"title": ""}, "must say something"),
        ({"on": ()}, "on must say something"),
        ({"on": fig4.ITEM.on[:1] * 2}, "two settings have one name"),
        ({"on": (replace(fig4.ITEM.on[0], code=" "),)}, "fig4_cifar10: code must say something"),
        ({"on": (replace(fig4.ITEM.on[0], name=""),)}, "name must say something"),
        ({"claims": (Claim("x", "a", "b", fig4.grows, on=("fig99",)),)}, "x: is on"),
        ({"claims": (Claim("x", "", "b", fig4.grows),)}, "carratino2020, x: where must say"),
        ({"claims": (Claim("x", "a", "", fig4.grows),)}, "x: sentence must say something"),
    ],
)
def test_a_record_that_says_nothing_or_contradicts_itself_is_refused_by_name(
    changes, says, monkeypatch
):
    paper = replace(report.PAPERS[0])
    paper.__dict__["items"] = (replace(fig4.ITEM, **changes),)
    monkeypatch.setattr("mixup_repro.report.items.PAPERS", (paper,))
    with pytest.raises(InputError, match=says) as error:
        report.entries(CHECKOUT / "results")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("place", ["theorem", "untested"])
def test_a_theorem_and_an_untested_claim_need_their_place_in_the_paper(place):
    paper = report.PAPERS[0]
    nowhere = replace(paper, theorems=(replace(paper.theorems[0], where=""),))
    if place == "untested":
        nowhere = replace(paper, untested=(("table9", "Something.", ""),))
    name = "table9" if place == "untested" else paper.theorems[0].id
    with pytest.raises(InputError, match=f"carratino2020, {name}: where must say something"):
        check(nowhere)


@pytest.mark.parametrize("field", [field.name for field in fields(Erratum)])
def test_an_erratum_needs_every_text(field):
    paper = report.PAPERS[0]
    broken = replace(paper, errata=[replace(paper.errata[0], **{field: ""})])
    with pytest.raises(InputError, match=f"carratino2020, erratum .+: {field} must say something"):
        check(broken)


def test_no_two_claims_of_a_paper_on_one_setting_have_one_id():
    for paper in report.PAPERS:
        for one, other in combinations(paper.items, 2):
            shared = {c.id for c in one.claims} & {c.id for c in other.claims}
            assert shared <= {"fig5_c", "quirk_accumulate"}  # said of two items
        for item in paper.items:
            assert len({claim.id for claim in item.claims}) == len(item.claims)


def test_what_the_papers_say_always_happens_is_judged_so():
    """Carratino et al., section 5: ERM "always deteriorate", and the gap "always grows"."""
    claims = [claim for paper in report.PAPERS for item in paper.items for claim in item.claims]
    assert {claim.id for claim in claims if claim.always} == {"fig4_erm", "fig6_severity"}
    assert all("always" in claim.sentence for claim in claims if claim.always)


@pytest.mark.parametrize("name", ASKING)
def test_a_setting_asks_runs_of_its_grid_for_what_its_item_is_about(name):
    source = ON_RUNS[name]
    for scale in {"short", *source.only}:
        (command, _, *train), *asked = source.commands(scale)
        grid = ids(f"experiment={source.grid}", f"scale={scale}")
        assert command == "train" and ids(*train) <= grid
        assert ids(*train) == grid or scale in source.only
        evaluated = []
        for command, _, *words in asked:
            assert command == "evaluate" and ids(*words) == ids(*train)
            evaluated += jobs(*words)
        item = name.split("/")[1].split("_")[0]
        benchmarks = {job.benchmark.name for job in evaluated} - {None}
        assert bool(benchmarks) == (
            item in ("corruptions", "corruption", "table2", "people") or name in CORRUPTED
        )
        assert len(benchmarks) == (8 if item == "table2" else bool(benchmarks))
        assert any(job.evaluation.temperature for job in evaluated) == (
            item in ("temperature", "calibration", "table1")
        )


def test_what_differs_by_scale_is_what_is_typed():
    source = SETTINGS["carratino2020/fig5_digits"].source
    part = {scale: source.commands(scale)[0][-1] for scale in ("", *SCALES)}
    three = "method.alpha=[0.25,1,4]"
    assert part == {"": three, "paper": three, "short": three, "smoke": "method.alpha=[8]"}


def test_every_stand_in_for_the_papers_network_or_data_says_so():
    stands_for = {"lenet": "LeNet", "resnet20": "ResNet-20", "resnet18w16": "width 16"}
    stands_for |= {"digits": "digits"}
    found = [name for name in SETTINGS if name.split("_")[-1] in stands_for]
    assert len(found) > 15
    for name in found:
        assert stands_for[name.split("_")[-1]] in SETTINGS[name].differs, name


def test_every_text_ends_its_sentence():
    for paper in report.PAPERS:
        for item, on in paper.settings:
            for text in (item.paper, on.code, on.differs or "."):
                assert text.endswith((".", ".)")), (on.name, text)


PLACES = [CHECKOUT / "README.md", CHECKOUT / "Makefile", *CHECKOUT.glob("docs/*.md")]
PLACES += [path for suffix in ("py", "sbatch") for path in CHECKOUT.glob(f"scripts/*.{suffix}")]
PLACES += [*CHECKOUT.glob("configs/**/*.yaml"), *CHECKOUT.glob("notebooks/*.ipynb")]


def test_every_name_that_a_user_is_told_to_type_is_there():
    seen = set()
    for path in PLACES:
        text = path.read_text()
        for name in re.findall(r"experiment=(\w+/\w+)", text):
            assert name in experiments(), (path, name)
        for line in re.findall(r"reproduce\.py ([^`\n]*)|^ITEMS = ((?:.*\\\n)*.*)", text, re.M):
            names = re.findall(r"\b(?:carratino2020|chidambaram2022)/\w+", "".join(line))
            assert set(names) <= set(SETTINGS), path
            seen |= set(names)
    assert len(seen) > 12


def test_an_unknown_item_is_refused_with_what_is_near():
    assert report.setting("carratino2020/fig6_digits").name == "fig6_digits"
    with pytest.raises(InputError, match=r"fig6_digit: no item .* carratino2020/fig6_digits"):
        report.setting("carratino2020/fig6_digit")


ROWS = pd.DataFrame(
    {
        "method": ["erm", "erm", "mixup", "mixup", "mixup"],
        "alpha": [np.nan, np.nan, 1, 1, 2],
        "seed": [1, 0, 0, 1, 0],
        "ece": [0.2, 0.1, 0.5, 0.7, 0.9],
    }
)


def test_rows_are_selected_by_values_and_none_is_empty():
    assert by_seed(select(ROWS, method="erm", alpha=None), "ece").to_dict() == {0: 0.1, 1: 0.2}
    assert len(select(ROWS, method="mixup")) == 3
    assert len(select(ROWS, method="mixup", alpha=1)) == 2
    for values in ({"method": "mixup", "alpha": None}, {"method": "cutmix"}, {"alpha": 8}):
        with pytest.raises(NoValues):
            select(ROWS, **values)
    with pytest.raises(NoValues, match="no test_accuracy"):
        by_epoch(ROWS.assign(epoch=1), "test_accuracy")


def test_a_table_has_n_mean_and_half_width_and_no_row_without_values():
    table = summarise(
        ({"alpha": a}, {"ece": lambda a=a: by_seed(select(ROWS, method="mixup", alpha=a), "ece")})
        for a in (1.0, 2.0, 8.0)
    )
    assert table["alpha"].tolist() == [1, 2] and table["n"].tolist() == [2, 1]
    assert table["ece"].tolist() == pytest.approx([0.6, 0.9])
    half = 12.7062047 * 0.1  # t for one degree of freedom, times the standard error
    assert table["ece +-"].tolist() == pytest.approx([half, np.inf])
    assert summarise([]).empty


def test_a_column_of_fewer_values_than_its_row_says_so():
    """A probe needs weights, which not every run has kept: its mean is of fewer seeds."""
    values = {"accuracy": [0.5, 0.6, 0.7], "AUC": [0.5, 0.7], "TPR": []}
    columns = {name: lambda v=v: pd.Series(v, dtype=float) for name, v in values.items()}
    table = summarise([({"method": "ERM"}, columns)])
    assert list(table) == ["method", "n", "accuracy", "accuracy +-", "AUC", "AUC +-", "AUC n"]
    assert table.loc[0, ["n", "AUC", "AUC n"]].tolist() == pytest.approx([3, 0.6, 2])


def test_what_a_setting_lacks_is_not_run_and_not_an_error():
    """Runs of another evaluation, or none at all: every item answers, with verdicts or without."""
    run = {"run_id": "x", "method": "erm", "seed": 0, "evaluation": "plain", "accuracy": 0.5}
    frame = pd.DataFrame([run | {"architecture": "mlp", "share": 0.3, "part": "train"}])
    frame = frame.reindex(columns=[*COLUMNS, "share", "part", "minimum", "average"])
    columns = "method alpha seed evaluation benchmark corruption example probe setting metric"
    none = pd.DataFrame(columns=columns.split())
    for paper in report.PAPERS:
        for item, on in paper.settings:
            dataset = on.name.split("_")[1] if "table2" in on.name else "digits"
            parts = dict.fromkeys(
                ("curves", "predictions", "maps", "bins", "terms", "ood", "probes"), none
            )
            data = ItemData(on.name, "paper", 1, frame.assign(dataset=dataset), **parts)
            entry = report.Entry(paper, item, on, data)
            assert not entry.shows_something, on.name


def test_times_that_were_never_reached_are_censored_and_not_numbers():
    """Chidambaram's Figure 2: a seed that never gets there took longer than any."""
    rows = [
        {"method": method, "alpha": alpha, "seed": seed, "epoch": epoch + 1}
        | {"train_accuracy": 1 - error}
        for method, alpha, errors in (
            ("erm", np.nan, [0.30, 0.10, 0.02]),
            ("mixup", 1024.0, [0.60, 0.40, 0.30]),
        )
        for seed in range(5)
        for epoch, error in enumerate(errors)
    ]
    curves = pd.DataFrame(rows)
    runs = curves.drop_duplicates(["method", "seed"]).assign(dataset="mnist")
    empty = dict.fromkeys(("predictions", "maps", "bins", "terms", "ood", "probes"), pd.DataFrame())
    data = ItemData("fig2_mnist", "paper", 5, runs, curves, **empty)
    half, most = fig2.rate(data)
    # 0.9 -> 0.02: half of the way is 0.46, which Mixup reaches in epoch 2 and ERM in 1: not within
    # twice; 90 % is 0.108, which it never reaches.
    assert half.effect.mean == most.effect.mean == 0
    assert half.verdict == most.verdict == CONTRADICTED
    assert "never" not in half.part and "5 of 5 seeds never" in most.part


@pytest.mark.parametrize("lacking, seeds", [("mixup", [0, 1]), ("erm", [3, 4])])
def test_a_seed_that_was_not_run_is_no_seed_that_never_got_there(lacking, seeds):
    """Mixup reaches both levels as ERM does; the seeds that one of them lacks are not counted."""
    curves = pd.DataFrame(
        {
            "method": method,
            "alpha": alpha,
            "seed": seed,
            "epoch": e + 1,
            "train_accuracy": 1 - error,
        }
        for method, alpha in (("erm", np.nan), ("mixup", 1024.0))
        for seed in range(5)
        if method != lacking or seed not in seeds
        for e, error in enumerate((0.30, 0.02))
    )
    runs = curves.drop_duplicates(["method", "seed"]).assign(dataset="mnist")
    empty = dict.fromkeys(("predictions", "maps", "bins", "terms", "ood", "probes"), pd.DataFrame())
    for finding in fig2.rate(ItemData("fig2_mnist", "paper", 2, runs, curves, **empty)):
        assert (finding.effect.mean, finding.effect.n) == (1, 3) and "never" not in finding.part
