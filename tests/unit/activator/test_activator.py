"""What clients get of a service that has no replica, on real sockets."""

import asyncio
import gzip
import json
from io import BytesIO

import aiohttp
import pytest

from .conftest import until

WHOLE = "data: first\n\ndata: [DONE]\n\n"


async def test_requests_wait_until_a_replica_serves_and_all_are_answered(activate, replica):
    activator = await activate()
    asked = [activator.ask_soon(data=f"prompt {number}") for number in range(20)]
    await activator.holds(20)
    await replica.start()
    answers = await asyncio.gather(*asked)
    assert {(status, text) for status, text, _ in answers} == {(200, WHOLE)}
    assert {body for _, _, body, _ in replica.seen} == {f"prompt {number}".encode() for number in range(20)}
    assert await activator.metric("aifactory_activator_held_requests") == 0


async def test_the_operator_is_asked_for_a_replica_while_requests_wait_and_only_then(activate, replica, operator):
    activator = await activate()
    await activator.ask("/v1/models", "GET")
    assert operator.asked == []
    asked = activator.ask_soon()
    await until("asked again", lambda: len(operator.asked) >= 2)
    assert set(operator.asked) == {"POST /wake/chat/llama"}
    await replica.start()
    assert (await asked)[0] == 200


@pytest.mark.parametrize("status", [404, 503, 302])
async def test_what_does_not_say_that_it_serves_gets_no_request(activate, replica, status):
    replica.ready = status
    await replica.start()
    activator = await activate()
    asked = activator.ask_soon()
    await activator.holds(1)
    await until("asked whether it serves", lambda: replica.probed >= 2)
    assert replica.seen == []
    replica.ready = 200
    assert (await asked)[0] == 200


async def test_a_replica_whose_health_is_elsewhere_serves_when_its_port_is_open(activate, replica):
    replica.ready = 404
    activator = await activate(ready=None)
    asked = activator.ask_soon()
    await activator.holds(1)
    await replica.start()
    assert (await asked)[0] == 200


@pytest.mark.parametrize("status", [503, 403, 500])
async def test_an_operator_that_does_not_listen_is_asked_again(activate, replica, operator, status):
    operator.status = status
    activator = await activate()
    asked = activator.ask_soon()
    await until("asked again", lambda: len(operator.asked) >= 2)
    await replica.start()
    assert (await asked)[0] == 200


async def test_without_an_operator_a_replica_is_found_all_the_same(activate, replica, operator):
    await operator.runner.cleanup()
    activator = await activate()
    asked = activator.ask_soon()
    await activator.holds(1)
    await replica.start()
    assert (await asked)[0] == 200


async def test_the_request_arrives_as_it_was_sent_and_the_answer_as_it_was_given(activate, replica):
    await replica.start()
    activator = await activate()
    headers = {"Authorization": "Bearer key", "Host": "chat.example.com", "Content-Type": "application/json"}
    status, _, answered = await activator.ask("/v1/completions?trace=a%2Fb", data=b'{"n": 1}', headers=headers)
    ((method, path, body, arrived),) = replica.seen
    assert (status, method, path, body) == (200, "POST", "/v1/completions?trace=a%2Fb", b'{"n": 1}')
    assert headers.items() <= arrived.items()
    assert (answered["Content-Type"], answered["X-Request-Id"]) == ("text/event-stream", "one")


async def test_a_client_that_sends_the_whole_url_is_served(activate, replica):
    """As to a proxy; a server has to take it (RFC 9112, section 3.2.2)."""
    await replica.start()
    activator = await activate()
    assert (await activator.ask("/v1/completions?trace=1", proxy=activator.url))[0] == 200
    assert [path for _, path, _, _ in replica.seen] == ["/v1/completions?trace=1"]


async def test_a_compressed_request_stays_compressed(activate, replica):
    await replica.start()
    activator = await activate()
    headers = {"Content-Encoding": "gzip"}
    assert (await activator.ask(data=gzip.compress(b"prompt" * 100), headers=headers))[0] == 200
    assert replica.seen[0][2] == b"prompt" * 100, "the replica unpacked it"


async def test_a_request_of_unknown_length_is_forwarded(activate, replica):
    async def parts():
        yield b"one "
        yield b"two"

    await replica.start()
    activator = await activate()
    assert (await activator.ask(data=parts()))[0] == 200
    assert replica.seen[0][2] == b"one two"


async def test_an_error_of_the_replica_is_the_clients_to_see(activate, replica):
    await replica.start()
    activator = await activate()
    status, text, _ = await activator.ask("/broken")
    assert (status, text) == (400, "no such field")


