"""OCI registries: the OCI Distribution Specification, and tokens as in "Token Authentication" of the CNCF registry."""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from threading import Lock
from typing import Any
from urllib.parse import urlencode

from requests import Response

from aifactory.api.conditions import Reason
from aifactory.api.modelcache import OCIFiles

from .errors import DownloadError
from .files import Listing, RemoteFile
from .source import ranged
from .web import Web, refused

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
# Where a layer says what file it is: the OCI image specification, and ModelPack.
_FILE_NAMES = ("org.opencontainers.image.title", "org.cncf.model.filepath")
# Docker Hub: its name in references, the one that `docker login` writes down, and where it is.
_DOCKER_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")


class Artifact:
    """An artifact whose layers are files."""

    def __init__(self, wanted: OCIFiles, endpoint: str | None, env: Mapping[str, str], web: Web) -> None:
        registry, _, rest = wanted.reference.partition("/")
        names = _DOCKER_HUB if registry in _DOCKER_HUB else (registry,)
        name, _, digest = rest.partition("@")
        repository, _, tag = name.partition(":")
        self._version = digest or tag or "latest"
        self._repository = f"{(endpoint or f'https://{names[-1]}').rstrip('/')}/v2/{repository}"
        self._login = _login(env.get("DOCKER_CONFIG_JSON", ""), names)
        self._authorization: Mapping[str, str] = {}
        self._renewing = Lock()
        self._web = web

    def list(self) -> Listing:
        """The layers of the manifest; its digest is the revision."""
        answer = self._manifest()
        revision = f"sha256:{hashlib.sha256(answer.content).hexdigest()}"
        if self._version.startswith("sha256:") and revision != self._version:
            raise DownloadError(Reason.CHECKSUM_MISMATCH, f"the manifest has the digest {revision}")
        try:
            files = [self._file(layer) for layer in json.loads(answer.content)["layers"]]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DownloadError(Reason.SOURCE_NOT_UNDERSTOOD, f"{answer.url} is no manifest of an artifact") from error
        return Listing(revision=revision, files=files)

    def open(self, file: RemoteFile, offset: int) -> Response:
        """The registry may redirect to where blobs are. A token that has expired is renewed once."""
        used = self._authorization
        try:
            return ranged(self._web, file.url, used, offset)
        except DownloadError as error:
            if error.reason is not Reason.UNAUTHORIZED:
                raise
        self._renew(file.url, used)
        return ranged(self._web, file.url, self._authorization, offset)

    def _renew(self, url: str, refused: Mapping[str, str]) -> None:
        """Get another token than the one that was refused, unless another thread has got one already."""
        with self._renewing:
            if self._authorization is refused:
                answer = self._web.ask(url, redirects=False, stream=True)
                answer.close()
                self._authorization = self._prove(answer.headers.get("WWW-Authenticate", ""))

    def _manifest(self) -> Response:
        url, accept = f"{self._repository}/manifests/{self._version}", {"Accept": _MANIFEST}
        answer = self._web.ask(url, {**accept, **self._authorization})
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            self._renew(url, self._authorization)
            answer = self._web.ask(url, {**accept, **self._authorization})
        if not answer.ok:
            raise refused(answer)
        return answer

    def _file(self, layer: Any) -> RemoteFile:
        named = layer.get("annotations") or {}
        path = next((named[key] for key in _FILE_NAMES if named.get(key)), None)
        if path is None or re.search(r"tar|gzip", layer.get("mediaType", "")):
            raise DownloadError(
                Reason.SOURCE_NOT_UNDERSTOOD,
                "a layer is an archive and not a file; push the files with oras, or serve an image with its weights "
                "by model.source.image",
            )
        digest = str(layer["digest"])
        return RemoteFile(
            path=str(path), size=int(layer["size"]), url=f"{self._repository}/blobs/{digest}", digest=digest
        )

    def _prove(self, challenge: str) -> Mapping[str, str]:
        """Headers that answer a registry's challenge."""
        scheme, _, rest = challenge.partition(" ")
        basic = f"Basic {self._login}" if self._login else ""
        if scheme.lower() != "bearer":
            return {"Authorization": basic} if basic else {}
        asked = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        query = {name: asked[name] for name in ("service", "scope") if name in asked}
        where = f"{asked.get('realm', '')}?{urlencode(query)}"
        found, _ = self._web.json(where, {"Authorization": basic} if basic else {})
        return {"Authorization": f"Bearer {found.get('token') or found.get('access_token') or ''}"}


def _login(config: str, names: Sequence[str]) -> str:
    """The base64 of user and password for a registry of these names in a Docker configuration file, or empty."""
    try:
        entries = json.loads(config or "{}").get("auths", {})
        hosts = {re.sub(r"^https?://|/.*$", "", host): entry for host, entry in entries.items()}
        entry: Any = next((hosts[name] for name in names if name in hosts), {})
        login = entry.get("auth") or base64.b64encode(f"{entry['username']}:{entry['password']}".encode()).decode()
        base64.b64decode(login, validate=True)
    except KeyError:
        return ""
    except (ValueError, AttributeError, binascii.Error) as error:
        raise DownloadError(Reason.UNAUTHORIZED, "the pull secret is no Docker configuration file") from error
    return str(login)
