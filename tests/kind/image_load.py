"""Sends images into the node, only the layers that it lacks: a source edit sends kilobytes, not the whole image.

The daemon's archive is turned into an OCI image layout without the layers that the node's content store holds;
containerd takes those from the store. An uncompressed layer's digest is its diff id in the image's configuration.
"""

import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from tests.kind import docker
from tests.kind.paths import cache_dir
from tests.kind.progress import StepFailedError, capture, step

_OCI = "application/vnd.oci.image"
_GZIP = b"\x1f\x8b"


def load(node: str, tag: str, inputs: str) -> None:
    """Makes the daemon's image `tag` available in the node and notes there which inputs it was made from.

    Raises:
        StepFailedError: Docker or containerd refused; carries its message.
    """
    with (
        step(f"Load {tag} into {node}", "10 s"),
        tempfile.NamedTemporaryFile(dir=cache_dir(), suffix=".tar") as archive,
    ):
        capture(["docker", "save", "--output", archive.name, tag], timeout=300)
        present = set(capture([*_ctr(node), "content", "list", "--quiet"]).split())
        name = f"docker.io/{tag}"
        importer = subprocess.Popen(
            [*_ctr(node), "images", "import", "--snapshotter=overlayfs", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert importer.stdin is not None
        try:
            with (
                importer.stdin,
                tarfile.open(archive.name) as saved,
                tarfile.open(fileobj=importer.stdin, mode="w|") as out,
            ):
                for path, size, content in layout(saved, name, present):
                    entry = tarfile.TarInfo(path)
                    entry.size = size
                    out.addfile(entry, content)
        except BrokenPipeError:
            pass
        assert importer.stderr is not None
        with importer.stderr:
            errors = importer.stderr.read().decode(errors="replace").strip()
        if importer.wait():
            raise StepFailedError(f"containerd in {node} did not take {tag}: {errors}")
        capture([*_ctr(node), "images", "label", name, f"{docker.INPUTS_LABEL}={inputs}"])


def loaded_inputs(node: str, tag: str) -> str:
    """The inputs that the node's image `tag` was made from, empty when the node has no such image."""
    for line in capture([*_ctr(node), "images", "list", f"name==docker.io/{tag}"]).splitlines():
        for label in line.split()[-1].split(","):
            name, _, value = label.partition("=")
            if name == docker.INPUTS_LABEL:
                return value
    return ""


def _ctr(node: str) -> list[str]:
    return ["docker", "exec", "--interactive", node, "ctr", "--namespace=k8s.io"]


def layout(saved: tarfile.TarFile, name: str, present: set[str]) -> Iterator[tuple[str, int, IO[bytes]]]:
    """The entries of an OCI image layout, as path, size in bytes and content."""
    manifest = json.load(_open(saved, "manifest.json"))[0]
    config = _open(saved, manifest["Config"]).read()
    layers = []
    for path, diff_id in zip(manifest["Layers"], json.loads(config)["rootfs"]["diff_ids"], strict=True):
        content = _open(saved, path)
        size = content.seek(0, io.SEEK_END)
        content.seek(0)
        compressed = content.read(2) == _GZIP
        content.seek(0)
        digest = f"sha256:{Path(path).name}" if compressed else diff_id
        layers.append(_descriptor("layer.v1.tar+gzip" if compressed else "layer.v1.tar", digest, size))
        if digest not in present:
            yield _blob(digest), size, content
    document = {
        "schemaVersion": 2,
        "mediaType": f"{_OCI}.manifest.v1+json",
        "config": _descriptor("config.v1+json", _digest(config), len(config)),
        "layers": layers,
    }
    body = json.dumps(document).encode()
    entry = _descriptor("manifest.v1+json", _digest(body), len(body)) | {
        "annotations": {"io.containerd.image.name": name}
    }
    index = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
    files = {
        _blob(_digest(config)): config,
        _blob(_digest(body)): body,
        "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
        "index.json": index,
    }
    for path, data in files.items():
        yield path, len(data), io.BytesIO(data)


def _open(archive: tarfile.TarFile, path: str) -> IO[bytes]:
    content = archive.extractfile(path)
    if content is None:
        raise StepFailedError(f"the image archive has no file {path}")
    return content


def _descriptor(kind: str, digest: str, size: int) -> dict[str, Any]:
    return {"mediaType": f"{_OCI}.{kind}", "digest": digest, "size": size}


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"
