"""The load generator against servers on loopback: what it reports is what happened."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable

import pytest
from loadgen.__main__ import parse_options, run
from loadgen.arrivals import Arrival
from loadgen.client import Load, Target
from loadgen.report import Outcome, Report, percentile
from modelserver.server import Server

Start = Callable[..., Awaitable[Server]]
Eventually = Callable[..., Awaitable[None]]


def target(server: Server, **changes: object) -> Target:
    bounds = {"model": "m", "max_in_flight": 64, "max_requests": 100, "timeout": 5.0, **changes}
    return Target(url=f"http://127.0.0.1:{server.port}", **bounds)


async def send(server: Server, arrivals: list[Arrival], **changes: object) -> dict[str, object]:
    report = Report(slo_ttft=1.0, slo_itl=1.0)
    await Load(target(server, **changes), report).run(arrivals)
    return report.summary(1.0)


async def test_served_requests_are_reported_with_their_tokens(start: Start) -> None:
    summary = await send(await start(), [Arrival(0.01 * i, 16, 5) for i in range(10)])

    assert (summary["requests"], summary["completed"], summary["failed"]) == (10, 10, 0)
    assert summary["tokens"] == 50
    assert summary["attainment"] == 1.0


async def test_prompts_have_the_length_asked_for(start: Start) -> None:
    server = await start()

    await send(server, [Arrival(0, 123, 1)])

    page = server.page().decode()
    assert 'vllm:prompt_tokens_total{engine="0",model_name="m"} 123.0' in page


async def test_a_stream_that_is_cut_off_counts_as_aborted_and_misses_its_objectives(
    start: Start, eventually: Eventually
) -> None:
    server = await start(base_seconds=0.01)
    sending = asyncio.create_task(send(server, [Arrival(0, 16, 1000)]))
    await eventually(lambda: server.engine.scheduler.running and server.engine.scheduler.running[0].generated > 2)

    server.stop()
    summary = await sending

    assert summary["failures"] == {"aborted": 1}
    assert summary["aborted_streams"] == 1
    assert summary["attainment"] == 0.0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"model": "other"}, "http_404"), ({"timeout": 0.05}, "timeout"), ({"max_in_flight": 0}, "shed")],
)
async def test_a_failure_is_counted_under_its_reason(start: Start, changes: dict[str, object], reason: str) -> None:
    server = await start(base_seconds=0.2)

    summary = await send(server, [Arrival(0, 16, 5)], **changes)

    assert summary["failures"] == {reason: 1}


async def test_nobody_listening_is_a_failure_to_connect(start: Start, unused_tcp_port: int) -> None:
    report = Report()

    await Load(Target(f"http://127.0.0.1:{unused_tcp_port}", "m", 1, 1, 5.0), report).run([Arrival(0, 1, 1)])

    assert report.summary(1.0)["failures"] == {"connect": 1}


async def test_no_more_requests_are_sent_than_allowed(start: Start) -> None:
    summary = await send(await start(), [Arrival(0, 16, 1)] * 10, max_requests=3)

    assert summary["requests"] == 3


async def test_a_stopped_run_finishes_what_is_in_flight(start: Start, eventually: Eventually) -> None:
    server = await start(base_seconds=0.01)
    report = Report()
    load = Load(target(server), report)
    sending = asyncio.create_task(load.run([Arrival(0, 16, 20), Arrival(60, 16, 20)]))
    await eventually(lambda: server.engine.in_flight)

    load.stop()
    await sending

    assert report.summary(1.0)["completed"] == 1


async def test_the_summary_says_when_the_first_second_of_the_load_was(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    server = await start()
    options = parse_options(["--url", f"http://127.0.0.1:{server.port}", "--model", "m", "--shape", "1@1s"])
    before = time.time()

    await run(options, [Arrival(0, 16, 1)])

    summary = json.loads(capsys.readouterr().out.splitlines()[-1])["summary"]
    assert before - 0.001 <= summary["began"] <= time.time() - summary["seconds"] + 0.1


def test_an_interval_reports_only_what_is_new() -> None:
    report = Report()
    report.sent = 3
    report.outcomes += [Outcome(ttft=0.1, intervals=[0.01, 0.03], tokens=3), Outcome(failure="timeout")]

    first = report.interval(5.0)

    assert (first["sent"], first["completed"], first["failed"], first["in_flight"]) == (3, 1, 1, 1)
    assert (first["ttft_p50"], first["itl_p95"]) == (0.1, 0.03)
    again = report.interval(10.0)
    assert (again["sent"], again["completed"], again["ttft_p95"], again["in_flight"]) == (0, 0, None, 1)


def test_a_request_attains_its_objectives_with_its_first_token_and_its_mean_pace() -> None:
    report = Report(slo_ttft=0.5, slo_itl=0.05)
    report.outcomes += [
        Outcome(ttft=0.4, intervals=[0.01, 0.08]),
        Outcome(ttft=0.6, intervals=[0.01]),
        Outcome(ttft=0.4, intervals=[0.06]),
        Outcome(failure="aborted"),
    ]

    assert report.summary(1.0)["attainment"] == 0.25


def test_percentiles_are_values_that_occurred() -> None:
    assert percentile([3, 1, 2, 4], 50) == 2
    assert percentile(range(1, 101), 95) == 95
    assert percentile([7], 99) == 7
    assert percentile([], 95) is None
