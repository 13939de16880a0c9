"""A Hugging Face Hub, an S3, an OCI registry and an NGC in one HTTP server, with faults. Only the standard library.

`python3 server.py --port 8000 --megabytes 64 --rate 8 --cut 2` serves the repository acme/tiny, 8 MB/s at most, and
cuts the first two transfers of large files in the middle. `/served` tells how many bytes of each file were sent.
"""

import argparse
import base64
import hashlib
import json
import random
import threading
import time
from collections import Counter, deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPO = "acme/tiny"
BUCKET = "models"
_PIECE = 2**16
_LARGE = 1000


class Source(ThreadingHTTPServer):
    """Serves `files` (path to content). Every fault is consumed by the answers it spoils.

    Attributes:
        cuts: numbers of bytes after which the next bodies of large files end with the connection.
        statuses: statuses that answer the next requests for a path in place of its content.
        corrupt: paths whose first byte is wrong.
        secret: what credentials must hold, none are asked for when empty.
        whole: ranges are ignored.
        region: where the bucket is, if it is not found here.
        unsized: bodies end with the connection, and nothing says how long they are.
        page: entries of a list in one answer.
        expires_after: requests that a registry's token is good for, any number when 0.
        redirect: where the files of the Hub and of a registry are instead, without credentials.
        rate: bytes per second of all bodies, no limit when 0.
        listed: other names of files in lists.
        sizes: other sizes of files in lists.
        seen: method-less requests: path and headers.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, files: dict[str, bytes], port: int = 0, host: str = "127.0.0.1") -> None:
        super().__init__((host, port), Handler)
        self.files = files
        self.commit = COMMIT
        self.cuts: deque[int] = deque()
        self.statuses: dict[str, deque[int]] = {}
        self.corrupt: set[str] = set()
        self.secret = ""
        self.whole = False
        self.region = ""
        self.unsized = False
        self.page = 1000
        self.rate = 0
        self.redirect = ""
        self.expires_after = 0
        self.uses: Counter[str] = Counter()
        self.lock = threading.Lock()
        self.layers: list[dict[str, object]] | None = None
        self.listed: dict[str, str] = {}
        self.sizes: dict[str, object] = {}
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.served: Counter[str] = Counter()

    def size(self, path: str) -> object:
        """What lists say of the size of a file."""
        return self.sizes.get(path, len(self.files[path]))

    def start(self) -> "Source":
        """Serve in the background."""
        threading.Thread(target=self.serve_forever, args=[0.01], daemon=True).start()
        return self

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def ranges(self, path: str) -> list[str]:
        """The Range headers of the requests for a file, empty where there was none."""
        return [headers.get("range", "") for where, headers in self.seen if where.endswith(path)]

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no error."""


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Source

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        where = unquote(parts.path)
        self.server.seen.append((where, {name.lower(): value for name, value in self.headers.items()}))
        if where == "/served":
            return self._json(self.server.served)
        spoiled = self.server.statuses.get(where)
        if spoiled:
            return self._text(spoiled.popleft(), "no")
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        if where.startswith("/api/models/"):
            return self._hub(where, query)
        if where.startswith("/cdn/"):
            return self._content(where.removeprefix("/cdn/"))
        if "/resolve/" in where:
            return self._protected(where.split(f"/resolve/{self.server.commit}/")[-1])
        if "/versions/" in where:
            return self._ngc(where, query)
        if where.startswith(("/v2/", "/token")):
            return self._oci(where)
        return self._s3(where, query)

    def _allowed(self) -> bool:
        secret, given = self.server.secret, self.headers.get("Authorization", "")
        return not secret or secret in given

    def _protected(self, path: str) -> None:
        if not self._allowed():
            self._text(401, "who are you?")
        elif self.server.redirect:
            self._text(302, "there", {"Location": f"{self.server.redirect}/{path}"})
        else:
            self._content(path)

    def _hub(self, where: str, query: dict[str, str]) -> None:
        if not self._allowed():
            return self._text(401, "who are you?")
        if "/revision/" in where:
            return self._json({"sha": self.server.commit})
        entries = []
        for path, content in self.server.files.items():
            named = self.server.listed.get(path, path)
            entry = {"type": "file", "path": named, "size": self.server.size(path)}
            if len(content) >= _LARGE:
                entry["lfs"] = {"oid": digest(content), "size": len(content), "pointerSize": 134}
            entry["oid"] = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
            entries.append(entry)
        start = int(query.get("cursor", "0"))
        end = start + self.server.page
        more = {}
        if end < len(entries):
            more = {"Link": f'<https://huggingface.co{where}?recursive=true&cursor={end}>; rel="next"'}
        return self._json([{"type": "directory", "path": "x", "oid": ""}, *entries[start:end]], more)

    def _ngc(self, where: str, query: dict[str, str]) -> None:
        if not self._allowed():
            return self._text(401, "who are you?")
        path = where.partition("/files/")[2]
        if path:
            return self._content(path)
        files = [{"path": path, "sizeInBytes": self.server.size(path)} for path in self.server.files]
        page, size = int(query["page-number"]), self.server.page
        pages = -(-len(files) // size)
        found = files[page * size : (page + 1) * size]
        return self._json({"modelFiles": found, "paginationInfo": {"totalPages": pages}})

    def _oci(self, where: str) -> None:
        if where == "/token":
            user = base64.b64encode(b"robot:password").decode()
            if self.headers.get("Authorization") != f"Basic {user}":
                return self._text(401, "who are you?")
            return self._json({"token": f"{self.server.secret}-{time.monotonic_ns()}"})
        if not self._allowed() or self._expired():
            challenge = f'Bearer realm="{self.server.url}/token",service="registry",scope="repository:pull"'
            return self._text(401, "who are you?", {"WWW-Authenticate": challenge})
        if "/manifests/" in where:
            layers = [
                {
                    "mediaType": "application/octet-stream",
                    "digest": f"sha256:{digest(content)}",
                    "size": self.server.size(path),
                    "annotations": {"org.opencontainers.image.title": path},
                }
                for path, content in self.server.files.items()
            ]
            return self._json({"schemaVersion": 2, "layers": self.server.layers or layers})
        wanted = where.rpartition(":")[2]
        path = next((path for path, content in self.server.files.items() if digest(content) == wanted), "")
        if self.server.redirect:
            return self._text(307, "there", {"Location": f"{self.server.redirect}/{path}"})
        return self._content(path)

    def _expired(self) -> bool:
        with self.server.lock:
            given = self.headers.get("Authorization", "")
            self.server.uses[given] += 1
            return 0 < self.server.expires_after < self.server.uses[given]

    def _s3(self, where: str, query: dict[str, str]) -> None:
        if not self._allowed():
            return self._text(403, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
        if self.server.region:
            return self._text(301, "<Error/>", {"x-amz-bucket-region": self.server.region})
        key = where.removeprefix(f"/{BUCKET}/")
        if "list-type" not in query:
            if self.headers.get("If-Match", "") not in ("", f'"{self._tag(key)}"'):
                return self._text(412, "changed")
            return self._content(key)
        keys = sorted(key for key in self.server.files if key.startswith(query["prefix"]))
        start = int(query.get("continuation-token", "0"))
        end = start + self.server.page
        more = f"<NextContinuationToken>{end}</NextContinuationToken>" if end < len(keys) else ""
        contents = "".join(
            f"<Contents><Key>{key}</Key><ETag>&quot;{self._tag(key)}&quot;</ETag>"
            f"<Size>{self.server.size(key)}</Size></Contents>"
            for key in keys[start:end]
        )
        xml = f'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{contents}{more}</ListBucketResult>'
        return self._text(200, xml)

    def _tag(self, key: str) -> str:
        return hashlib.md5(self.server.files.get(key, b"")).hexdigest()

    def _content(self, path: str) -> None:
        content = self.server.files.get(path)
        if content is None:
            self._text(404, "nothing here")
            return
        if path in self.server.corrupt:
            content = bytes([content[0] ^ 1]) + content[1:]
        begin = 0
        asked = self.headers.get("Range")
        if asked and not self.server.whole:
            begin = int(asked.removeprefix("bytes=").removesuffix("-"))
            if begin >= len(content):
                self._text(416, "no such range")
                return
        body = content[begin:]
        self.send_response(206 if begin else 200)
        if self.server.unsized:
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(len(body)))
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        self._send(path, body)

    def _send(self, path: str, body: bytes) -> None:
        cuts = self.server.cuts
        end = cuts.popleft() if len(body) >= _LARGE and cuts else len(body)
        for start in range(0, end, _PIECE):
            piece = body[start : min(end, start + _PIECE)]
            self.wfile.write(piece)
            self.server.served[path] += len(piece)
            if self.server.rate:
                time.sleep(len(piece) / self.server.rate)
        if end < len(body):
            self.close_connection = True

    def _json(self, value: object, headers: dict[str, str] | None = None) -> None:
        self._text(200, json.dumps(value), headers)

    def _text(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def model(megabytes: int) -> dict[str, bytes]:
    """Files like those of a small model: the same at every call."""
    noise = random.Random(megabytes)
    half = megabytes * 2**20 // 2
    return {
        "config.json": b'{"model_type": "tiny"}',
        "model-00001-of-00002.safetensors": noise.randbytes(half),
        "model-00002-of-00002.safetensors": noise.randbytes(half),
        "original/notes.txt": b"not needed",
    }


def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--megabytes", type=int, default=16)
    parser.add_argument("--rate", type=int, default=0, help="MB/s of one transfer")
    parser.add_argument("--cut", type=int, default=0, help="transfers that are cut in the middle")
    chosen = parser.parse_args()
    source = Source(model(chosen.megabytes), chosen.port, "0.0.0.0")
    source.rate = chosen.rate * 10**6
    source.cuts.extend([chosen.megabytes * 2**18] * chosen.cut)
    source.serve_forever()


if __name__ == "__main__":
    main()
