"""`spec.runtime.egress`: how model servers reach what they download."""

from typing import Annotated

from pydantic import Field, StringConstraints

from .meta import Model, ObjectName

ProxyURL = Annotated[str, StringConstraints(pattern=r"^https?://[^\s@]+$", max_length=512)]
Host = Annotated[str, StringConstraints(pattern=r"^[-A-Za-z0-9.*:/]+$", max_length=253)]


class CABundle(Model):
    """Certificates in a ConfigMap of the namespace: all that are to be trusted, not only further ones."""

    config_map: ObjectName = Field(description="Name of the ConfigMap.")
    key: Annotated[str, StringConstraints(pattern=r"^[-A-Za-z0-9_.]+$", max_length=253)] = Field(
        default="ca.crt", description="Its key, with certificates in PEM format."
    )


class EgressSpec(Model):
    """Proxy and certificates of connections that model servers open."""

    http_proxy: ProxyURL | None = Field(default=None, description="Proxy of http, such as http://proxy:3128.")
    https_proxy: ProxyURL | None = Field(default=None, description="Proxy of https.")
    no_proxy: Annotated[list[Host], Field(max_length=64)] | None = Field(
        default=None, description="Hosts without a proxy, beside the pod itself and the cluster's Services."
    )
    ca_bundle: CABundle | None = Field(default=None, description="Certificates to trust instead of the image's own.")
