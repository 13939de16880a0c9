"""A source on loopback, and downloads from it."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from aifactory.api.download import Order, Outcome
from aifactory.download.program import fetch, plan

from tests.sources.server import BUCKET, REPO, Source, model

Download = Callable[..., Outcome]


@pytest.fixture
def source() -> Iterator[Source]:
    """Two large files and two small ones."""
    with Source(model(2)).start() as server:
        yield server
        server.shutdown()


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    return tmp_path / "volume"


def order_for(server: Source, /, **more: Any) -> Order:
    """All of a Hugging Face repository, unless something else is asked for."""
    wanted = {"source": {"huggingFace": {"repo": REPO}}, "endpoint": server.url, "folder": "one", "capacity": 2**30}
    return Order.model_validate(wanted | more)


@pytest.fixture
def download(source: Source, volume: Path) -> Download:
    """Both steps of a download pod, with these fields of the order."""

    def run(env: Mapping[str, str] | None = None, **more: Any) -> Outcome:
        order = order_for(source, **more)
        plan(order, volume, env or {})
        return fetch(order, volume, env or {}, pause=0.001)

    return run


def stored(volume: Path, folder: str = "one") -> dict[str, bytes]:
    """The files that a model server would see."""
    below = volume / folder
    files = (path for path in below.rglob("*") if path.is_file())
    found = {str(path.relative_to(below)): path.read_bytes() for path in files}
    return {name: content for name, content in found.items() if not name.startswith(".aifactory/")}


OTHERS: dict[str, dict[str, Any]] = {
    "s3": {"source": {"s3": {"bucket": BUCKET}}},
    "oci": {"source": {"oci": {"reference": "registry.example.com/models/tiny:v1"}}},
    "ngc": {"source": {"ngc": {"model": "acme/team/tiny:1.0"}}},
}
