"""The way in from outside the cluster: an HTTPRoute or an Ingress to the Service."""

from typing import Any

from aifactory.api.expose import ExposeSpec, GatewayReference, IngressSpec
from aifactory.runtimes import Role

from . import endpoint_picker, labels, naming

_GATEWAY_API = "gateway.networking.k8s.io"
_POOL = {"group": endpoint_picker.GROUP, "kind": endpoint_picker.POOL}


def exposure(role: Role, *, pooled: bool) -> list[dict[str, Any]]:
    """Nothing, or the one object that `spec.expose` asks for; a Gateway chooses from the pool of a `pooled` service."""
    expose = role.spec.expose
    if expose is None:
        return []
    return [_route(role, expose, expose.gateway, pooled) if expose.gateway else _ingress(role, expose, expose.ingress)]


def _route(role: Role, expose: ExposeSpec, gateway: GatewayReference, pooled: bool) -> dict[str, Any]:
    parent = {"name": gateway.name, "namespace": gateway.namespace, "sectionName": gateway.section_name}
    named = {key: value for key, value in parent.items() if value}
    service = {"group": "", "kind": "Service", "port": naming.SERVICE_PORT}
    backend = {"name": naming.entry(role.service), "weight": 1, **(_POOL if pooled else service)}
    return {
        "apiVersion": f"{_GATEWAY_API}/v1",
        "kind": "HTTPRoute",
        "metadata": labels.metadata(role, naming.entry(role.service)),
        "spec": {
            "parentRefs": [{"group": _GATEWAY_API, "kind": "Gateway", **named}],
            "hostnames": [expose.host],
            "rules": [{"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "backendRefs": [backend]}],
        },
    }


def _ingress(role: Role, expose: ExposeSpec, ingress: IngressSpec | None) -> dict[str, Any]:
    ingress = ingress or IngressSpec()
    metadata = labels.metadata(role, naming.entry(role.service))
    backend = {"service": {"name": naming.entry(role.service), "port": {"name": naming.PORT_NAME}}}
    fields = {
        "ingressClassName": ingress.class_name,
        "tls": [{"hosts": [expose.host], "secretName": ingress.tls_secret}] if ingress.tls_secret else None,
        "rules": [{"host": expose.host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}],
    }
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": metadata | ({"annotations": ingress.annotations} if ingress.annotations else {}),
        "spec": {key: value for key, value in fields.items() if value},
    }
