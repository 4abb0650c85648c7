"""Settings and results that tests share."""

from collections.abc import Callable

import pytest
from hypothesis import settings
from matplotlib.figure import Figure
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from mixup_repro import report
from mixup_repro.paths import CHECKOUT

# A busy machine must not fail a property for being slow, and a failure must repeat itself.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")
report.collect_seldom()  # tests compose configs and draw as a report does


# They read the committed results and compose all experiments, once a process.
MODULES = (
    "figures report report_pages report_bad_input moons_items configs items imported custom kept"
).split()
TOGETHER = tuple(f"tests/test_{name}.py" for name in MODULES)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    return Shared(config, log)


class Shared(LoadScopeScheduling):
    """Gives each test to the next process that is free, all of TOGETHER to one, and Slurm's too.

    The mark xdist_group would say it, but pytest 9.2 lets pytest-xdist 3.8 not see it.
    """

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith("tests/test_slurm.py"):  # one Slurm runs on a machine
            return "slurm"
        return "together" if nodeid.startswith(TOGETHER) else nodeid


@pytest.fixture(scope="session")
def committed() -> list[report.Entry]:
    """The entries of the committed results, read and judged once: it takes seconds."""
    return report.entries(CHECKOUT / "results")


@pytest.fixture(scope="session")
def drawn(committed) -> Callable[[report.Entry], Figure]:
    """Draws an entry of the committed results; each is drawn once."""
    figures: dict[str, Figure] = {}

    def draw(entry: report.Entry) -> Figure:
        if entry.stem not in figures:
            figures[entry.stem] = report.drawn(entry)
        return figures[entry.stem]

    return draw


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Hydra's folders go to a temporary one, downloads fail at once, wandb has no key."""
    monkeypatch.chdir(tmp_path)
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "no_login"))
