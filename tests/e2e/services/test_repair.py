"""Children that someone deletes or edits come back as they were."""

from collections.abc import Callable

from tests.e2e.conftest import Serve
from tests.e2e.kube import Object
from tests.e2e.service import CHILDREN, Service

EDITS: dict[str, tuple[Object, Callable[[Object], object]]] = {
    "deployments": (
        {"spec": {"replicas": 2, "progressDeadlineSeconds": 77}},
        lambda obj: (obj["spec"]["replicas"], obj["spec"]["progressDeadlineSeconds"]),
    ),
    "services": ({"spec": {"selector": {"app": "other"}}}, lambda obj: obj["spec"]["ports"]),
    "networkpolicies": ({"spec": {"ingress": [{}]}}, lambda obj: obj["spec"]["ingress"]),
    "poddisruptionbudgets": ({"spec": {"maxUnavailable": "50%"}}, lambda obj: obj["spec"]["maxUnavailable"]),
    "serviceaccounts": ({"automountServiceAccountToken": True}, lambda obj: obj["automountServiceAccountToken"]),
}
"""Per kind: an edit by hand, and the fields that must be as they were afterwards."""


def test_every_child_that_is_deleted_or_edited_is_repaired(serve: Serve) -> None:
    service = serve()
    service.wait_ready()
    for plural in CHILDREN:
        _edit_and_wait(service, plural)
    for plural in CHILDREN:
        _delete_and_wait(service, plural)
    service.wait_ready()
    service.wait("the new replica is reached by the new Service", service.completes)


def _edit_and_wait(service: Service, plural: str) -> None:
    where = service.child_path(plural)
    edit, fields = EDITS[plural]
    before = fields(service.kube.get(where))
    service.kube.merge(where, {**edit, "metadata": {"labels": {"example.com/team": "chat"}}})
    service.wait(f"the edit of {plural} is undone", lambda: fields(service.kube.get(where)) == before)
    assert service.kube.get(where)["metadata"]["labels"]["example.com/team"] == "chat"


def _delete_and_wait(service: Service, plural: str) -> None:
    where = service.child_path(plural)
    before = service.kube.get(where)["metadata"]["uid"]
    service.kube.delete(where)

    def is_back() -> bool:
        found = service.child(plural)
        return found is not None and found["metadata"]["uid"] != before

    service.wait(f"the deleted one of {plural} is back", is_back)
