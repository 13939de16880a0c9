"""Every answer of the API server is an object or an `ApiError` that says what happened."""

import pytest
from aifactory.cluster.client import ApiError
from aifactory.cluster.discovery import served
from aifactory.cluster.kinds import CHILDREN, INFERENCE_SERVICE, POD
from aiohttp.test_utils import unused_port


async def test_an_object_comes_back(server, client):
    server.answers["GET", "/api/v1/things"] = (200, {"kind": "Thing"})
    assert await client.request("GET", "/api/v1/things", "things") == {"kind": "Thing"}


async def test_query_content_type_and_token_arrive(server, client):
    await client.request(
        "PATCH", "/api/v1/x", "x", body={"a": 1}, content_type="application/apply-patch+yaml", fieldManager="me & you"
    )
    (seen,) = server.seen
    assert seen.query == {"fieldManager": "me & you"}
    assert seen.content_type == "application/apply-patch+yaml"
    assert seen.authorization == "Bearer secret"
    assert seen.body == {"a": 1}


async def test_a_refusal_tells_status_reason_and_message(server, client):
    server.refuse("PATCH", "/x", 422, "Invalid", "spec.ports: Required value")
    with pytest.raises(ApiError, match=r"^422 Invalid: spec.ports: Required value$") as caught:
        await client.request("PATCH", "/x", "x", body={})
    assert caught.value.rejected


@pytest.mark.parametrize(
    ("status", "rejected"),
    [(400, True), (403, True), (404, False), (409, True), (429, False), (500, False), (503, False)],
)
async def test_only_what_would_be_refused_again_counts_as_rejected(server, client, status, rejected):
    server.refuse("GET", "/x", status, "Reason")
    with pytest.raises(ApiError) as caught:
        await client.request("GET", "/x", "x")
    assert caught.value.rejected is rejected


@pytest.mark.parametrize("status", [200, 502])
async def test_a_page_of_a_proxy_is_an_error_that_quotes_it(server, client, status):
    server.answers["GET", "/x"] = (status, "<html>Bad Gateway</html>")
    with pytest.raises(ApiError, match="Bad Gateway") as caught:
        await client.request("GET", "/x", "x")
    assert caught.value.status == status
    assert not caught.value.rejected


async def test_json_that_is_no_object_is_an_error(server, client):
    server.answers["GET", "/x"] = (200, [1, 2])
    with pytest.raises(ApiError, match="NotAnObject"):
        await client.request("GET", "/x", "x")


async def test_an_empty_answer_is_an_empty_object(server, client):
    server.answers["DELETE", "/x"] = (200, "")
    assert await client.request("DELETE", "/x", "x") == {}


async def test_a_server_that_cannot_be_reached_is_an_error_without_status(server):
    async with server.client(f"http://127.0.0.1:{unused_port()}") as client:
        with pytest.raises(ApiError, match="NoAnswer") as caught:
            await client.request("GET", "/x", "x")
    assert caught.value.status == 0
    assert not caught.value.rejected
    assert server.observed == [("GET", "x", 0)]


async def test_every_request_is_counted_with_its_status(server, client):
    server.refuse("GET", "/missing", 404, "NotFound")
    await client.request("GET", "/x", "things")
    with pytest.raises(ApiError):
        await client.request("GET", "/missing", "things")
    assert server.observed == [("GET", "things", 200), ("GET", "things", 404)]


PODMONITORS = "/apis/monitoring.coreos.com/v1"


async def test_an_optional_kind_is_found(server, client):
    server.answers["GET", PODMONITORS] = (200, {"resources": [{"name": "podmonitors"}, {"name": "servicemonitors"}]})
    assert await served(client, CHILDREN["PodMonitor"])


async def test_an_optional_kind_is_absent_where_its_group_has_other_kinds(server, client):
    server.answers["GET", PODMONITORS] = (200, {"resources": [{"name": "servicemonitors"}]})
    assert not await served(client, CHILDREN["PodMonitor"])


async def test_an_optional_kind_is_absent_where_its_group_is(server, client):
    server.refuse("GET", PODMONITORS, 404, "NotFound")
    assert not await served(client, CHILDREN["PodMonitor"])


async def test_a_server_in_trouble_does_not_say_that_a_kind_is_absent(server, client):
    server.refuse("GET", PODMONITORS, 503, "ServiceUnavailable")
    with pytest.raises(ApiError):
        await served(client, CHILDREN["PodMonitor"])


def test_paths_of_core_and_named_groups():
    assert POD.path("chat", "llama-1") == "/api/v1/namespaces/chat/pods/llama-1"
    path = "/apis/aifactory.dev/v1alpha1/namespaces/chat/inferenceservices/llama/status"
    assert INFERENCE_SERVICE.path("chat", "llama", "status") == path
