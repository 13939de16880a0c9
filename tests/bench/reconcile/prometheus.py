"""A Prometheus that answers the operator's queries with as much as a thousand busy services have to say."""

import json
import random
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from .services import NAMESPACE

# Upper edges of vLLM's time-to-first-token histogram, in seconds.
_EDGES = (
    *("0.001", "0.005", "0.01", "0.02", "0.04", "0.06", "0.08", "0.1", "0.25", "0.5", "0.75"),
    *("1.0", "2.5", "5.0", "7.5", "10.0", "20.0", "40.0", "80.0", "160.0", "640.0", "2560.0", "+Inf"),
)
_NOBODY = json.dumps({"status": "success", "data": {"resultType": "vector", "result": []}}).encode()
_REST = 3  # the edge of this number and those above hold every observation: 20 ms
_GAUGES = {"usage": (0.3, 0.5), "waiting": (0, 1), "time()": (1, 5), "running": (4, 8)}  # a word of the query
Sample = dict[str, Any]


class FakePrometheus:
    """Answers of the same size as real ones, made once; `vary` makes every second reading differ a little."""

    def __init__(self, pods: Mapping[str, str]) -> None:
        """`pods` maps each service to its pod."""
        self.vary = False
        self.readings = 0
        self._versions = [_answers(pods, random.Random(seed)) for seed in (1, 2)]

    def answer(self, query: str) -> bytes:
        """The body of the answer to a query; the age of samples is asked once per reading. No exporter tells watts."""
        self.readings += query.startswith("time()")
        if "min_over_time(" in query:
            return _NOBODY
        version = self._versions[self.readings % 2 if self.vary else 0]
        if ", le)" in query:
            return version["histogram"]
        if ", pod)" not in query:
            return version["rate"]
        return next((version[word] for word in _GAUGES if word in query), _NOBODY)


class Answers(Protocol):
    """What plays Prometheus."""

    def answer(self, query: str) -> bytes:
        """The body of the answer to a query."""
        ...


@contextmanager
def serve(prometheus: Answers) -> Iterator[str]:
    """Listen on loopback; the value is the URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = prometheus.answer(parse_qs(urlsplit(self.path).query)["query"][0])
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _answers(pods: Mapping[str, str], dice: random.Random) -> dict[str, bytes]:
    """Bodies by the kind of query."""
    return {
        "histogram": _body(sample for name in pods for sample in _buckets(name, dice)),
        "rate": _body(_number(name, 1 + dice.random()) for name in pods),
        **{
            word: _body(_number(name, dice.uniform(*bounds), pod=pod) for name, pod in pods.items())
            for word, bounds in _GAUGES.items()
        },
    }


def _buckets(name: str, dice: random.Random) -> Iterator[Sample]:
    count = 0.0
    for number, edge in enumerate(_EDGES):
        count += dice.random() if number <= _REST else 0
        yield _number(name, count, le=edge)


def _number(name: str, value: float, **labels: str) -> Sample:
    return {"metric": {"namespace": NAMESPACE, "inferenceservice": name, **labels}, "value": [1.7e9, str(value)]}


def _body(samples: Iterator[Sample]) -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": list(samples)}}).encode()
