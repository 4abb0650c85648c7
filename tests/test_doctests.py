"""The examples in docstrings run as they stand, and the functions that are the papers have one."""

from __future__ import annotations

import doctest
from importlib import import_module
from pkgutil import resolve_name

import pytest

from mixup_repro.paths import CHECKOUT

MODULES = [
    ".".join(path.relative_to(CHECKOUT).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted((CHECKOUT / "mixup_repro").rglob("*.py"))
    if ">>> " in path.read_text()
]
PAPERS = """
    beta:theta_bar beta:sigma2 beta:gamma2 plan:stream plan:draw_block
    methods.losses:cross_entropy methods.losses:mixup methods.losses:cutmix
    methods.losses:label_smoothing methods.modified:modified methods.approximate:approx_mixup_exact
    methods.second_order:second_order evaluation.rescaling:rescaled evaluation.metrics:metrics
    evaluation.temperature:fit_temperature theory.perturbation:mixup_risk
    theory.perturbation:perturbed_risk theory.taylor:quadratic_risk theory.optimal:mixup_optimal
    theory.optimal:mixup_optimal_limit theory.optimal:coefficients theory.optimal:mixup_loss
    api:mixup_loss api:cutmix_loss api:label_smoothing_loss api:approx_mixup_loss api:Rescaled
    api:scores api:evaluate api:MixupOptimal api:collinearity api:reliability_diagram
    api:temperature api:theta_bar
    """.split()


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module(name):
    module, said = import_module(name), []
    runner = doctest.DocTestRunner()
    for test in doctest.DocTestFinder().find(module, globs={}):  # an example imports what it uses
        runner.run(test, out=said.append)
    assert runner.tries and not runner.failures, "".join(said)


@pytest.mark.parametrize("name", PAPERS)
def test_what_a_paper_defines_has_an_example(name):
    assert doctest.DocTestParser().get_examples(resolve_name(f"mixup_repro.{name}").__doc__)
