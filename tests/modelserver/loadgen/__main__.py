"""`python3 -m loadgen`: a JSON line per interval on stdout, then one with the summary."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import re
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arrivals import Arrival, LoadError, parse_shape, poisson
from .client import Load, Target
from .report import Report
from .trace import read_trace

if TYPE_CHECKING:
    from collections.abc import Iterator


def main() -> None:
    options = parse_options(sys.argv[1:])
    try:
        load = list(arrivals(options))
    except (LoadError, OSError) as error:
        sys.exit(f"loadgen: {error}")
    asyncio.run(run(options, load))


def parse_options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="loadgen", allow_abbrev=False, description=__doc__)
    parser.add_argument("--url", required=True, help="of the server, for example http://chat:8000")
    parser.add_argument("--model", required=True, help="the served model name")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--shape", help="rates in requests/s and how long: 2@20s,8@60s,2@40s")
    source.add_argument("--trace", type=Path, help="a CSV file of recorded requests")
    parser.add_argument("--ramp", action="store_true", help="go from step to step in straight lines")
    parser.add_argument("--rate-scale", type=positive, default=1.0, help="2 replays the trace twice as fast")
    parser.add_argument("--duration", type=seconds, default=3600.0, help="send nothing after this; default 1 h")
    parser.add_argument("--prompt-tokens", type=int, default=64, help="of each request of a shape")
    parser.add_argument("--output-tokens", type=int, default=32, help="of each request of a shape")
    parser.add_argument("--seed", type=int, default=0, help="of the Poisson arrivals")
    parser.add_argument("--interval", type=seconds, default=5.0, help="between lines")
    parser.add_argument("--timeout", type=seconds, default=120.0, help="of one request")
    parser.add_argument("--max-in-flight", type=int, default=256)
    parser.add_argument("--max-requests", type=int, default=100_000)
    parser.add_argument("--slo-ttft", type=seconds, help="time to first token to attain, for example 500ms")
    parser.add_argument("--slo-itl", type=seconds, help="mean inter-token latency of a request to attain")
    return parser.parse_args(arguments)


def arrivals(options: argparse.Namespace) -> Iterator[Arrival]:
    """The requests of the run in order of time. Raises LoadError, or OSError for a trace that cannot be opened."""
    return itertools.takewhile(lambda arrival: arrival.at < options.duration, _recorded_or_shaped(options))


def _recorded_or_shaped(options: argparse.Namespace) -> Iterator[Arrival]:
    if options.trace is not None:
        yield from read_trace(options.trace.read_text(encoding="utf-8-sig").splitlines(), options.rate_scale)
    else:
        for at in poisson(parse_shape(options.shape, options.ramp), options.seed):
            yield Arrival(at, options.prompt_tokens, options.output_tokens)


async def run(options: argparse.Namespace, requests: list[Arrival]) -> None:
    report = Report(options.slo_ttft, options.slo_itl)
    target = Target(
        options.url.rstrip("/"), options.model, options.max_in_flight, options.max_requests, options.timeout
    )
    load = Load(target, report)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, load.stop)
    started, began = loop.time(), time.time()
    sending = asyncio.create_task(load.run(requests))
    while not sending.done():
        await asyncio.wait({sending}, timeout=options.interval)
        say(report.interval(loop.time() - started))
    sending.result()
    say({"summary": {"began": round(began, 3), **report.summary(loop.time() - started)}})


def say(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


def seconds(text: str) -> float:
    """A duration: 500ms, 0.5s, 2m or plain seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m)?", text)
    if match is None or float(match[1]) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration: write for example 500ms or 60s")
    return float(match[1]) * {"ms": 0.001, "m": 60.0}.get(match[2], 1.0)


def positive(text: str) -> float:
    value = float(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not positive")
    return value


if __name__ == "__main__":
    main()
