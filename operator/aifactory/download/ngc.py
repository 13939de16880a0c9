"""NVIDIA NGC by the REST API behind the download commands that its catalog shows."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from requests import Response

from aifactory.api.conditions import Reason
from aifactory.api.modelcache import NGCFiles

from .errors import DownloadError
from .files import Listing, RemoteFile
from .source import ranged
from .web import Web

PUBLIC = "https://api.ngc.nvidia.com"
_PAGE = 1000


class Catalog:
    """A model version. NGC publishes no digests, so files are recognised by their size."""

    def __init__(self, wanted: NGCFiles, endpoint: str | None, env: Mapping[str, str], web: Web) -> None:
        name, _, version = wanted.model.partition(":")
        self._version = version
        self._files = f"{(endpoint or PUBLIC).rstrip('/')}/v2/models/{name}/versions/{version}/files"
        self._headers = {"Authorization": f"Bearer {env['NGC_API_KEY']}"} if env.get("NGC_API_KEY") else {}
        self._web = web

    def list(self) -> Listing:
        """The files of the version."""
        entries: list[Any] = []
        page, pages = 0, 1
        try:
            while page < pages:
                url = f"{self._files}?page-number={page}&page-size={_PAGE}"
                found, _ = self._web.json(url, self._headers)
                entries += found["modelFiles"]
                page, pages = page + 1, int(found.get("paginationInfo", {}).get("totalPages", 1))
            files = [self._file(entry) for entry in entries]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DownloadError(Reason.SOURCE_NOT_UNDERSTOOD, f"{self._files} answers unlike NGC") from error
        return Listing(revision=self._version, files=files)

    def open(self, file: RemoteFile, offset: int) -> Response:
        """NGC redirects to where the files are."""
        return ranged(self._web, file.url, self._headers, offset)

    def _file(self, entry: Any) -> RemoteFile:
        path = str(entry.get("path") or entry["name"])
        size = entry["sizeInBytes"] if "sizeInBytes" in entry else entry["size"]
        return RemoteFile(path=path, size=int(size), url=f"{self._files}/{quote(path)}")
