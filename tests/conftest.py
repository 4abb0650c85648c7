"""Settings and results that tests share."""

import pytest
from hypothesis import settings

from mixup_repro import report
from mixup_repro.paths import CHECKOUT

# A busy machine must not fail a property for being slow, and a failure must repeat itself.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What shares the committed results goes to one process of several; else a module goes whole.

    Its fixtures are made once so.
    """
    for item in items:
        shared = "committed" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("committed" if shared else item.path.stem))


@pytest.fixture(scope="session")
def committed() -> list[report.Entry]:
    """The entries of the committed results, read and judged once: it takes seconds."""
    return report.entries(CHECKOUT / "results")


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Hydra's folders go to a temporary one, downloads fail at once, wandb has no key."""
    monkeypatch.chdir(tmp_path)
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "no_login"))
