"""What every source offers."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from requests import Response
from urllib3.exceptions import HTTPError

from aifactory.api.conditions import Reason

from .errors import DownloadError
from .files import CHUNK, Listing, RemoteFile
from .web import Web, refused, unreachable


class Source(Protocol):
    """A place that files come from."""

    def list(self) -> Listing:
        """The files of the revision that is asked for, now.

        Raises:
            DownloadError: if they cannot be learned.
        """
        ...

    def open(self, file: RemoteFile, offset: int) -> Response:
        """The answer to a request for the bytes of a file from `offset` on; 200 when it begins at 0 all the same.

        Raises:
            DownloadError: if it is refused.
        """
        ...


def ranged(web: Web, url: str, headers: Mapping[str, str], offset: int, *, redirects: bool = True) -> Response:
    """A streamed answer that begins at `offset`, or at 0 with status 200 where ranges are not understood.

    Raises:
        DownloadError: if it is refused, or another range is sent.
    """
    asked = {**headers, **({"Range": f"bytes={offset}-"} if offset else {})}
    answer = web.ask(url, asked, redirects=redirects, stream=True)
    if answer.status_code == 206 and not answer.headers.get("Content-Range", "").startswith(f"bytes {offset}-"):
        answer.close()
        raise DownloadError(Reason.SOURCE_NOT_UNDERSTOOD, f"{url} answers with another range than asked for")
    if answer.status_code not in (200, 206):
        raise refused(answer)
    return answer


def chunks(answer: Response) -> Iterator[bytes]:
    """The body as it arrives: what has come before the connection is lost is not lost with it.

    Raises:
        DownloadError: if the connection is lost before its end.
    """
    try:
        while piece := answer.raw.read1(CHUNK, decode_content=False):
            yield piece
    except (OSError, HTTPError) as error:
        raise unreachable(answer.url, error) from error
    finally:
        answer.close()
