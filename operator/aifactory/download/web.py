"""HTTP as all sources use it: answers that are no success become a `DownloadError`."""

from collections.abc import Mapping
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from aifactory.api.conditions import Reason

from .errors import DownloadError

# Seconds to connect, and between two packets.
TIMEOUTS = (20, 60)
MOST_CONNECTIONS = 32  # of spec.download.connections
_REASONS = {
    401: Reason.UNAUTHORIZED,
    403: Reason.UNAUTHORIZED,
    404: Reason.SOURCE_NOT_FOUND,
    410: Reason.SOURCE_NOT_FOUND,
    412: Reason.SOURCE_CHANGED,
    416: Reason.SOURCE_CHANGED,
}
_LATER = (408, 425, 429)


class Web:
    """One connection pool. Proxy and certificates come from the environment, as requests documents it."""

    def __init__(self) -> None:
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=MOST_CONNECTIONS))
        self._session.headers["User-Agent"] = "aifactory-download"
        # Weights do not compress, and a range of a compressed body is no range of the file.
        self._session.headers["Accept-Encoding"] = "identity"

    def ask(
        self, url: str, headers: Mapping[str, str] | None = None, *, redirects: bool = True, stream: bool = False
    ) -> requests.Response:
        """GET, whatever the answer; requests drops credentials when a redirect leads to another host.

        Raises:
            DownloadError: if no answer comes.
        """
        try:
            return self._session.get(
                url, headers=dict(headers or {}), timeout=TIMEOUTS, allow_redirects=redirects, stream=stream
            )
        except requests.RequestException as error:
            raise unreachable(url, error) from error

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> requests.Response:
        """GET.

        Raises:
            DownloadError: if the answer is not a success.
        """
        answer = self.ask(url, headers)
        if not 200 <= answer.status_code <= 299:
            raise refused(answer)
        return answer

    def json(self, url: str, headers: Mapping[str, str] | None = None) -> tuple[Any, requests.Response]:
        """The JSON at a URL, with the answer that it came in.

        Raises:
            DownloadError: if the answer is not a success or not JSON.
        """
        answer = self.get(url, headers)
        try:
            return answer.json(), answer
        except ValueError as error:
            raise DownloadError(Reason.SOURCE_NOT_UNDERSTOOD, f"{_place(url)} does not answer in JSON") from error


def unreachable(url: str, error: Exception) -> DownloadError:
    """The connection was refused, lost or silent."""
    return DownloadError(Reason.SOURCE_UNREACHABLE, f"{_place(url)}: {_cause(error)}", again=True)


def refused(answer: requests.Response) -> DownloadError:
    """The answer is not a success."""
    status = answer.status_code
    answer.close()
    said = f"{_place(answer.url)} answers {status} {answer.reason or ''}".rstrip()
    if status >= 500 or status in _LATER:
        return DownloadError(Reason.SOURCE_UNREACHABLE, said, again=True)
    return DownloadError(_REASONS.get(status, Reason.SOURCE_NOT_UNDERSTOOD), said)


def _place(url: str) -> str:
    """The URL without its query, which may hold a signature."""
    return url.partition("?")[0][:300]


def _cause(error: Exception) -> str:
    """The innermost exception: those of requests and urllib3 repeat one another."""
    while error.args and isinstance(error.args[-1], Exception):
        error = error.args[-1]
    reason = getattr(error, "reason", None)
    return f"{type(error).__name__}: {reason or error}"[:300]
