"""Logs that a machine can read."""

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from aifactory.telemetry import logs


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root, kopf = logging.getLogger(), logging.getLogger("kopf")
    before = root.handlers[:], root.level, kopf.level
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    kopf.setLevel(before[2])


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    out, err = capsys.readouterr()
    assert out == ""
    return [json.loads(line) for line in err.splitlines()]


def test_a_line_holds_time_level_logger_and_message(capsys):
    logs.configure("INFO", "json")
    logging.getLogger("aifactory.test").warning("%s/%s is stuck", "chat", "llama")
    (line,) = written(capsys)
    assert line.keys() == {"time", "level", "logger", "message"}
    assert (line["level"], line["logger"], line["message"]) == ("WARNING", "aifactory.test", "chat/llama is stuck")
    age = datetime.now(UTC) - datetime.fromisoformat(line["time"])
    assert 0 <= age.total_seconds() < 60


def test_an_exception_stays_on_its_line(capsys):
    logs.configure("INFO", "json")
    try:
        raise ValueError("first line\nsecond line")
    except ValueError:
        logging.getLogger("aifactory.test").exception("failed")
    (line,) = written(capsys)
    assert line["message"] == "failed"
    assert line["exception"].startswith("Traceback")
    assert "second line" in line["exception"]


def test_less_than_the_level_is_not_written(capsys):
    logs.configure("WARNING", "json")
    logging.getLogger("aifactory.test").info("nothing to see")
    assert written(capsys) == []


def test_kopf_speaks_up_only_for_warnings(capsys):
    logs.configure("INFO", "json")
    logging.getLogger("kopf.reactor").info("Initial authentication has been initiated.")
    logging.getLogger("kopf.reactor").warning("something is wrong")
    assert [line["message"] for line in written(capsys)] == ["something is wrong"]


def test_plain_text_for_people(capsys):
    logs.configure("INFO", "text")
    logging.getLogger("aifactory.test").info("hello")
    assert capsys.readouterr().err.rstrip().endswith("INFO aifactory.test: hello")


def test_configuring_twice_does_not_write_twice(capsys):
    for _ in range(2):
        logs.configure("INFO", "json")
    logging.getLogger("aifactory.test").info("once")
    assert len(written(capsys)) == 1
