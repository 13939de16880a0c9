"""Clients of OpenAI's API get what they know."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from modelserver.server import Server

Start = Callable[..., Awaitable[Server]]
Eventually = Callable[..., Awaitable[None]]
CHAT = {"model": "m", "messages": [{"role": "user", "content": "hello " * 4}], "max_tokens": 3, "ignore_eos": True}
TEXT = {"model": "m", "prompt": "hello " * 4, "max_tokens": 3, "ignore_eos": True}


async def post(http: aiohttp.ClientSession, server: Server, path: str, body: object) -> tuple[int, Any]:
    async with http.post(f"http://127.0.0.1:{server.port}{path}", json=body) as response:
        return response.status, await response.json()


async def events(http: aiohttp.ClientSession, server: Server, path: str, body: object) -> list[Any]:
    async with http.post(f"http://127.0.0.1:{server.port}{path}", json=body) as response:
        assert response.content_type == "text/event-stream"
        lines = (await response.text()).split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]


async def test_the_served_model_is_listed(start: Start, http: aiohttp.ClientSession) -> None:
    server = await start(model="meta/llama")

    async with http.get(f"http://127.0.0.1:{server.port}/v1/models") as response:
        models = await response.json()

    assert [model["id"] for model in models["data"]] == ["meta/llama"]


async def test_a_chat_completion_has_as_many_tokens_as_asked_for(start: Start, http: aiohttp.ClientSession) -> None:
    status, answer = await post(http, await start(), "/v1/chat/completions", CHAT)

    assert status == 200
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["finish_reason"] == "length"
    assert len(answer["choices"][0]["message"]["content"].split()) == 3
    assert answer["usage"] == {"prompt_tokens": 6, "completion_tokens": 3, "total_tokens": 9}


async def test_a_streamed_chat_sends_a_role_then_one_event_per_token_then_usage(
    start: Start, http: aiohttp.ClientSession
) -> None:
    body = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}

    role, *tokens, usage = await events(http, await start(), "/v1/chat/completions", body)

    assert role["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert [bool(token["choices"][0]["delta"]["content"]) for token in tokens] == [True] * 3
    assert [token["choices"][0]["finish_reason"] for token in tokens] == [None, None, "length"]
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] == 3


async def test_a_text_completion_streams_the_text_that_it_gives_whole(
    start: Start, http: aiohttp.ClientSession
) -> None:
    server = await start()

    _, whole = await post(http, server, "/v1/completions", TEXT)
    streamed = await events(http, server, "/v1/completions", {**TEXT, "stream": True})

    assert "".join(event["choices"][0]["text"] for event in streamed) == whole["choices"][0]["text"]


async def test_an_answer_ends_by_itself_unless_told_to_ignore_its_end(
    start: Start, http: aiohttp.ClientSession
) -> None:
    body = {**TEXT, "max_tokens": 50, "ignore_eos": False}

    _, answer = await post(http, await start(answer_tokens=7), "/v1/completions", body)

    assert answer["usage"]["completion_tokens"] == 7
    assert answer["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"model": "other"}, 404, "`other` does not exist"),
        ({"max_tokens": 0}, 400, "max_tokens must be a positive integer, not 0"),
        ({"max_tokens": "many"}, 400, "max_tokens must be a positive integer, not 'many'"),
        ({"prompt": ""}, 400, "prompt must be a text"),
        ({"n": 2}, 400, "n must be 1"),
        ({"max_tokens": 10**9}, 400, "shorten the prompt or lower max_tokens"),
    ],
)
async def test_a_bad_request_is_refused_with_the_reason(
    start: Start, http: aiohttp.ClientSession, change: dict[str, object], status: int, message: str
) -> None:
    answered, body = await post(http, await start(), "/v1/completions", {**TEXT, **change})

    assert answered == status
    assert message in body["error"]["message"]


async def test_a_client_that_leaves_frees_its_place_in_the_batch_and_is_counted(
    start: Start, http: aiohttp.ClientSession, eventually: Eventually
) -> None:
    server = await start(base_seconds=0.02)
    endless = {**TEXT, "max_tokens": 10_000, "stream": True}
    async with http.post(f"http://127.0.0.1:{server.port}/v1/completions", json=endless) as response:
        await response.content.readline()
        assert server.engine.in_flight == 1
        response.close()

    await eventually(lambda: server.engine.scheduler.idle)
    abort = 'vllm:request_success_total{engine="0",finished_reason="abort",model_name="m"} 1.0'
    assert abort in server.page().decode()


async def test_requests_share_the_batch(start: Start, http: aiohttp.ClientSession) -> None:
    server = await start(base_seconds=0.05, max_num_seqs=4)
    body = {**TEXT, "max_tokens": 20}

    started = asyncio.get_running_loop().time()
    answers = await asyncio.gather(*(post(http, server, "/v1/completions", body) for _ in range(4)))

    assert [status for status, _ in answers] == [200] * 4
    assert asyncio.get_running_loop().time() - started < 4 * 20 * 0.05
