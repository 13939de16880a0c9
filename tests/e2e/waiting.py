"""Waiting for conditions, and remembering on which way they came about."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from urllib3.exceptions import HTTPError

from .kube import Object, Stream

T = TypeVar("T")
PATIENCE = 180.0
"""Seconds that no step takes, however busy the machine is: it only limits how long a failure takes."""
# What takes long is looked at less often: looking was half of all requests to the API server.
_FIRST_POLL_SECONDS, _POLL_SECONDS, _POLL_SHARE = 0.1, 0.5, 0.05


def wait_until(what: str, check: Callable[[], T], seconds: float, explain: Callable[[], str]) -> T:
    """The first true answer of `check`.

    Raises:
        AssertionError: there was none within `seconds`; carries what `explain` says then.
    """
    began = time.monotonic()
    while not (answer := check()):
        waited = time.monotonic() - began
        if waited > seconds:
            raise AssertionError(f"not within {seconds:g} s: {what}\n{explain()}")
        time.sleep(min(_POLL_SECONDS, max(_FIRST_POLL_SECONDS, _POLL_SHARE * waited)))
    return answer


def hold_true(what: str, check: Callable[[], object], seconds: float, explain: Callable[[], str]) -> None:
    """Look again and again for `seconds`.

    Raises:
        AssertionError: `check` was false once; carries what `explain` says then.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not check():
            raise AssertionError(f"did not stay so for {seconds:g} s: {what}\n{explain()}")
        time.sleep(_POLL_SECONDS)


class History:
    """Versions of watched objects from now on."""

    def __init__(self, watch: Stream) -> None:
        self._seen: list[tuple[float, str, Object]] = []
        self._lost = ""
        self._news = threading.Condition()
        self._watch = watch
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        end = "the server ended it"
        try:
            for line in self._watch:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    end = line
                    break
                with self._news:
                    self._seen.append((time.time(), event["type"], event["object"]))
                    self._news.notify_all()
        except HTTPError as error:
            end = repr(error)
        with self._news:
            self._lost = "" if self._watch.closed else end
            self._news.notify_all()

    @property
    def seen(self) -> tuple[tuple[float, str, Object], ...]:
        """All so far: when it was seen (epoch seconds), the type of the event, the object.

        Raises:
            AssertionError: the watch broke off, so that something may be missing.
        """
        assert not self._lost, f"a watch broke off: {self._lost}"
        return tuple(self._seen)

    def follow(self, seconds: float) -> Iterator[Object]:
        """Every version so far and to come, each as soon as it is seen, for `seconds`."""
        deadline, position = time.monotonic() + seconds, 0
        while True:
            with self._news:
                while position == len(self.seen):
                    if not self._news.wait(max(0.0, deadline - time.monotonic())):
                        return
            yield self.seen[position][2]
            position += 1

    def path(self, value: Callable[[Object], T]) -> list[T]:
        """What `value` went through; repetitions are left out."""
        found: list[T] = []
        for _, _, obj in self.seen:
            now = value(obj)
            if not found or found[-1] != now:
                found.append(now)
        return found

    def first(self, check: Callable[[Object], object]) -> float | None:
        """When `check` was true first."""
        return next((at for at, _, obj in self.seen if check(obj)), None)

    def stop(self) -> None:
        """Close the watch."""
        self._watch.close()
        self._thread.join(5)
