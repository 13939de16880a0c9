"""For all runs."""

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="session")
def _few_variables() -> Iterator[None]:
    """`requests` looks through all variables for a proxy, for every query; there are thousands of queries here."""
    with pytest.MonkeyPatch.context() as patch:
        for name in set(os.environ) - {"PATH", "HOME"}:
            patch.delenv(name)
        yield
