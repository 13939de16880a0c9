"""Mistakes that the schema cannot see: the service says what to change, and what served keeps serving."""

from tests.e2e.conftest import Serve
from tests.e2e.kube import Kube, path
from tests.e2e.service import runtime

NGC = {"model": {"name": "simulated", "source": {"ngc": {"authSecret": "ngc-api"}}}, "runtime": runtime("nim")}


def test_a_missing_secret_is_named_and_the_service_starts_by_itself_once_it_exists(
    kube: Kube, namespace: str, serve: Serve
) -> None:
    service = serve(**NGC, drain={"timeout": "5s"})
    service.wait("the missing Secret is reported", lambda: service.is_("Stalled", "True", "SecretNotFound"))
    assert '"ngc-api"' in service.condition("Stalled")["message"]
    assert service.is_("Ready", "False", "SecretNotFound")
    assert not service.completes()

    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "ngc-api"}, "stringData": {"NGC_API_KEY": "x"}}
    kube.apply(path(namespace, "secrets", "ngc-api"), secret)
    service.wait_ready()
    assert service.condition("Stalled") == {}
    service.wait("it answers", service.completes)


def test_a_bad_edit_leaves_the_last_good_replicas_serving_and_can_be_taken_back(serve: Serve) -> None:
    service = serve(replicas=1)
    service.wait_ready()
    good = service.pods[0]["metadata"]["name"]
    load = service.load("1@900s")

    service.edit({"runtime": {"args": ["--no-such-flag"]}})
    service.wait("the crash is reported", lambda: service.is_("Stalled", "True", "ContainerCrashing"))
    assert service.is_("Ready", "False", "ContainerCrashing")
    assert "still serving: 1" in service.condition("Ready")["message"]
    assert good in {pod["metadata"]["name"] for pod in service.pods}
    assert service.completes()

    service.edit({"runtime": {"args": None}})
    service.wait_ready()
    assert [pod["metadata"]["name"] for pod in service.pods] == [good]
    assert load.stop()["failed"] == 0
