"""Hugging Face Hub and its mirrors: https://huggingface.co/docs/hub/api."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote, urlsplit

from requests import Response

from aifactory.api.conditions import Reason
from aifactory.api.modelcache import HuggingFaceFiles

from .errors import DownloadError
from .files import Listing, RemoteFile
from .source import ranged
from .web import Web

PUBLIC = "https://huggingface.co"


class Hub:
    """A repository at a revision; the token is sent to the hub only, not to where it redirects."""

    def __init__(self, wanted: HuggingFaceFiles, endpoint: str | None, env: Mapping[str, str], web: Web) -> None:
        self._wanted = wanted
        self._base = (endpoint or PUBLIC).rstrip("/")
        self._headers = {"Authorization": f"Bearer {env['HF_TOKEN']}"} if env.get("HF_TOKEN") else {}
        self._web = web

    def list(self) -> Listing:
        """The files of the commit that the revision names now."""
        repo, revision = self._wanted.repo, quote(self._wanted.revision, safe="")
        info, _ = self._web.json(f"{self._base}/api/models/{repo}/revision/{revision}", self._headers)
        try:
            commit = str(info["sha"])
            files = [self._file(entry, commit) for entry in self._tree(commit) if entry["type"] == "file"]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DownloadError(Reason.SOURCE_NOT_UNDERSTOOD, f"{self._base} answers unlike the Hub's API") from error
        return Listing(revision=commit, files=[file for file in files if self._chosen(file.path)])

    def open(self, file: RemoteFile, offset: int) -> Response:
        """The hub redirects to where large files are."""
        return ranged(self._web, file.url, self._headers, offset)

    def _tree(self, commit: str) -> Iterator[Any]:
        where = f"{self._base}/api/models/{self._wanted.repo}/tree/{commit}"
        query = "recursive=true"
        while query:
            entries, answer = self._web.json(f"{where}?{query}", self._headers)
            yield from entries
            # A mirror may pass on links of the hub itself: only their query is used.
            query = urlsplit(answer.links.get("next", {}).get("url", "")).query

    def _file(self, entry: Any, commit: str) -> RemoteFile:
        path, large = str(entry["path"]), entry.get("lfs")
        return RemoteFile(
            path=path,
            size=int(large["size"] if large else entry["size"]),
            url=f"{self._base}/{self._wanted.repo}/resolve/{commit}/{quote(path)}",
            digest=f"sha256:{large['oid'].removeprefix('sha256:')}" if large else f"git-sha1:{entry['oid']}",
        )

    def _chosen(self, path: str) -> bool:
        included = any(fnmatchcase(path, pattern) for pattern in self._wanted.include or ["*"])
        return included and not any(fnmatchcase(path, pattern) for pattern in self._wanted.exclude or [])
