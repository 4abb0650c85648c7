"""Errata of the papers: their witnesses, the page, and the command that checks one."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import expit

from mixup_repro import beta, cli, report
from mixup_repro.papers.carratino2020.errata import direct, formulas, labels, split, unbounded
from mixup_repro.papers.carratino2020.paper import PAPER as CARRATINO
from mixup_repro.papers.claims import Check, Theorem
from mixup_repro.papers.errata import Erratum, Kind, Number
from mixup_repro.paths import CHECKOUT
from mixup_repro.theory.entropy import proposition_1

EVERY = [erratum for paper in report.PAPERS for erratum in paper.errata]
LINE = re.compile(r"^ +([-+*#>]|\d+\.)( |$)", re.MULTILINE)  # of a list or heading


def made_up(*numbers: Number) -> Erratum:
    return Erratum("made_up", "Eq. (0)", Kind.FALSE, "A.", "B.", "1. C.", "D.", lambda: [*numbers])


@pytest.fixture
def door(monkeypatch, capsys):
    """`mixup-repro check ...` in this process: exit code, stdout, stderr."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["mixup-repro", "check", *words])
        code = cli.main()
        return code, *capsys.readouterr()

    return run


# --- what an erratum says ------------------------------------------------------------------------


@pytest.mark.parametrize("erratum", CARRATINO.errata, ids=lambda e: e.id)
def test_a_witness_bears_its_erratum_out(erratum):
    numbers = erratum.witness()
    assert numbers and not [n.what for n in numbers if not n.confirms]


def test_ids_are_unique_among_errata_and_theorems():
    theorems = [theorem for paper in report.PAPERS for theorem in paper.theorems]
    assert len(report.checkable()) == len(EVERY) + len(theorems)


@pytest.mark.parametrize("erratum", EVERY, ids=lambda e: e.id)
def test_every_field_says_something_and_no_line_looks_like_a_step(erratum):
    fields = (erratum.where, erratum.printed, erratum.right, erratum.derivation, erratum.holds)
    assert all(text.strip() for text in fields)
    steps = re.findall(r"^ *(\d+)\. ", erratum.derivation, re.MULTILINE)
    assert steps == [str(k + 1) for k in range(len(steps))] and 2 <= len(steps) <= 6
    for text in (erratum.printed, erratum.right, erratum.holds):
        assert not [line for line in text.splitlines() if LINE.match(line)]
    assert len(re.findall(LINE, erratum.derivation)) == len(steps)


@pytest.mark.parametrize(
    "broken",
    [
        Number("both routes differ", None, 1.0, 1.1),
        Number("what is printed is right", 1.0, 1.0, 1.0),
        Number("not a number", None, float("nan"), float("nan")),
        Number("within what is allowed", 1.0, 1.0005, 1.0, allowed=1e-3),
    ],
    ids=lambda n: n.what,
)
def test_a_broken_number_does_not_bear_out(broken, door, monkeypatch):
    assert not broken.confirms
    fine = Number("fine", 2.0, 1.0, 1.0)
    made = {"made_up": made_up(fine, broken), "other": made_up(fine)}
    monkeypatch.setattr(report, "checkable", lambda: made)
    code, out, err = door("made_up")
    assert (code, err) == (1, "") and out.endswith(f"Not confirmed: {broken.what}\n\n")
    assert door("other")[0] == 0
    code, out, _ = door("all")
    assert code == 1 and out.count("The numbers confirm it.") == 1 and "Eq. (0)" in out


# --- the command ---------------------------------------------------------------------------------


def test_without_an_id_every_one_has_a_line(door):
    code, out, err = door()
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == list(report.checkable())
    assert "Corollary 3, eq. (19), and its proof, eq. (37), erratum: misprint" in out


def test_an_erratum_is_shown_with_its_numbers_computed_anew(door):
    code, out, err = door("eq19")
    assert (code, err) == (0, "")
    for told in ("**Printed.**", "**Right.**", "**Derivation.**", "**What holds.**"):
        assert told in out
    assert "| coefficient of \\|b - b_bar\\|^2 | 1 | 0.5 | 0.5 |" in out
    assert out.endswith("The numbers confirm it.\n\n")


