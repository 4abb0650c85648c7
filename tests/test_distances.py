"""Table 2's distances against scipy, point by point, and the script as a user runs it."""

from __future__ import annotations

from functools import partial

import commands
import numpy as np
import pandas as pd
import pytest
import torch
from helpers import job, make_image_folder
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from mixup_repro import report
from mixup_repro.data import load
from mixup_repro.errors import InputError
from mixup_repro.papers.chidambaram2022 import distances, table2
from mixup_repro.papers.chidambaram2022.distances import mixup_distances, nearest
from mixup_repro.store import results
from mixup_repro.store.results import measured, merge_measured


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 30), st.integers(2, 4))
def test_nearest_equals_scipy_point_by_point(seed, points, mixtures, classes):
    rng = np.random.default_rng(seed)
    p, m = rng.normal(size=(points, 5)), rng.normal(size=(mixtures, 5))
    y, both = rng.integers(classes, size=points), rng.integers(classes, size=(mixtures, 2))
    expected = np.full(points, np.inf)
    for k in range(points):
        others = m[(both != y[k]).all(1)]
        if len(others):
            expected[k] = cdist(p[k : k + 1], others).min()
    tensors = (torch.from_numpy(a) for a in (p, y, m, both))
    np.testing.assert_allclose(nearest(*tensors), expected, atol=1e-6)


def test_chunks_change_nothing(monkeypatch):
    g = torch.Generator().manual_seed(0)
    p, m = torch.randn(50, 8, generator=g), torch.randn(70, 8, generator=g)
    y, both = torch.arange(50) % 3, torch.stack([torch.arange(70) % 3, torch.arange(70) % 2], 1)
    whole = nearest(p, y, m, both)
    monkeypatch.setattr(distances, "CHUNK", 64)
    torch.testing.assert_close(nearest(p, y, m, both), whole)


def test_mixtures_without_noise_in_lambda_are_midpoints_of_the_sample():
    """A huge alpha: every mixture is a midpoint, so distances can be had from all midpoints."""
    dataset = load(job("dataset=digits").dataset)
    found = mixup_distances(dataset, 1e9, 0.1, draw=3)
    assert found["train"].minimum > 0 and found["train"].average > found["train"].minimum
    again = mixup_distances(dataset, 1e9, 0.1, draw=3)
    assert found == again and found != mixup_distances(dataset, 1e9, 0.1, draw=4)
    x = dataset.normalise(dataset.x_train).flatten(1).double().numpy()
    y, n = dataset.y_train.numpy(), len(dataset.y_train)
    i, j = np.triu_indices(n, 1)
    best = np.inf  # over all pairs of all examples: a lower bound for every sample
    for k in range(0, n, 30):
        use = (y[i] != y[k]) & (y[j] != y[k])
        pick = np.flatnonzero(use)[:: max(1, use.sum() // 20_000)]
        best = min(best, cdist(x[k : k + 1], (x[i[pick]] + x[j[pick]]) / 2).min())
    assert found["train"].minimum > 0.5 * best


@pytest.mark.parametrize("share", [0.0, 1.5, 0.001])
def test_a_share_that_leaves_nothing_is_refused(share):
    with pytest.raises(ValueError, match="share="):
        mixup_distances(load(job("dataset=digits").dataset), 1.0, share, 0)


script = partial(commands.run, "scripts/distances.py")


def test_the_script_measures_each_draw_once(tmp_path):
    words = ("dataset=digits", "--share", "0.2", "--results-dir", str(tmp_path))
    first = script(*words, "--draws", "1")
    assert first.returncode == 0, first.stderr
    second = script(*words, "--draws", "2")
    assert "draw 0: measured before" in second.stdout and "draw 1: train" in second.stdout
    frame = pd.read_csv(tmp_path / "distances.csv")
    assert list(frame["part"]) == ["test", "train"] * 2 and set(frame["dataset"]) == {"digits"}


@pytest.mark.parametrize(
    "words, line",
    [
        (("dataset=alternating_line",), "has no pictures; use dataset=mnist"),
        (("dataset=digits", "--share", "2"), "share 2: a share of the data, in (0, 1]"),
        (("dataset=birds",), "birds"),
        (("dataset=digits", "--draws", "0"), "--draws 0: must be at least 1"),
    ],
)
def test_bad_input_is_one_line(words, line, tmp_path):
    done = script(*words, "--results-dir", str(tmp_path))
    assert done.returncode == 2
    assert line in done.stderr and "Traceback" not in done.stderr


def test_a_name_that_is_no_name_of_a_file_is_made_one_and_not_read(tmp_path):
    make_image_folder(tmp_path / "pets", classes=3)
    words = ("dataset=image_folder", f"dataset.root={tmp_path / 'pets'}", "dataset.label=a/b")
    done = script(*words, "--share", "1", "--draws", "1", "--results-dir", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    path = tmp_path / "out" / "distances.csv"
    assert set(measured(path)["dataset"]) == {"a_b"}
    path.write_text(path.read_text().replace("a_b", "a/b"))
    with pytest.raises(InputError, match="no data set is named 'a/b' here"):
        measured(path)


def test_table_2_is_drawn_for_each_of_its_data_sets_that_was_measured(tmp_path):
    rows = [
        {"dataset": "mnist", "alpha": 1024, "share": 0.2, "draw": k, "part": part}
        | {"minimum": 11.4 + 0.1 * k, "average": 19.7, "wall_s": 1.0, "device": "cpu"}
        for k in range(4)
        for part in ("train", "test")
    ]
    merge_measured(tmp_path / "distances.csv", pd.DataFrame(rows))
    drawn = {on.name: on for on in table2.ITEM.on}
    none, on = results.load(tmp_path), drawn["table2_mnist"]
    data = on.source.load(on.name, "paper", tmp_path, none)
    assert data.seeds() == 4
    assert drawn["table2_cifar10"].source.load("table2_cifar10", "paper", tmp_path, none) is None
    assert on.source.load(on.name, "short", tmp_path, none) is None
    item = report.Entry(report.PAPERS[1], table2.ITEM, on, data)
    verdicts = {c.id: [f.verdict for f in found] for c, found in item.findings}
    assert verdicts["table2_small"] == ["supported", "supported"]
    assert verdicts["table2"][0] == "agrees" and verdicts["table2"][1] == "differs"
    assert item.table["minimum"].iloc[0] == pytest.approx(11.55)
    assert len(report.drawn(item).axes) == 2
