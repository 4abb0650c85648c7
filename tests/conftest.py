"""Settings and results that tests share."""

import pytest
from hypothesis import settings

from mixup_repro import report
from mixup_repro.paths import CHECKOUT

# A busy machine must not fail a property for being slow, and a failure must repeat itself.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")


@pytest.fixture(scope="session")
def committed() -> list[report.Entry]:
    """The entries of the committed results, read and judged once: it takes seconds."""
    return report.entries(CHECKOUT / "results")