def test_a_theorem_is_checked_by_its_id(door, monkeypatch):
    code, out, _ = door("lemma1")
    assert code == 0 and "| covariances (8), relative | 18 |" in out and "supported" in out
    wrong = Theorem("t", "Thm 0", "Zero is one.", lambda: [Check("0 = 1", 1, 1.0, 1e-9)])
    monkeypatch.setattr(report, "checkable", lambda: {"t": wrong})
    code, out, _ = door("t")
    assert code == 1 and out.endswith("Not confirmed: 0 = 1\n\n")
    fine = made_up(Number("fine", 2.0, 1.0, 1.0))
    monkeypatch.setattr(report, "checkable", lambda: {"t": wrong, "made_up": fine})
    code, out, _ = door("all")  # errata alone: a theorem may well not hold
    assert code == 0 and "Thm 0" not in out and "Eq. (0)" in out
    beside = [Check("0 = 0", 1, 0.0, 1e-9), Check("0 = 1", 1, 1.0, 1e-9, printed=True)]
    monkeypatch.setattr(report, "checkable", lambda: {"t": replace(wrong, check=lambda: beside)})
    code, out, _ = door("t")
    assert code == 0 and "erratum" in out


@pytest.mark.parametrize("name, near", [("eq91", "eq19"), ("r2_unbound", "r2_unbounded")])
def test_an_unknown_id_is_one_line_with_the_nearest(name, near, door):
    code, out, err = door(name)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {name}: no erratum or theorem") and err.count("\n") == 1
    assert near in err


def test_an_id_that_is_like_none_says_where_they_are(door):
    code, _, err = door("?")
    assert code == 2 and "mixup-repro check lists them" in err
    assert door("eq19", "eq19")[0] == 2


# --- the page ------------------------------------------------------------------------------------


def test_the_committed_page_is_what_the_report_writes(tmp_path):
    report.write_errata(tmp_path)
    text = (tmp_path / "ERRATA.md").read_text()
    assert text == (CHECKOUT / "results/ERRATA.md").read_text(), "make report"
    tables = sum(bool(paper.misprints) for paper in report.PAPERS)
    assert text.count("\n### ") == len(EVERY) + tables
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        f"## {paper.title}" for paper in report.PAPERS
    ]


# --- the two routes ------------------------------------------------------------------------------


def test_enumeration_has_the_moments_of_theta():
    for power in (1, 2, 3):
        value, weight = direct.uniform(0.5, 1, 4)
        expected = stats.uniform(0.5, 0.5).moment(power)
        assert weight @ value**power == pytest.approx(expected)
    assert beta.theta_bar(1) == direct.THETA_BAR
    x = np.random.default_rng(0).normal(size=(5, 2))
    weight = direct.probabilities(5)
    for i in range(5):
        noise = direct.noise(x, i)
        assert weight.sum() == pytest.approx(1) and weight @ noise == pytest.approx(0, abs=1e-12)


def test_enumeration_is_the_mean_over_drawn_pairs():
    rng, n = np.random.default_rng(0), 400_000
    i, j, lam = *rng.integers(6, size=(2, n)), rng.random(n)
    mixed = lam[:, None] * split.POINTS[i] + (1 - lam)[:, None] * split.POINTS[j]
    drawn = direct.logistic(lam * split.LABELS[i] + (1 - lam) * split.LABELS[j], split._f(mixed))
    ours = direct.mixup(direct.logistic, split._f, split.POINTS, split.LABELS)
    assert ours == pytest.approx(drawn.mean(), abs=5 * drawn.std() / n**0.5)


