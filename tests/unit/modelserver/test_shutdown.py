"""SIGTERM on a real process: vLLM cuts requests off, unless its command line gives them time."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

SOURCE = Path(__file__).parents[2] / "modelserver"
OPERATOR = Path(__file__).parents[3] / "operator"
VLLM = SOURCE / "modelserver" / "bin" / "vllm"
STREAM = {"model": "m", "prompt": "x", "max_tokens": 60, "ignore_eos": True, "stream": True}


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def environment(**variables: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{SOURCE}:{OPERATOR}",
        "MODELSERVER_STARTUP_SECONDS": "0",
        "MODELSERVER_HOST": "127.0.0.1",
        **variables,
    }


@asynccontextmanager
async def vllm_serve(port: int, *flags: str) -> AsyncIterator[asyncio.subprocess.Process]:
    arguments = ["serve", "some/model", "--served-model-name", "m", "--port", str(port), *flags]
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(VLLM), *arguments, env=environment(), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        while b"ready" not in (line := await process.stdout.readline()):
            assert line, "the server ended before it was ready"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def follow(http: aiohttp.ClientSession, port: int, on_first: Callable[[], object]) -> tuple[int, bool]:
    """Tokens of a stream and whether it ended with [DONE]; `on_first` is called at its first token."""
    tokens = 0
    async with http.post(f"http://127.0.0.1:{port}/v1/completions", json=STREAM) as response:
        try:
            async for line in response.content:
                if line.startswith(b"data: [DONE]"):
                    return tokens, True
                if line.startswith(b"data: "):
                    tokens += len(json.loads(line.removeprefix(b"data: "))["choices"])
                    if tokens == 1:
                        on_first()
        except aiohttp.ClientError:
            pass
    return tokens, False


async def test_by_default_a_stream_is_cut_off(port: int, http: aiohttp.ClientSession) -> None:
    async with vllm_serve(port) as process:
        tokens, done = await follow(http, port, process.terminate)

        assert not done
        assert 0 < tokens < STREAM["max_tokens"]
        assert await asyncio.wait_for(process.wait(), 5) == 0


async def test_with_a_shutdown_timeout_a_stream_ends_and_then_the_process(
    port: int, http: aiohttp.ClientSession
) -> None:
    async with vllm_serve(port, "--shutdown-timeout", "20") as process:
        tokens, done = await follow(http, port, process.terminate)

        assert done
        assert tokens == STREAM["max_tokens"]
        assert await asyncio.wait_for(process.wait(), 5) == 0


async def test_a_stream_longer_than_the_shutdown_timeout_is_cut_off(port: int, http: aiohttp.ClientSession) -> None:
    async with vllm_serve(port, "--shutdown-timeout", "0.2") as process:
        _, done = await follow(http, port, process.terminate)

        assert not done


async def test_a_draining_server_is_not_ready_and_refuses_new_work(port: int, http: aiohttp.ClientSession) -> None:
    async def knock() -> list[int]:
        statuses = []
        while 503 not in statuses[-1:]:
            async with http.get(f"http://127.0.0.1:{port}/health") as response:
                statuses.append(response.status)
        async with http.post(f"http://127.0.0.1:{port}/v1/completions", json=STREAM) as response:
            statuses.append(response.status)
        return statuses

    async with vllm_serve(port, "--shutdown-timeout", "20") as process, asyncio.TaskGroup() as group:
        knocking = []

        def stop() -> None:
            process.terminate()
            knocking.append(group.create_task(knock()))

        _, done = await follow(http, port, stop)
        async with asyncio.timeout(5):
            assert (await knocking[0])[-2:] == [503, 503]
        assert done


async def test_a_kill_cuts_streams_off(port: int, http: aiohttp.ClientSession) -> None:
    async with vllm_serve(port) as process:
        _, done = await follow(http, port, process.kill)

        assert not done
        assert await process.wait() == -signal.SIGKILL


async def test_a_flag_that_vllm_does_not_have_ends_the_process_as_in_vllm() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(VLLM), "serve", "some/model", "--definitely-unknown",
        env=environment(), stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, stderr = await process.communicate()

    assert process.returncode == 2
    assert b"unrecognized arguments: --definitely-unknown" in stderr


async def test_a_nim_that_may_not_write_its_cache_ends_with_the_path_and_the_fix() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "modelserver",
        env=environment(NIM_CACHE_PATH="/proc/cache"), stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, stderr = await process.communicate()

    assert process.returncode == 1
    assert b"NIM_CACHE_PATH /proc/cache cannot be written" in stderr
    assert b"mount a volume" in stderr
