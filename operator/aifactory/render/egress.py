"""Proxy and certificates of connections that model servers open."""

from collections.abc import Mapping
from typing import Any

from aifactory.api.egress import EgressSpec
from aifactory.runtimes import Mount
from aifactory.runtimes.parts import literal

CERTIFICATES = "/etc/aifactory-certificates"
# The engine's own processes talk to one another, and to other Services of the cluster.
_NEVER_BY_PROXY = ("localhost", "127.0.0.1", ".svc", ".cluster.local")
# OpenSSL and most of what is built on it, requests, curl.
_CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def environment(egress: EgressSpec | None) -> tuple[Mapping[str, Any], ...]:
    """Variables in both spellings, as programs differ in which one they read."""
    if egress is None:
        return ()
    proxies = {"HTTP_PROXY": egress.http_proxy, "HTTPS_PROXY": egress.https_proxy}
    if any(proxies.values()):
        proxies["NO_PROXY"] = ",".join((*_NEVER_BY_PROXY, *(egress.no_proxy or ())))
    bundle = egress.ca_bundle
    return (
        *(literal(spelled, value) for name, value in proxies.items() if value for spelled in (name, name.lower())),
        *(literal(name, f"{CERTIFICATES}/{bundle.key}") for name in _CERTIFICATE_VARIABLES if bundle),
    )


def mounts(egress: EgressSpec | None) -> tuple[Mount, ...]:
    """The ConfigMap with the certificates, if there is one."""
    if egress is None or egress.ca_bundle is None:
        return ()
    source = {"configMap": {"name": egress.ca_bundle.config_map}}
    return (Mount(name="aifactory-certificates", path=CERTIFICATES, source=source, read_only=True),)
