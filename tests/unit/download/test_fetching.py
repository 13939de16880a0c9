"""What is in the volume after a download, and after one that was cut, corrupted or repeated."""

from collections import deque
from pathlib import Path
from time import process_time

import pytest
from aifactory.api.conditions import Reason
from aifactory.download.errors import DownloadError
from aifactory.download.files import Listing, RemoteFile
from aifactory.download.program import fetch, plan
from aifactory.download.volume import Copy

from tests.sources.server import Source

from .conftest import OTHERS, Download, order_for, stored

SHARD = "model-00001-of-00002.safetensors"
RESOLVE = "/acme/tiny/resolve/0123456789abcdef0123456789abcdef01234567/"


@pytest.mark.parametrize("kind", ["huggingFace", *OTHERS])
def test_every_file_of_the_source_arrives(source: Source, volume: Path, download: Download, kind: str) -> None:
    outcome = download(**OTHERS.get(kind, {}))
    assert stored(volume) == source.files
    assert outcome.reason is None
    assert (outcome.files, outcome.files_total) == (4, 4)
    assert outcome.bytes == outcome.bytes_total == sum(map(len, source.files.values()))


@pytest.mark.parametrize("kind", ["huggingFace", *OTHERS])
def test_a_list_of_several_pages_is_read_to_its_end(
    source: Source, volume: Path, download: Download, kind: str
) -> None:
    source.page = 3
    download(**OTHERS.get(kind, {}))
    assert stored(volume) == source.files


@pytest.mark.parametrize("kind", ["huggingFace", *OTHERS])
def test_a_connection_that_is_cut_is_resumed_where_it_broke(
    source: Source, volume: Path, download: Download, kind: str
) -> None:
    source.cuts.extend([300_000, 200_000, 100_000])
    download(**OTHERS.get(kind, {}), connections=1)
    assert stored(volume) == source.files
    assert source.served[SHARD] == len(source.files[SHARD]), "no byte was sent twice"


def test_a_pod_that_died_is_resumed_by_the_next_one(source: Source, volume: Path) -> None:
    order = order_for(source, connections=1)
    source.cuts.append(300_000)
    source.cuts.extend([0] * 20)
    plan(order, volume, {})
    with pytest.raises(DownloadError) as failed:
        fetch(order, volume, {}, pause=0.001)
    assert failed.value.again
    source.cuts.clear()
    assert SHARD not in stored(volume), "a file has its name only when it is complete"
    assert plan(order, volume, {}).bytes >= 300_000
    fetch(order, volume, {}, pause=0.001)
    assert stored(volume) == source.files
    assert source.ranges(SHARD)[-1] == "bytes=300000-"


def test_a_server_that_ignores_ranges_is_read_from_the_beginning(
    source: Source, volume: Path, download: Download
) -> None:
    source.whole = True
    source.cuts.append(300_000)
    download()
    assert stored(volume) == source.files


def test_a_body_that_ends_too_early_without_an_error_is_resumed(
    source: Source, volume: Path, download: Download
) -> None:
    source.unsized = True
    source.cuts.append(300_000)
    download(connections=1)
    assert stored(volume) == source.files
    assert "bytes=300000-" in source.ranges(SHARD)


def test_a_busy_server_is_asked_again(source: Source, volume: Path, download: Download) -> None:
    source.statuses[f"{RESOLVE}{SHARD}"] = deque([503, 429, 500])
    download()
    assert stored(volume) == source.files


def test_a_complete_copy_needs_no_source(source: Source, download: Download) -> None:
    first = download()
    asked = len(source.seen)
    assert download() == first
    assert len(source.seen) == asked


def test_a_copy_that_lost_a_file_is_completed(source: Source, volume: Path, download: Download) -> None:
    download()
    (volume / "one" / SHARD).unlink()
    download()
    assert stored(volume) == source.files
    assert source.served["model-00002-of-00002.safetensors"] == len(source.files[SHARD]), "the other one was kept"


def test_a_branch_that_moves_during_a_download_leaves_no_mixture(source: Source, volume: Path) -> None:
    order = order_for(source)
    plan(order, volume, {})
    fetch(order, volume, {})
    (volume / "one/.aifactory/complete").unlink()
    source.commit = "f" * 40
    source.files = {"config.json": source.files["config.json"], SHARD: b"new" * 1000}
    assert plan(order, volume, {}).revision == "f" * 40
    fetch(order, volume, {})
    assert stored(volume) == source.files


def test_a_list_of_many_files_is_compared_with_the_last_one_in_no_time(volume: Path) -> None:
    files = [RemoteFile(path=f"part-{number}", size=1, url="http://models/part") for number in range(5000)]
    copy, began = Copy(volume, "one"), process_time()
    copy.expect(Listing(revision="a", files=files))
    copy.expect(Listing(revision="b", files=files))
    assert process_time() - began < 5, "every file with every other takes half a minute"


def test_an_empty_file_arrives_as_well(source: Source, volume: Path, download: Download) -> None:
    source.files["empty.txt"] = b""
    download()
    assert stored(volume)["empty.txt"] == b""


def test_only_files_that_are_asked_for_arrive(volume: Path, download: Download) -> None:
    wanted = {"repo": "acme/tiny", "include": ["*.json", "*.safetensors", "*.txt"], "exclude": ["original/*"]}
    download(source={"huggingFace": wanted})
    assert set(stored(volume)) == {"config.json", SHARD, "model-00002-of-00002.safetensors"}


def test_a_folder_of_a_bucket_arrives_without_its_name(source: Source, volume: Path, download: Download) -> None:
    download(source={"s3": {"bucket": "models", "prefix": "original"}})
    assert set(stored(volume)) == {"notes.txt"}


@pytest.mark.parametrize("path", [SHARD, "config.json"])
def test_a_wrong_content_never_gets_the_files_name(source: Source, volume: Path, download: Download, path: str) -> None:
    source.corrupt.add(path)
    with pytest.raises(DownloadError) as failed:
        download()
    assert failed.value.reason is Reason.CHECKSUM_MISMATCH
    assert path in failed.value.message
    assert path not in stored(volume)
    assert not (volume / "one/.aifactory/complete").exists()


def test_an_object_that_changes_after_it_was_listed_is_not_mixed_in(source: Source, volume: Path) -> None:
    order = order_for(source, **OTHERS["s3"])
    plan(order, volume, {})
    source.files[SHARD] = bytes(len(source.files[SHARD]))
    with pytest.raises(DownloadError) as failed:
        fetch(order, volume, {})
    assert failed.value.reason is Reason.SOURCE_CHANGED


def test_files_can_be_read_by_every_user(volume: Path, download: Download) -> None:
    download()
    assert (volume / "one" / SHARD).stat().st_mode & 0o777 == 0o644


def test_earlier_copies_make_room_except_those_in_use(volume: Path, download: Download) -> None:
    for folder in ("one", "two", "three"):
        download(folder=folder, keep=["one"])
    assert {path.name for path in volume.iterdir()} == {"one", "three"}


def test_what_the_downloader_did_not_make_stays(volume: Path, download: Download) -> None:
    (volume / "lost+found").mkdir(parents=True)
    (volume / "notes").mkdir()
    download()
    assert {path.name for path in volume.iterdir()} == {"one", "lost+found", "notes"}