def test_features_have_their_derivatives():
    """Those of B.3, of which the ray is made, by automatic differentiation."""
    rng = np.random.default_rng(0)
    features = unbounded.Features(10 * rng.normal(size=(20, 2)), rng.random(20))
    w, x = rng.normal(size=20), rng.normal(size=(3, 2))
    at = features.local(x, w)
    s, b = torch.from_numpy(features.s), torch.from_numpy(features.b)

    def f(z: torch.Tensor) -> torch.Tensor:
        return (s @ z + b).cos() @ torch.from_numpy(w) / 20**0.5

    for k, z in enumerate(torch.from_numpy(x)):
        assert at.u[k] == pytest.approx(float(f(z)))
        np.testing.assert_allclose(at.g[k], torch.func.grad(f)(z))
        np.testing.assert_allclose(at.q[k], torch.func.hessian(f)(z))


def test_the_descent_follows_the_gradient_of_the_approximate_risk():
    x, y = formulas.POINTS @ np.array([[1.0, 0.5]]), formulas.LABELS
    rng = np.random.default_rng(0)
    features = unbounded.Features(rng.normal(size=(7, 2)), rng.random(7))
    shrunk = formulas.modified(x)

    def risk(w: np.ndarray) -> float:
        return direct.quadratic(x, y, features.local(shrunk, w)).total

    one = unbounded.descended(x, y, features, steps=1)
    two = unbounded.descended(x, y, features, steps=2)
    slope = [(risk(one + e) - risk(one - e)) / 2e-5 for e in 1e-5 * np.eye(7)]
    np.testing.assert_allclose(one - two, 5 * np.array(slope), atol=1e-8)


# --- what the derivations say --------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.2, 1.0, 8.0])
def test_the_closed_form_of_eq19(alpha):
    t, s2 = beta.theta_bar(alpha), beta.sigma2(alpha)
    assert 2 * s2 + t**2 + (1 - t) ** 2 == pytest.approx((alpha + 1) / (2 * alpha + 1))


def test_an_affine_function_has_a_bounded_approximate_risk():
    """At least (theta_bar - k) |w.Sigma_xy|, as eq12_unbounded says of it."""
    rng, k = np.random.default_rng(0), 2 / 3
    for _ in range(200):
        x, y = rng.normal(size=(5, 2)), (rng.random(5) < 0.5).astype(float)
        w, b = 10 ** rng.uniform(-2, 2) * rng.normal(size=2), 3 * rng.normal()
        u = formulas.modified(x) @ w + b
        at = direct.Local(u, np.tile(w, (5, 1)), np.zeros((5, 2, 2)))
        joint = abs(w @ ((x - x.mean(0)).T @ (y - y.mean())) / 5)
        assert direct.quadratic(x, y, at).total >= (0.75 - k) * joint - 1e-12


def test_no_modified_point_is_on_a_segment_in_general():
    """disjoint_points: of random points in the plane, by the distance to every segment."""
    x = np.random.default_rng(0).normal(size=(6, 2))
    for z in formulas.modified(x):
        for i, j in np.ndindex(6, 6):
            if i != j:
                along = np.clip((z - x[j]) @ (x[i] - x[j]) / ((x[i] - x[j]) @ (x[i] - x[j])), 0, 1)
                assert np.linalg.norm(z - x[j] - along * (x[i] - x[j])) > 1e-3


@pytest.mark.parametrize("u", [0.0, 1.0, -3.0])
def test_where_one_point_of_the_approximate_risk_is_convex(u):
    m = 1 - 2 * expit(u)
    edge = 4 / (1 + m * m)
    for factor in (0.99, 1.01):
        least = np.linalg.eigvalsh(unbounded._hessian(u, (factor * edge) ** 0.5))[0]
        assert (least > 0) == (factor < 1)


def test_an_intercept_makes_the_condition_of_proposition_1_hold():
    rng = np.random.default_rng(0)
    for _ in range(10):
        x = rng.normal(size=(30, 2))
        y = np.eye(2)[(x[:, 0] + 2 * rng.normal(size=30) > 0.8).astype(int)]
        found = proposition_1(np.c_[x, np.ones(30)], y, 1.0)
        assert found.plain <= found.prior and found.plain <= found.smoothed


def test_the_exact_boundary_of_three_clusters_tends_to_the_limit():
    for p in (0.25, 0.36):
        far, near = (abs(np.subtract(*labels._boundary(p, width))) for width in (0.04, 0.01))
        assert near < far / 8