async def test_an_answer_is_streamed_and_not_collected(activate, replica):
    await replica.start()
    replica.finish.clear()
    activator = await activate()
    answer = await activator.stream()
    assert await answer.content.readany() == b"data: first\n\n"
    replica.finish.set()
    assert await answer.content.read() == b"data: [DONE]\n\n"


async def test_clients_are_told_to_connect_anew_as_replicas_are_reached_without_the_activator(activate, replica):
    await replica.start()
    activator = await activate()
    assert (await activator.ask())[2]["Connection"] == "close"


async def test_one_request_more_than_may_wait_is_told_to_come_again(activate, replica):
    activator = await activate(max_held=3)
    waiting = [activator.ask_soon() for _ in range(3)]
    await activator.holds(3)
    status, text, headers = await activator.ask()
    assert (status, int(headers["Retry-After"]) > 0) == (503, True)
    error = json.loads(text)["error"]
    assert (error["type"], error["code"]) == ("service_unavailable", "too_many_held")
    assert error["message"] == "the model has no replica, and too many requests are waiting already"
    await replica.start()
    assert [status for status, _, _ in await asyncio.gather(*waiting)] == [200] * 3


async def test_a_request_that_has_waited_too_long_is_told_to_come_again(activate):
    activator = await activate(max_hold=0.2)
    status, text, headers = await activator.ask()
    assert (status, json.loads(text)["error"]["code"]) == (503, "held_too_long")
    assert int(headers["Retry-After"]) > 0


async def test_a_service_that_may_not_be_changed_lets_nobody_wait(activate, operator):
    operator.status = 409
    activator = await activate()
    status, text, _ = await activator.ask()
    assert (status, json.loads(text)["error"]["code"]) == (503, "not_started")


@pytest.mark.parametrize("size", [0, 500_000])
async def test_a_client_that_leaves_frees_its_place(activate, replica, size):
    activator = await activate(max_held=1)
    first = activator.ask_soon(data=b"x" * size)
    await activator.holds(1)
    first.cancel()
    await activator.holds(0)
    second = activator.ask_soon()
    await activator.holds(1)
    await replica.start()
    assert (await second)[0] == 200
    assert len(replica.seen) == 1


async def test_a_client_that_leaves_ends_the_work_of_the_replica(activate, replica):
    await replica.start()
    replica.finish.clear()
    activator = await activate()
    answer = await activator.stream()
    answer.close()
    await asyncio.wait_for(replica.left.wait(), 10)


async def test_a_body_larger_than_any_buffer_gets_through(activate, replica):
    activator = await activate()
    body = bytes(range(256)) * 2**16
    asked = activator.ask_soon(data=BytesIO(body))
    await activator.holds(1)
    await replica.start()
    assert (await asked)[0] == 200
    assert replica.seen[0][2] == body


async def test_a_replica_that_went_just_now_is_waited_for(activate, replica):
    await replica.start()
    activator = await activate()
    assert (await activator.ask())[0] == 200
    await replica.stop()
    asked = activator.ask_soon()
    await activator.holds(1)
    await replica.start()
    assert (await asked)[0] == 200


async def test_half_an_answer_does_not_look_like_a_whole_one(activate, replica):
    await replica.start()
    replica.finish.clear()
    activator = await activate()
    answer = await activator.stream()
    await answer.content.readany()
    await replica.stop()
    with pytest.raises(aiohttp.ClientPayloadError):
        await answer.content.read()


async def test_health_checks_and_lists_of_models_wake_nobody(activate, operator):
    activator = await activate()
    assert (await activator.ask("/health", "GET"))[0] == 200
    assert (await activator.ask("/health", "HEAD"))[0] == 200
    status, text, _ = await activator.ask("/v1/models", "GET")
    assert (status, [model["id"] for model in json.loads(text)["data"]]) == (200, ["llama", "llama-lora"])
    status, text, headers = await activator.ask("/metrics", "GET")
    assert (status, json.loads(text)["error"]["code"], "Retry-After" in headers) == (503, "asleep", True)
    assert operator.asked == []


async def test_what_is_only_looked_at_comes_from_a_replica_that_serves(activate, replica):
    await replica.start()
    activator = await activate()
    assert (await activator.ask("/health", "GET"))[1] == WHOLE


async def test_a_leaving_activator_serves_what_it_holds_and_takes_no_more(activate, replica):
    activator = await activate()
    held = activator.ask_soon()
    await activator.holds(1)
    leaving = asyncio.create_task(activator.serving.__aexit__())

    async def refused() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", int(activator.url.rpartition(":")[2]))
        except OSError:
            return True
        writer.close()
        return False

    await until("nobody new is let in", refused)
    await replica.start()
    assert (await held)[:2] == (200, WHOLE)
    await asyncio.wait_for(leaving, 10)
