"""`spec.expose`: how requests from outside the cluster come in."""

from typing import Annotated

from pydantic import Field, StringConstraints

from .checks import Check, count_set
from .meta import FOREIGN_KEYS, LABEL_KEYS, CheckedModel, FreeText, Model, ObjectName

HOST_PATTERN = r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"


class GatewayReference(Model):
    """A Gateway that is to take the route; its listeners decide which namespaces they take routes from."""

    name: ObjectName = Field(description="Name of the Gateway.")
    namespace: ObjectName | None = Field(default=None, description="Its namespace. Default: that of the service.")
    section_name: ObjectName | None = Field(default=None, description="Its listener. Default: every one that fits.")


class IngressSpec(Model):
    """An Ingress of the class that a controller of the cluster serves."""

    class_name: ObjectName | None = Field(default=None, description="IngressClass. Default: that of the cluster.")
    tls_secret: ObjectName | None = Field(default=None, description="Secret with the certificate. Default: no TLS.")
    annotations: Annotated[dict[str, FreeText], Field(max_length=32), LABEL_KEYS, FOREIGN_KEYS] | None = Field(
        default=None, description="Settings of the controller, such as its timeout for long streams."
    )


class ExposeSpec(CheckedModel):
    """A host name that leads to the service."""

    checks = (
        Check(
            cel="has(self.gateway) != has(self.ingress)",
            holds=lambda expose: count_set(expose.gateway, expose.ingress) == 1,
            message="set exactly one of gateway or ingress",
        ),
    )
    host: Annotated[str, StringConstraints(pattern=HOST_PATTERN, min_length=1, max_length=253)] = Field(
        description="Host name of requests, such as llama.example.com."
    )
    gateway: GatewayReference | None = Field(default=None, description="By an HTTPRoute of the Gateway API.")
    ingress: IngressSpec | None = Field(default=None, description="By an Ingress.")
