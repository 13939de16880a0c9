"""AWS Signature Version 4 of GET requests, signed in headers.

Source: Amazon S3 API Reference, "Authenticating Requests: Using the Authorization Header".
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

_ALGORITHM = "AWS4-HMAC-SHA256"
_EMPTY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class Credentials:
    """Of an AWS principal; `token` only of temporary ones."""

    access_key: str
    secret_key: str
    token: str | None = None

    @classmethod
    def of(cls, env: Mapping[str, str]) -> "Credentials | None":
        """Those in the usual environment variables, None without them."""
        key, secret = env.get("AWS_ACCESS_KEY_ID"), env.get("AWS_SECRET_ACCESS_KEY")
        return cls(key, secret, env.get("AWS_SESSION_TOKEN") or None) if key and secret else None


def signed(
    url: str, headers: Mapping[str, str], credentials: Credentials, region: str, now: datetime
) -> dict[str, str]:
    """The headers of a GET without a body, with those that authenticate it at `now` (UTC)."""
    parts, moment = urlsplit(url), now.strftime("%Y%m%dT%H%M%SZ")
    sent = {
        **headers,
        "x-amz-content-sha256": _EMPTY,
        "x-amz-date": moment,
        **({"x-amz-security-token": credentials.token} if credentials.token else {}),
    }
    canonical = {name.lower(): " ".join(value.split()) for name, value in {**sent, "host": _host(parts)}.items()}
    names = ";".join(sorted(canonical))
    query = sorted((quote(k, safe="-_.~"), quote(v, safe="-_.~")) for k, v in parse_qsl(parts.query, True))
    request = "\n".join(
        [
            "GET",
            quote(unquote(parts.path) or "/", safe="/-_.~"),
            "&".join(f"{name}={value}" for name, value in query),
            *(f"{name}:{canonical[name]}" for name in sorted(canonical)),
            "",
            names,
            _EMPTY,
        ]
    )
    scope = f"{moment[:8]}/{region}/s3/aws4_request"
    text = "\n".join([_ALGORITHM, moment, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = reduce(_hmac, scope.split("/"), f"AWS4{credentials.secret_key}".encode())
    signature = _hmac(key, text).hex()
    proof = f"Credential={credentials.access_key}/{scope},SignedHeaders={names},Signature={signature}"
    return {**sent, "Authorization": f"{_ALGORITHM} {proof}"}


def _host(url: SplitResult) -> str:
    """The header Host as HTTP clients write it: without the port where it goes without saying."""
    usual = {"http": ":80", "https": ":443"}[url.scheme]
    return url.netloc.lower().removesuffix(usual)


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
