"""What keeps a download from happening is said with its reason, before harm is done."""

import json
import os
from collections import deque
from pathlib import Path
from typing import Any

import pytest
from aifactory.api.conditions import Reason
from aifactory.api.download import GIVE_UP, TRY_AGAIN, Outcome
from aifactory.download.errors import DownloadError
from aifactory.download.program import fetch, plan, run
from aifactory.download.volume import Copy

from tests.sources.server import Source

from .conftest import OTHERS, Download, order_for, stored

REVISION = "/api/models/acme/tiny/revision/main"
LOGIN = {"DOCKER_CONFIG_JSON": json.dumps({"auths": {"registry.example.com": {"auth": "cm9ib3Q6cGFzc3dvcmQ="}}})}


def refused(download: Download, **more: Any) -> DownloadError:
    with pytest.raises(DownloadError) as failed:
        download(**more)
    return failed.value


def test_too_small_a_claim_is_found_before_the_first_byte(source: Source, download: Download) -> None:
    error = refused(download, capacity=2_000_000)
    assert error.reason is Reason.STORAGE_TOO_SMALL
    assert "2097184 bytes are needed and spec.storage.size is 2000000 bytes" in error.message
    assert not source.served


def test_a_volume_without_room_is_found_before_the_first_byte(
    source: Source, download: Download, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = os.statvfs_result((4096, 4096, 1000, 20, 10, 100, 100, 100, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda path: full)
    error = refused(download)
    assert error.reason is Reason.STORAGE_TOO_SMALL
    assert "the volume has free 40960 bytes" in error.message
    assert not source.served


def test_a_volume_that_fills_up_says_so(source: Source, volume: Path, download: Download) -> None:
    order = order_for(source)
    plan(order, volume, {})
    copy = Copy(volume, order.folder)
    for file in copy.listing.files if copy.listing else ():
        copy.partial(file).symlink_to("/dev/full")
    with pytest.raises(DownloadError) as failed:
        fetch(order, volume, {})
    assert failed.value.reason is Reason.NO_SPACE_LEFT


@pytest.mark.parametrize(
    ("status", "reason", "again"),
    [
        (401, Reason.UNAUTHORIZED, False),
        (403, Reason.UNAUTHORIZED, False),
        (404, Reason.SOURCE_NOT_FOUND, False),
        (500, Reason.SOURCE_UNREACHABLE, True),
        (429, Reason.SOURCE_UNREACHABLE, True),
    ],
)
def test_an_answer_that_is_no_success_has_its_reason(
    source: Source, download: Download, status: int, reason: Reason, again: bool
) -> None:
    source.statuses[REVISION] = deque([status])
    error = refused(download)
    assert (error.reason, error.again) == (reason, again)
    assert f"{REVISION} answers {status}" in error.message


def test_a_bucket_of_another_region_is_named_with_the_field_to_set(source: Source, download: Download) -> None:
    source.region = "eu-central-1"
    error = refused(download, **OTHERS["s3"])
    assert error.reason is Reason.SOURCE_NOT_FOUND
    assert error.message.endswith("the bucket is in eu-central-1; set spec.source.s3.region")


def test_what_s3_says_of_a_refusal_is_told(source: Source, download: Download) -> None:
    source.secret = "hush"
    error = refused(download, **OTHERS["s3"])
    assert error.reason is Reason.UNAUTHORIZED
    assert error.message.endswith("answers 403 Forbidden: Access Denied")


def test_a_source_that_is_not_there_is_tried_again(source: Source, download: Download) -> None:
    error = refused(download, endpoint="http://127.0.0.1:1")
    assert (error.reason, error.again) == (Reason.SOURCE_UNREACHABLE, True)
    assert "refused" in error.message


@pytest.mark.parametrize(
    "name",
    ["../outside", "/etc/passwd", "a/../../b", "a//b", ".", "a\\..\\b", ".aifactory/complete", "bell\a", "a" * 300, ""],
)
def test_a_name_that_leads_out_of_the_volume_is_refused(
    source: Source, volume: Path, download: Download, name: str
) -> None:
    source.listed["config.json"] = name
    assert refused(download).reason is Reason.UNSAFE_FILE_NAME
    assert not source.served


@pytest.mark.parametrize("name", ["original", "original/notes.txt"])
def test_names_that_exclude_one_another_are_refused(source: Source, download: Download, name: str) -> None:
    source.listed["config.json"] = name
    assert refused(download).reason is Reason.UNSAFE_FILE_NAME


def test_a_link_in_the_volume_leads_nowhere(source: Source, volume: Path, tmp_path: Path, download: Download) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (volume / "one").mkdir(parents=True)
    (volume / "one/original").symlink_to(outside)
    assert refused(download).reason is Reason.UNSAFE_FILE_NAME
    assert list(outside.iterdir()) == []


def test_nothing_that_matches_is_not_found(download: Download) -> None:
    error = refused(download, source={"huggingFace": {"repo": "acme/tiny", "include": ["*.gguf"]}})
    assert error.reason is Reason.SOURCE_NOT_FOUND


@pytest.mark.parametrize("kind", ["huggingFace", *OTHERS])
def test_an_answer_of_something_else_is_not_understood(source: Source, download: Download, kind: str) -> None:
    first = {
        "huggingFace": REVISION,
        "s3": "/models/",
        "oci": "/v2/models/tiny/manifests/v1",
        "ngc": "/v2/models/acme/team/tiny/versions/1.0/files",
    }[kind]
    source.statuses[first] = deque([200])
    assert refused(download, **OTHERS.get(kind, {})).reason is Reason.SOURCE_NOT_UNDERSTOOD


@pytest.mark.parametrize("kind", ["huggingFace", *OTHERS])
def test_a_size_that_is_no_number_is_not_understood(source: Source, download: Download, kind: str) -> None:
    source.sizes = dict.fromkeys(source.files, "many")
    assert refused(download, **OTHERS.get(kind, {})).reason is Reason.SOURCE_NOT_UNDERSTOOD


def test_an_archive_in_a_registry_says_what_to_do_instead(source: Source, download: Download) -> None:
    source.layers = [
        {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": "sha256:" + "0" * 64, "size": 1}
    ]
    error = refused(download, **OTHERS["oci"])
    assert error.reason is Reason.SOURCE_NOT_UNDERSTOOD
    assert "oras" in error.message


def test_another_manifest_than_the_digest_says_is_refused(download: Download) -> None:
    reference = f"registry.example.com/models/tiny@sha256:{'0' * 64}"
    assert refused(download, source={"oci": {"reference": reference}}).reason is Reason.CHECKSUM_MISMATCH


@pytest.mark.parametrize(
    ("kind", "env"),
    [
        ("huggingFace", {"HF_TOKEN": "hush"}),
        ("s3", {"AWS_ACCESS_KEY_ID": "hush", "AWS_SECRET_ACCESS_KEY": "key"}),
        ("oci", LOGIN),
        (
            "oci",
            {
                "DOCKER_CONFIG_JSON": json.dumps(
                    {"auths": {"https://registry.example.com/v1/": {"username": "robot", "password": "password"}}}
                )
            },
        ),
        ("ngc", {"NGC_API_KEY": "hush"}),
    ],
)
def test_credentials_open_a_source_that_asks_for_them(
    source: Source, volume: Path, download: Download, kind: str, env: dict[str, str]
) -> None:
    source.secret = "hush"
    error = refused(download, **OTHERS.get(kind, {}))
    assert error.reason is Reason.UNAUTHORIZED
    download(env, **OTHERS.get(kind, {}))
    assert stored(volume) == source.files


def test_docker_hub_is_known_by_its_name_and_by_that_in_its_login(
    source: Source, volume: Path, download: Download, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = {"source": {"oci": {"reference": "docker.io/models/tiny:v1"}}}
    source.secret = "hush"
    login = {"auths": {"https://index.docker.io/v1/": {"auth": "cm9ib3Q6cGFzc3dvcmQ="}}}
    download({"DOCKER_CONFIG_JSON": json.dumps(login)}, **hub)
    assert stored(volume) == source.files
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    assert "https://registry-1.docker.io/v2/" in refused(download, **hub, endpoint=None, folder="two").message


def test_a_token_that_expires_is_renewed_once_for_all_files(source: Source, volume: Path, download: Download) -> None:
    source.files |= {f"part-{number}": b"x" * 2000 for number in range(40)}
    source.secret, source.expires_after = "hush", 30
    download(LOGIN, **OTHERS["oci"], connections=8)
    assert stored(volume) == source.files


def test_a_token_is_not_sent_to_where_the_hub_redirects(source: Source, volume: Path, download: Download) -> None:
    """As the Hub does with large files."""
    source.secret = "hush"
    source.redirect = f"http://localhost:{source.server_port}/cdn"
    download({"HF_TOKEN": "hush"})
    assert stored(volume) == source.files
    sent = [headers.get("authorization", "") for where, headers in source.seen if where.startswith("/cdn/")]
    assert len(sent) == len(source.files)
    assert not any(sent)


def test_a_login_is_not_sent_to_where_a_registry_redirects(source: Source, download: Download) -> None:
    with Source({}).start() as elsewhere:
        elsewhere.secret = "of somebody else"
        source.redirect = f"{elsewhere.url}/v2/blobs"
        assert refused(download, env=LOGIN, **OTHERS["oci"]).reason is Reason.UNAUTHORIZED
        elsewhere.shutdown()
    assert elsewhere.seen
    assert not any("authorization" in headers for _, headers in elsewhere.seen)


def test_a_pull_secret_of_another_kind_is_refused(source: Source, download: Download) -> None:
    source.secret = "hush"
    assert refused(download, env={"DOCKER_CONFIG_JSON": "[]"}, **OTHERS["oci"]).reason is Reason.UNAUTHORIZED


def test_a_step_ends_with_a_message_for_the_operator(source: Source, volume: Path, tmp_path: Path) -> None:
    message, order = tmp_path / "message", order_for(source)
    assert run("plan", order, volume, message) == 0
    planned = Outcome.read(message.read_text())
    assert planned is not None
    assert (planned.files, planned.files_total, planned.bytes_total) == (0, 4, 2097184)
    source.statuses["/api/models/acme/tiny/revision/main"] = deque([404, 503])
    assert run("plan", order, volume, message) == GIVE_UP
    assert run("plan", order, volume, message) == TRY_AGAIN
    failed = Outcome.read(message.read_text())
    assert failed is not None
    assert failed.reason is Reason.SOURCE_UNREACHABLE
    assert failed.bytes_total == 2097184


def test_a_message_fits_into_what_the_kubelet_reads() -> None:
    for widest in ('"', "\N{SNOWMAN}"):
        longest = Outcome(reason=Reason.SOURCE_NOT_UNDERSTOOD, message=widest * 1000, revision="sha256:" + "0" * 64)
        assert len(longest.write().encode()) < 4096
    assert Outcome.read("Error: killed") is None
