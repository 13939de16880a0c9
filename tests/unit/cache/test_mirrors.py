"""Where a cache fetches from, with an AIFactory and without."""

from typing import Any

import pytest
from aifactory.api.factory import NO_MIRRORS, Mirrors

from tests.unit.cache.scene import PLANNED, Life

MIRRORS = Mirrors(hugging_face="http://hub", s3="http://s3", oci="http://oci", ngc="http://ngc")
SOURCES: dict[str, dict[str, Any]] = {
    "http://hub": {"huggingFace": {"repo": "acme/tiny"}},
    "http://s3": {"s3": {"bucket": "models"}},
    "http://oci": {"oci": {"reference": "registry.example.com/models/tiny:v1"}},
    "http://ngc": {"ngc": {"model": "nvidia/nemo/tiny:1.0"}},
}


@pytest.mark.parametrize(("mirror", "source"), SOURCES.items(), ids=SOURCES)
def test_a_cache_without_endpoint_fetches_from_the_mirror_of_its_kind_of_source(
    mirror: str, source: dict[str, Any]
) -> None:
    life = Life(source=source)
    life.mirrors = MIRRORS
    life.look()
    assert life.address == mirror


def test_the_endpoint_of_a_cache_comes_before_the_mirror() -> None:
    life = Life(endpoint="http://own")
    life.mirrors = MIRRORS
    life.look()
    assert life.address == "http://own"


def test_a_mirror_of_another_kind_of_source_is_none() -> None:
    life = Life()
    life.mirrors = Mirrors(s3="http://s3")
    life.look()
    assert life.address is None


@pytest.mark.parametrize(("mirror", "source"), SOURCES.items(), ids=SOURCES)
def test_a_complete_copy_is_left_alone_when_mirrors_come_change_and_go(mirror: str, source: dict[str, Any]) -> None:
    """That of a bucket as well: a mirror has the same objects, unlike an endpoint of the cache."""
    life = Life(source=source)
    life.complete()
    for mirrors in (MIRRORS, Mirrors(hugging_face="http://b", s3="http://b", oci="http://b", ngc="http://b")):
        life.mirrors = mirrors
        assert life.look() == "True Downloaded"
        assert life.todo.empty
    life.mirrors = NO_MIRRORS
    assert life.look() == "True Downloaded"
    assert life.todo.empty


def test_a_download_at_work_is_begun_anew_at_the_new_mirror_in_the_same_folder() -> None:
    life = Life()
    life.mirrors = Mirrors(hugging_face="http://old")
    life.look()
    life.pod(planned=PLANNED)
    life.look()
    folder = life.folder
    life.mirrors = Mirrors(hugging_face="http://new")
    life.look()
    life.look()
    assert life.address == "http://new"
    assert life.folder == folder, "what has arrived is kept"


def test_a_download_that_failed_is_begun_anew_at_once_when_there_is_a_mirror() -> None:
    life = Life()
    life.look()
    life.end(failed_at=life.now)
    life.look()
    life.mirrors = MIRRORS
    assert life.look() == "Unknown Creating"
    assert life.address == "http://hub"


def test_a_download_from_the_same_address_goes_on() -> None:
    life = Life(endpoint="http://own")
    life.look()
    life.pod(planned=PLANNED)
    life.look()
    life.mirrors = MIRRORS
    life.look()
    assert life.todo.empty
    life.edit(endpoint=None)
    life.mirrors = Mirrors(hugging_face="http://own")
    life.look()
    assert life.todo.empty, "whoever names it"
