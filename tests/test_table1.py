"""Table 1's cells on made-up runs: what each regulariser is compared with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_carratino_items import SEEDS, item, noise, verdicts

from mixup_repro.papers.carratino2020 import table1
from mixup_repro.papers.claims import CONTRADICTED, DIFFERS, NOT_RUN, SUPPORTED
from mixup_repro.papers.shared import ItemData

METHODS = (("erm", np.nan), ("label_smoothing", np.nan), ("mixup", 1.0))


def made_up(accuracy: dict[str, float], ece: dict[str, float], norm: dict[str, float]) -> ItemData:
    """Runs of each method named, plain, rescaled (accuracy 0.1 higher) and with T = 2."""
    runs, probes = [], []
    for m, a in METHODS:
        if m not in accuracy:
            continue
        for s in SEEDS:
            about = {"run_id": m, "method": m, "alpha": a, "seed": s}
            for evaluation, at, more in (
                ("plain", np.nan, 0.0),
                ("rescaled", 1.0, 0.1),
                ("temperature", np.nan, 0.0),
            ):
                values = {"accuracy": accuracy[m] + more + noise(s, len(m), int(10 * more))}
                values |= {"ece": ece[m] * (0.5 if evaluation == "temperature" else 1) + noise(s)}
                runs.append(
                    about
                    | values
                    | {"evaluation": evaluation, "eval_alpha": at, "temperature": 2.0}
                )
            cell = {"probe": "jacobian", "setting": "test", "metric": "logits"}
            probes.append(about | cell | {"value": norm[m] + noise(s, len(m))})
    return item("table1_digits", runs, probes=probes)


def levels(erm: float, smoothing: float, mixup: float) -> dict[str, float]:
    return {"erm": erm, "label_smoothing": smoothing, "mixup": mixup}


def whole() -> ItemData:
    """Every cell changes: smoothing for the worse, dropout and the penalty for the better."""
    flat = {"erm": 0.2}
    beside = {
        "wrong": made_up(levels(0.5, 0.4, 0.7), levels(1, 1, 1), levels(1, 1, 1)),
        "dropout": made_up({"erm": 0.9}, {"erm": 0.1}, {"erm": 5.0}),
        "dropout wrong": made_up({"erm": 0.8}, flat, flat),
        "spectral": made_up({"erm": 0.9}, {"erm": 0.6}, {"erm": 4.0}),
        "spectral wrong": made_up({"erm": 0.6}, flat, flat),
    }
    clean = made_up(levels(0.9, 0.9, 0.9), levels(0.4, 0.6, 0.2), levels(8.0, 3.0, 9.0))
    return replace(clean, beside=beside)


def test_ticks_are_judged_by_their_sign_and_no_tick_only_agrees_or_differs():
    found = verdicts(table1, whole())
    assert found["t1_smoothing"] == [CONTRADICTED]
    assert found["t1_spectral"] == [SUPPORTED]
    assert found["t1_dropout"] == 3 * [SUPPORTED]
    assert found["t1_temperature"] == [SUPPORTED]
    assert found["t1_mixup"] == [SUPPORTED, CONTRADICTED, SUPPORTED, SUPPORTED]
    assert set(found["t1_unticked"]) == {DIFFERS}


def test_what_is_compared_with_what():
    data = whole()
    expected = {
        ("dropout", "label noise"): 0.3,
        ("spectral", "label noise"): 0.1,
        ("smoothing", "Jacobian"): -5.0,
        ("spectral", "Jacobian"): -4.0,
        ("temperature", "Jacobian"): -4.0,  # J / 2 - J
        ("dropout", "input normalisation"): 0.1,
        ("temperature", "calibration"): -0.2,
    }
    for (row, name), value in expected.items():
        assert table1.effect(data, row, name, None).mean() == pytest.approx(value, abs=0.03)


def test_missing_runs_are_not_run_and_the_figure_draws_what_there_is():
    data = replace(whole(), beside={})
    assert verdicts(table1, data)["t1_dropout"] == [NOT_RUN]
    assert verdicts(table1, data)["t1_mixup"][-1] == NOT_RUN
    assert len(table1.draw(data).axes) == len(table1.EFFECTS)
    assert len(table1.table(whole())) == len(table1.ROWS)
