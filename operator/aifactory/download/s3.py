"""Amazon S3 and what speaks its protocol: ListObjectsV2 and GetObject of the Amazon S3 API Reference."""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import quote, urlencode
from xml.etree import ElementTree

from requests import Response

from aifactory.api.conditions import Reason
from aifactory.api.modelcache import S3Files

from .errors import DownloadError
from .files import Listing, RemoteFile
from .signature import Credentials, signed
from .source import ranged
from .web import Web, refused


class Bucket:
    """Objects below a prefix. `clock` gives the time in UTC."""

    def __init__(
        self, wanted: S3Files, endpoint: str | None, env: Mapping[str, str], web: Web, clock: Callable[[], datetime]
    ) -> None:
        self._wanted = wanted
        self._base = _base(wanted, endpoint)
        self._credentials = Credentials.of(env)
        self._web = web
        self._clock = clock

    def list(self) -> Listing:
        """All objects, and as the revision a digest of their names and tags."""
        prefix = f"{self._wanted.prefix.rstrip('/')}/" if self._wanted.prefix else ""
        try:
            files = sorted((file for page in self._pages(prefix) for file in page), key=lambda file: file.path)
        except ValueError as error:
            raise DownloadError(Reason.SOURCE_NOT_UNDERSTOOD, f"{self._base} answers unlike S3") from error
        tags = "\n".join(f"{file.path} {file.size} {file.etag}" for file in files)
        return Listing(revision=f"sha256:{hashlib.sha256(tags.encode()).hexdigest()}", files=files)

    def open(self, file: RemoteFile, offset: int) -> Response:
        """The object, if it is still the one that was listed."""
        unchanged = {"If-Match": f'"{file.etag}"'} if file.etag else {}
        # A redirect means another region, where this signature is not valid.
        return ranged(self._web, file.url, self._headers(file.url, unchanged), offset, redirects=False)

    def _pages(self, prefix: str) -> Iterator[Iterator[RemoteFile]]:
        token = ""
        while True:
            query = {"list-type": "2", "prefix": prefix} | ({"continuation-token": token} if token else {})
            url = f"{self._base}/?{urlencode(sorted(query.items()), quote_via=quote)}"
            answer = self._web.ask(url, self._headers(url, {}), redirects=False)
            if answer.status_code != HTTPStatus.OK:
                raise self._refused(answer)
            root = _parse(answer)
            yield self._files(root, prefix)
            token = root.findtext("{*}NextContinuationToken", "")
            if not token:
                return

    def _files(self, root: ElementTree.Element, prefix: str) -> Iterator[RemoteFile]:
        for item in root.iterfind("{*}Contents"):
            key, tag = item.findtext("{*}Key", ""), item.findtext("{*}ETag", "").strip('"')
            if key.endswith("/"):
                continue  # what consoles make to show an empty folder
            yield RemoteFile(
                path=key.removeprefix(prefix),
                size=int(item.findtext("{*}Size", "-1")),
                url=f"{self._base}/{quote(key)}",
                etag=tag or None,
            )

    def _refused(self, answer: Response) -> DownloadError:
        """With what S3 says of the cause, as of another region or a clock that is wrong."""
        error, region = refused(answer), answer.headers.get("x-amz-bucket-region") or _said(answer, "Region")
        if region and region != self._wanted.region:
            message = f"{error.message}: the bucket is in {region}; set spec.source.s3.region"
            return DownloadError(Reason.SOURCE_NOT_FOUND, message)
        words = ": ".join(filter(None, (error.message, _said(answer, "Message"))))
        return DownloadError(error.reason, words, again=error.again)

    def _headers(self, url: str, headers: Mapping[str, str]) -> dict[str, str]:
        if self._credentials is None:
            return dict(headers)
        return signed(url, headers, self._credentials, self._wanted.region, self._clock())


def now() -> datetime:
    """The time in UTC."""
    return datetime.now(UTC)


def _base(wanted: S3Files, endpoint: str | None) -> str:
    """Address of the bucket: its own host at Amazon, a path elsewhere and where a dot would break the certificate."""
    if endpoint:
        return f"{endpoint.rstrip('/')}/{wanted.bucket}"
    host = f"s3.{wanted.region}.amazonaws.com"
    return f"https://{host}/{wanted.bucket}" if "." in wanted.bucket else f"https://{wanted.bucket}.{host}"


def _said(answer: Response, name: str) -> str:
    """An element of the XML of an error; empty without it."""
    found = re.search(f"<{name}>([^<]{{1,300}})</{name}>", answer.text)
    return found[1] if found else ""


def _parse(answer: Response) -> ElementTree.Element:
    # Entities, which make XML dangerous, begin with a document type, which S3 never sends.
    if re.search(rb"<!DOCTYPE", answer.content, re.IGNORECASE):
        raise DownloadError(Reason.SOURCE_NOT_UNDERSTOOD, f"{answer.url} answers with a document type")
    try:
        root = ElementTree.fromstring(answer.content)  # noqa: S314
    except ElementTree.ParseError as error:
        raise DownloadError(Reason.SOURCE_NOT_UNDERSTOOD, f"{answer.url} does not answer in XML") from error
    if not root.tag.endswith("ListBucketResult"):
        raise DownloadError(Reason.SOURCE_NOT_UNDERSTOOD, f"{answer.url} answers unlike S3")
    return root
