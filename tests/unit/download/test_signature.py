"""The examples of the Amazon S3 API Reference, "Signature Calculations for the Authorization Header"."""

from datetime import UTC, datetime

import pytest
from aifactory.download.signature import Credentials, signed

CREDENTIALS = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
WHEN = datetime(2013, 5, 24, tzinfo=UTC)


@pytest.mark.parametrize(
    ("path", "headers", "signature"),
    [
        (
            "/test.txt",
            {"Range": "bytes=0-9"},
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        ("/?lifecycle", {}, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        ("/?max-keys=2&prefix=J", {}, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
    ],
)
def test_the_published_examples_are_signed_as_published(path: str, headers: dict[str, str], signature: str) -> None:
    found = signed(f"https://examplebucket.s3.amazonaws.com{path}", headers, CREDENTIALS, "us-east-1", WHEN)
    assert found["Authorization"].endswith(f"Signature={signature}")


def test_temporary_credentials_send_their_token() -> None:
    temporary = Credentials.of({"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_SESSION_TOKEN": "c"})
    assert temporary is not None
    found = signed("http://s3/bucket/key", {}, temporary, "us-east-1", WHEN)
    assert found["x-amz-security-token"] == "c"
    assert "x-amz-security-token" in found["Authorization"]


@pytest.mark.parametrize(("one", "same"), [("http://s3:80/k", "http://S3/k"), ("https://s3:443/k", "https://s3/k")])
def test_a_port_that_goes_without_saying_is_not_signed(one: str, same: str) -> None:
    """HTTP clients leave it out of the header Host."""
    first, second = (signed(url, {}, CREDENTIALS, "us-east-1", WHEN) for url in (one, same))
    assert first == second


def test_without_keys_there_is_nothing_to_sign_with() -> None:
    assert Credentials.of({"AWS_ACCESS_KEY_ID": "a"}) is None
