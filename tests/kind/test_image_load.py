"""Only what the node lacks is sent to it."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

from tests.kind.image_load import layout


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _saved_image(path: Path, layers: list[bytes]) -> None:
    """An archive as `docker save` writes it: a folder per layer, the configuration, the manifest."""
    config = json.dumps({"rootfs": {"diff_ids": [f"sha256:{_digest(layer)}" for layer in layers]}}).encode()
    files = {f"{number}/layer.tar": layer for number, layer in enumerate(layers)}
    files["config.json"] = config
    files["manifest.json"] = json.dumps([{"Config": "config.json", "Layers": list(files)[:-1]}]).encode()
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


def _sent(path: Path, present: set[str]) -> dict[str, bytes]:
    with tarfile.open(path) as saved:
        return {name: content.read(size) for name, size, content in layout(saved, "docker.io/a/b:dev", present)}


def test_a_layer_that_the_node_has_is_not_sent_but_still_listed(tmp_path: Path) -> None:
    base, source = b"the base", b"the source"
    _saved_image(tmp_path / "image.tar", [base, source])

    sent = _sent(tmp_path / "image.tar", present={f"sha256:{_digest(base)}"})

    assert f"blobs/sha256/{_digest(base)}" not in sent
    assert sent[f"blobs/sha256/{_digest(source)}"] == source
    entry = json.loads(sent["index.json"])["manifests"][0]
    manifest = json.loads(sent[f"blobs/{entry['digest'].replace(':', '/')}"])
    assert [layer["digest"] for layer in manifest["layers"]] == [f"sha256:{_digest(data)}" for data in (base, source)]
    assert entry["annotations"]["io.containerd.image.name"] == "docker.io/a/b:dev"


def test_every_blob_bears_the_digest_of_its_content(tmp_path: Path) -> None:
    _saved_image(tmp_path / "image.tar", [b"one", b"two"])

    blobs = {name: data for name, data in _sent(tmp_path / "image.tar", set()).items() if name.startswith("blobs/")}

    assert len(blobs) == 4
    assert all(name == f"blobs/sha256/{_digest(data)}" for name, data in blobs.items())
