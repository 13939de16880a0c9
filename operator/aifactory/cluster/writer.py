"""All writes of the operator: server-side apply of children and status, replicas, deletion costs, events."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aifactory.api import API_VERSION
from aifactory.api.owner import ObjectMeta
from aifactory.render import labels
from aifactory.render.drift import replacement
from aifactory.status.transitions import Event

from .client import ApiError, Client
from .kinds import CHILDREN, EVENT, POD, Resource
from .objects import Objects

FIELD_MANAGER = "aifactory"
STATUS_MANAGER = "aifactory-status"
SCALE_MANAGER = "aifactory-scaler"
REPAIR_MANAGER = "aifactory-repairer"
_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
# Nobody who writes a service has a say in these, so that what makes them invalid is what others added to them.
_OURS_ALONE = ("Service", "PodDisruptionBudget")


class NameTakenError(Exception):
    """An object of the same kind and name exists and belongs to somebody else: to `owner`, if something controls it."""

    def __init__(self, kind: str, name: str, owner: str = "") -> None:
        super().__init__(f"{kind} {name} exists and belongs to {owner or 'something else'}")
        self.owner = owner


class Writer:
    """Writes objects of one family and remembers the answers in the store."""

    def __init__(self, client: Client, store: Objects[Any]) -> None:
        self._client = client
        self._store = store
        self._family = store.family

    async def apply(self, child: Mapping[str, Any], known: Mapping[str, Any] | None) -> dict[str, Any]:
        """Server-side apply of a child, which is `known` as last seen if it is there.

        Fields of other managers survive; ours are taken back, but only on what the same owner controls. Two owners of
        ours are one field manager to the API server, which therefore keeps neither from the children of the other.

        Raises:
            NameTakenError: if another object has that name.
            ApiError: if the API server refuses.
        """
        if known is not None:
            try:
                return await self._take_back(child, known)
            except ApiError as error:
                if not _another(error):
                    raise
        # Not there as far as is known, or not the same one any more.
        kind, name = child["kind"], child["metadata"]["name"]
        async with self._client.turn(_path(child)):
            live = await self._find(child)
            if live is not None:
                self._refuse_others(child, live)
                if _controller(live).get("uid") == _controller(child).get("uid"):
                    return await self._take_back(child, live)
            try:
                return await self._apply(child, force=False)
            except ApiError as error:
                if error.status == HTTPStatus.CONFLICT:
                    raise NameTakenError(kind, name) from error
                raise

    async def _take_back(self, child: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
        """Apply a child that is ours, in spite of what others did to it, unless there is another one by now."""
        uid = live["metadata"]["uid"]
        very = {**child, "metadata": {**child["metadata"], "uid": uid}}
        try:
            return await self._apply(very, force=True)
        except ApiError as error:
            if _another(error) or error.status != HTTPStatus.UNPROCESSABLE_ENTITY or child["kind"] not in _OURS_ALONE:
                raise
            # Together with what others added it is invalid. It stays the same object, with its address.
            body = {"metadata": {"uid": uid}, "spec": replacement(live["spec"], child["spec"])}
            try:
                await self._patch(child, body, _MERGE, fieldManager=REPAIR_MANAGER)
            except ApiError:
                raise error from None
        return await self._apply(very, force=True)

    async def _apply(self, child: Mapping[str, Any], *, force: bool) -> dict[str, Any]:
        return await self._patch(child, child, _APPLY, fieldManager=FIELD_MANAGER, force="true" if force else "false")

    async def _patch(
        self, child: Mapping[str, Any], body: Mapping[str, Any], content_type: str, **query: str
    ) -> dict[str, Any]:
        plural = CHILDREN[child["kind"]].plural
        answer = await self._client.request(
            "PATCH", _path(child), plural, body=body, content_type=content_type, **query
        )
        self._store.put(child["kind"], answer)
        return answer

    async def _find(self, child: Mapping[str, Any]) -> dict[str, Any] | None:
        """The object of the name of a child, whoever has it."""
        try:
            return await self._client.request("GET", _path(child), CHILDREN[child["kind"]].plural)
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def _refuse_others(self, child: Mapping[str, Any], live: Mapping[str, Any]) -> None:
        """What an owner of the same name left behind may be had; what has no owner says by its label whose it was."""
        kind, name, controller = child["kind"], child["metadata"]["name"], _controller(live)
        if controller and _identity(controller) != _identity(_controller(child)):
            raise NameTakenError(kind, name, f"{controller['kind']} {controller['name']}")
        key = self._family.key
        if key(kind, live["metadata"]) != key(kind, child["metadata"]):
            raise NameTakenError(kind, name)

    async def delete(self, child: Mapping[str, Any]) -> None:
        """Delete a child that is no longer wanted; one that is gone or was replaced already is fine."""
        resource, metadata = CHILDREN[child["kind"]], child["metadata"]
        namespace, name, uid = metadata["namespace"], metadata["name"], metadata["uid"]
        # Jobs would leave their pods behind (batch/v1 orphans by default).
        if await self._delete(resource, namespace, name, uid, propagationPolicy="Background"):
            # Nothing tells of the end of objects whose kind went with them.
            self._store.drop(child["kind"], child)

    async def delete_pod(self, namespace: str, pod: str, uid: str, grace_seconds: int) -> None:
        """Delete this very pod; one that is gone or was replaced already is fine."""
        await self._delete(POD, namespace, pod, uid, gracePeriodSeconds=grace_seconds)

    async def _delete(self, resource: Resource, namespace: str, name: str, uid: str, **options: Any) -> bool:
        """Delete the object of this uid, if there is one; whether there is none of its name any more."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}, **options}
        try:
            await self._client.request("DELETE", resource.path(namespace, name), resource.plural, body=body)
        except ApiError as error:
            if error.status not in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
                raise
            return error.status == HTTPStatus.NOT_FOUND
        return False

    async def scale(self, kind: str, namespace: str, name: str, replicas: int) -> None:
        """Set the replicas of a Deployment or LeaderWorkerSet and nothing else."""
        await self._merge(kind, namespace, name, {"spec": {"replicas": replicas}})

    async def set_both(self, namespace: str, canary: str, replicas: int) -> None:
        """Say on the Deployment of a canary how many replicas it and the stable ones are to have."""
        body = {"metadata": {"annotations": {labels.REPLICAS: str(replicas)}}}
        await self._merge("Deployment", namespace, canary, body)

    async def _merge(self, kind: str, namespace: str, name: str, body: Mapping[str, Any]) -> None:
        resource = CHILDREN[kind]
        answer = await self._client.request(
            "PATCH",
            resource.path(namespace, name),
            resource.plural,
            body=body,
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
            if error.status != HTTPStatus.NOT_FOUND:
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
            if error.status not in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
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


def _another(error: ApiError) -> bool:
    """What has the name is not the object of that uid: there is none, or it has another."""
    other = error.status == HTTPStatus.UNPROCESSABLE_ENTITY and "metadata.uid" in error.message
    return other or error.status == HTTPStatus.CONFLICT


def _path(child: Mapping[str, Any]) -> str:
    metadata = child["metadata"]
    return CHILDREN[child["kind"]].path(metadata["namespace"], metadata["name"])


def _controller(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """The owner that controls an object, empty without one."""
    owners = obj["metadata"].get("ownerReferences") or []
    return next((owner for owner in owners if owner.get("controller")), {})


def _identity(owner: Mapping[str, Any]) -> tuple[str | None, ...]:
    """Group, kind and name."""
    return owner.get("apiVersion", "").partition("/")[0], owner.get("kind"), owner.get("name")
