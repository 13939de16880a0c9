"""All writes of the operator: server-side apply of children and status, replicas, deletion costs, events."""

from collections.abc import Mapping
from typing import Any

from aifactory.api import API_VERSION
from aifactory.api.owner import ObjectMeta
from aifactory.status.transitions import Event

from .client import ApiError, Client
from .kinds import CHILDREN, EVENT, POD
from .objects import Objects

FIELD_MANAGER = "aifactory"
STATUS_MANAGER = "aifactory-status"
SCALE_MANAGER = "aifactory-scaler"
_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
# Without a field that two writers would fill differently, the API server lets the second one in.
_NEVER_IN_CONFLICT = ("ServiceAccount", "Role", "RoleBinding")


class NameTakenError(Exception):
    """An object of the same kind and name exists and belongs to somebody else."""


class Writer:
    """Writes objects of one family and remembers the answers in the store."""

    def __init__(self, client: Client, store: Objects[Any]) -> None:
        self._client = client
        self._store = store
        self._family = store.family

    async def apply(self, child: Mapping[str, Any], *, exists: bool) -> dict[str, Any]:
        """Server-side apply of a child. Fields of other managers survive; ours are taken back only on own objects.

        Raises:
            NameTakenError: if `exists` is false and another object of that name has conflicting fields.
            ApiError: if the API server refuses.
        """
        kind, name = child["kind"], child["metadata"]["name"]
        resource = CHILDREN[kind]
        if not exists and kind in _NEVER_IN_CONFLICT and await self._belongs_to_others(child):
            raise NameTakenError(f"{kind} {name} exists and belongs to something else")
        try:
            answer = await self._client.request(
                "PATCH",
                resource.path(child["metadata"]["namespace"], name),
                resource.plural,
                body=child,
                content_type=_APPLY,
                fieldManager=FIELD_MANAGER,
                force="true" if exists else "false",
            )
        except ApiError as error:
            if error.status == 409 and not exists:
                raise NameTakenError(f"{kind} {name} exists and belongs to something else") from error
            raise
        self._store.put(kind, answer)
        return answer

    async def _belongs_to_others(self, child: Mapping[str, Any]) -> bool:
        """Somebody else made an object of this name."""
        metadata, resource = child["metadata"], CHILDREN[child["kind"]]
        try:
            live = await self._client.request(
                "GET", resource.path(metadata["namespace"], metadata["name"]), resource.plural
            )
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        key = self._family.key
        return key(child["kind"], live["metadata"]) != key(child["kind"], metadata)

    async def delete(self, child: Mapping[str, Any]) -> None:
        """Delete a child that is no longer wanted; one that is gone or was replaced already is fine."""
        resource, metadata = CHILDREN[child["kind"]], child["metadata"]
        try:
            await self._client.request(
                "DELETE",
                resource.path(metadata["namespace"], metadata["name"]),
                resource.plural,
                body={
                    "apiVersion": "v1",
                    "kind": "DeleteOptions",
                    "preconditions": {"uid": metadata["uid"]},
                    # Jobs would leave their pods behind (batch/v1 orphans by default).
                    "propagationPolicy": "Background",
                },
            )
        except ApiError as error:
            if error.status not in (404, 409):
                raise
            if error.status == 404:
                # Nothing tells of the end of objects whose kind went with them.
                self._store.drop(child["kind"], child)

    async def delete_pod(self, namespace: str, pod: str, uid: str, grace_seconds: int) -> None:
        """Delete this very pod; one that is gone or was replaced already is fine."""
        try:
            await self._client.request(
                "DELETE",
                POD.path(namespace, pod),
                POD.plural,
                body={
                    "apiVersion": "v1",
                    "kind": "DeleteOptions",
                    "gracePeriodSeconds": grace_seconds,
                    "preconditions": {"uid": uid},
                },
            )
        except ApiError as error:
            if error.status not in (404, 409):
                raise

    async def scale(self, kind: str, namespace: str, name: str, replicas: int) -> None:
        """Set the replicas of a Deployment or LeaderWorkerSet and nothing else."""
        resource = CHILDREN[kind]
        answer = await self._client.request(
            "PATCH",
            resource.path(namespace, name),
            resource.plural,
            body={"spec": {"replicas": replicas}},
            content_type=_MERGE,
            fieldManager=SCALE_MANAGER,
        )
        self._store.put(kind, answer)

    async def set_deletion_cost(self, namespace: str, pod: str, cost: int) -> None:
        """Mark a pod to leave before pods of higher cost; a pod that is gone is fine."""
        body = {"metadata": {"annotations": {"controller.kubernetes.io/pod-deletion-cost": str(cost)}}}
        try:
            await self._client.request(
                "PATCH",
                POD.path(namespace, pod),
                POD.plural,
                body=body,
                content_type=_MERGE,
                fieldManager=SCALE_MANAGER,
            )
        except ApiError as error:
            if error.status != 404:
                raise

    async def status(self, metadata: ObjectMeta, status: Mapping[str, Any]) -> None:
        """Write the status of this very object; one of the same name but another uid is left alone."""
        body = {
            "apiVersion": API_VERSION,
            "kind": self._family.kind,
            "metadata": {"name": metadata.name, "namespace": metadata.namespace, "uid": metadata.uid},
            "status": status,
        }
        try:
            answer = await self._client.request(
                "PATCH",
                self._family.resource.path(metadata.namespace, metadata.name, "status"),
                f"{self._family.resource.plural}/status",
                body=body,
                content_type=_APPLY,
                fieldManager=STATUS_MANAGER,
                force="true",
            )
        except ApiError as error:
            if error.status not in (404, 409):
                raise
        else:
            self._store.put(self._family.kind, answer)

    async def event(self, metadata: ObjectMeta, event: Event, time: str) -> None:
        """Post an Event about one of ours."""
        body = {
            "metadata": {"generateName": f"{metadata.name}.", "namespace": metadata.namespace},
            "involvedObject": {
                "apiVersion": API_VERSION,
                "kind": self._family.kind,
                "name": metadata.name,
                "namespace": metadata.namespace,
                "uid": metadata.uid,
            },
            "type": event.type,
            "reason": event.reason,
            "message": event.message[:1024],
            "source": {"component": FIELD_MANAGER},
            "reportingComponent": "aifactory.dev/operator",
            "firstTimestamp": time,
            "lastTimestamp": time,
            "count": 1,
        }
        await self._client.request("POST", EVENT.collection(metadata.namespace), EVENT.plural, body=body)
