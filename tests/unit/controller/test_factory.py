"""What is known of the AIFactory, whatever the API server says of it."""

import logging

import pytest
from aifactory.api.factory import NOTHING
from aifactory.cluster.client import ApiError, Client
from aifactory.controller.factory import FactoryReader

from tests.unit.cluster.api_server import ApiServer

PATH = "/apis/aifactory.dev/v1alpha1/aifactories/default"


def holds(server: ApiServer, mirror: str, name: str = "default") -> None:
    """There is one with a mirror of the Hub."""
    spec = {"mirrors": {"huggingFace": mirror}}
    server.answers["GET", PATH] = (200, {"kind": "AIFactory", "metadata": {"name": name}, "spec": spec})


@pytest.fixture
def reader() -> FactoryReader:
    return FactoryReader()


async def test_mirrors_are_read_and_only_a_change_is_news(
    server: ApiServer, client: Client, reader: FactoryReader
) -> None:
    holds(server, "http://one")
    assert await reader.read(client)
    assert reader.spec.mirrors.hugging_face == "http://one"
    assert not await reader.read(client)
    holds(server, "http://two")
    assert await reader.read(client)
    assert reader.spec.mirrors.hugging_face == "http://two"


async def test_without_the_object_or_its_kind_there_are_no_mirrors(
    server: ApiServer, client: Client, reader: FactoryReader
) -> None:
    holds(server, "http://one")
    await reader.read(client)
    server.refuse("GET", PATH, 404, "NotFound")
    assert await reader.read(client)
    assert reader.spec == NOTHING


async def test_an_object_that_makes_no_sense_keeps_the_last_good_one_and_is_told_once(
    server: ApiServer, client: Client, reader: FactoryReader, caplog: pytest.LogCaptureFixture
) -> None:
    holds(server, "http://one")
    await reader.read(client)
    holds(server, "file:///etc/passwd")
    with caplog.at_level(logging.WARNING):
        assert not await reader.read(client)
        assert not await reader.read(client)
    assert reader.spec.mirrors.hugging_face == "http://one"
    (warning,) = caplog.messages
    assert "spec.mirrors.huggingFace" in warning
    holds(server, "http://two")
    assert await reader.read(client), "a good one is used again"


async def test_fields_of_a_later_version_are_ignored(server: ApiServer, client: Client, reader: FactoryReader) -> None:
    spec = {"mirrors": {"huggingFace": "http://one", "zenodo": "http://z"}, "budget": {}}
    server.answers["GET", PATH] = (200, {"metadata": {"name": "default"}, "spec": spec})
    assert await reader.read(client)
    assert reader.spec.mirrors.hugging_face == "http://one"


async def test_an_operator_that_may_not_read_it_goes_on_without(
    server: ApiServer, client: Client, reader: FactoryReader, caplog: pytest.LogCaptureFixture
) -> None:
    server.refuse("GET", PATH, 403, "Forbidden", "aifactories is forbidden")
    assert not await reader.read(client)
    assert reader.spec == NOTHING
    assert "aifactories is forbidden" in caplog.text


async def test_an_api_server_in_trouble_is_asked_again_and_changes_nothing(
    server: ApiServer, client: Client, reader: FactoryReader
) -> None:
    holds(server, "http://one")
    await reader.read(client)
    server.refuse("GET", PATH, 503, "ServiceUnavailable")
    with pytest.raises(ApiError):
        await reader.read(client)
    assert reader.spec.mirrors.hugging_face == "http://one"
