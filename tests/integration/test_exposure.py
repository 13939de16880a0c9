"""A way in from outside the cluster comes and goes with `spec.expose`."""

from tests.e2e.kube import path

from .service import Service

INGRESS = {"expose": {"host": "chat.example.com", "ingress": {"className": "nginx"}}}
GATEWAY = {"expose": {"host": "chat.example.com", "gateway": {"name": "public"}}}


def test_an_ingress_is_made_said_so_and_removed_with_its_field(service: Service) -> None:
    service.apply(INGRESS)
    service.wait_for("Exposed", "Unknown", "IngressPending")
    ingress = service.child("ingresses")
    assert ingress is not None
    assert ingress["spec"]["rules"][0]["host"] == "chat.example.com"
    taken = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}
    service.kube.merge(path(service.namespace, "ingresses", service.name, "status"), taken)
    service.wait_for("Exposed", "True", "IngressCreated")
    service.apply()
    service.wait("the Ingress is gone", lambda: service.child("ingresses") is None)
    service.wait("nothing is said of it", lambda: not service.condition("Exposed"))


def test_a_cluster_without_the_gateway_api_is_told_what_to_install(service: Service) -> None:
    service.apply(GATEWAY)
    missing = service.wait_for("Exposed", "False", "GatewayAPIMissing")
    assert "install the Gateway API" in missing["message"]
    service.become_ready()
