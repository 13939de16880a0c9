"""Kubernetes objects as the plain values of `aifactory.observed`."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from aifactory.api.role import RoleName
from aifactory.observed import STARTING, Pod
from aifactory.render import labels, naming
from aifactory.render.nodes import LWS_GROUP_INDEX, LWS_REVISION
from aifactory.render.pod import PRODUCT_LABEL
from aifactory.render.quantity import whole
from aifactory.status.numbers import epoch

# Labels that tell pods of one template from those of another.
_TEMPLATE_LABELS = (labels.TEMPLATE, LWS_REVISION, labels.TEMPLATE_HASH)
_ENDED = ("Succeeded", "Failed")
# No node has more.
_MOST_DEVICES = 1024


def pod_of(obj: Mapping[str, Any]) -> Pod:
    """A pod of a model server; one that ended counts as leaving."""
    metadata, status = obj["metadata"], obj.get("status") or {}
    own = metadata.get("labels") or {}
    conditions = {condition["type"]: condition for condition in status.get("conditions") or []}
    ready, scheduled = conditions.get("Ready", {}), conditions.get("PodScheduled", {})
    containers = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    waiting, began = _waiting(containers), _began(containers)
    return Pod(
        name=metadata["name"],
        created_at=epoch(metadata.get("creationTimestamp")) or 0.0,
        ready=ready.get("status") == "True",
        ready_at=_since(ready, "True"),
        unready_since=_since(ready, "False"),
        terminating=metadata.get("deletionTimestamp") is not None or status.get("phase") in _ENDED,
        # No node has room, or a queue such as Kueue's holds it back.
        unschedulable_since=_since(scheduled, "False"),
        unschedulable_message=scheduled.get("message", "") if scheduled.get("status") == "False" else "",
        waiting_reason=waiting.get("reason", ""),
        waiting_message=waiting.get("message", ""),
        restarts=sum(container.get("restartCount", 0) for container in containers),
        last_exit=next(filter(None, map(_exit, containers)), ""),
        template=(metadata.get("annotations") or {}).get(labels.TEMPLATE, ""),
        generation=own.get(labels.GENERATION, ""),
        template_hash=next(filter(None, map(own.get, _TEMPLATE_LABELS)), ""),
        scheduled=scheduled.get("status") == "True",
        uid=metadata.get("uid", ""),
        addresses=_addresses(status) if own.get(labels.ROLE) == RoleName.ACTIVATOR else (),
        scheduled_at=_since(scheduled, "True"),
        unstarted_since=_unstarted(metadata, conditions) if began is None else None,
        **(_member(metadata, own, containers) if labels.MEMBER_OF in own else {"began_at": began}),
        **_held(obj.get("spec") or {}, status),
    )


def _held(spec: Mapping[str, Any], status: Mapping[str, Any]) -> dict[str, Any]:
    """GPUs of a pod that has a node, until it ends."""
    if not spec.get("nodeName") or status.get("phase") in _ENDED:
        return {}
    limits = [(container.get("resources") or {}).get("limits") or {} for container in spec.get("containers") or []]
    return {
        "devices": tuple((name, _count(count)) for found in limits for name, count in found.items() if "/" in name),
        "claims_gpus": any(claim["name"] == naming.GPU_CLAIM for claim in spec.get("resourceClaims") or ()),
        "product": (spec.get("nodeSelector") or {}).get(PRODUCT_LABEL, ""),
    }


def _unstarted(metadata: Mapping[str, Any], conditions: Mapping[str, Mapping[str, Any]]) -> float | None:
    """Since when the scheduler, or else the node, has not done its part of a pod's start.

    A node's part are volumes, claims, network and sandbox; before Kubernetes 1.29 it does not tell.
    """
    if "PodScheduled" not in conditions:
        return epoch(metadata.get("creationTimestamp"))
    return _since(conditions.get("PodReadyToStartContainers", {}), "False")


def _since(condition: Mapping[str, Any], status: str) -> float | None:
    """When a condition took this status (epoch seconds); None if it has another."""
    return epoch(condition.get("lastTransitionTime")) if condition.get("status") == status else None


def _count(quantity: Any) -> int:
    """Whole devices: whoever may make pods may write there what the API server takes for a quantity."""
    try:
        return min(whole(str(quantity)), _MOST_DEVICES)
    except ValueError:
        return 0


def _began(containers: Iterable[Mapping[str, Any]]) -> float | None:
    """When the container that began last began (epoch seconds), None while none runs."""
    running = (state["running"] for container in containers if "running" in (state := container.get("state") or {}))
    return max(filter(None, (epoch(state.get("startedAt")) for state in running)), default=None)


def _member(
    metadata: Mapping[str, Any], own: Mapping[str, str], containers: Collection[Mapping[str, Any]]
) -> dict[str, Any]:
    """What only matters where a replica has several pods."""
    deleted = epoch(metadata.get("deletionTimestamp"))
    now = [container.get("state") or {} for container in containers]
    before = [container.get("lastState") or {} for container in containers]
    begun = [state["running"] for state in now if "running" in state]
    if deleted is not None:
        begun += [state["terminated"] for state in now if "terminated" in state]
    ended = [epoch(state["terminated"].get("finishedAt")) for state in (*now, *before) if "terminated" in state]
    return {
        "replica": _digits(own.get(labels.REPLICA) or own.get(LWS_GROUP_INDEX, "")),
        "nodes": int(_digits(own.get(labels.NODES, "")) or 1),
        "leader": labels.ROLE in own,
        "began_at": epoch(begun[0].get("startedAt")) if begun else None,
        "ended_at": max(filter(None, ended), default=None),
        "left_at": None if deleted is None else deleted - (metadata.get("deletionGracePeriodSeconds") or 0),
    }


def _digits(label: str) -> str:
    """A label that is a whole number, empty if it is none: whoever may make pods may write what they like there."""
    return label if re.fullmatch(r"[0-9]{1,9}", label) else ""


def _addresses(status: Mapping[str, Any]) -> tuple[str, ...]:
    """IP addresses of a pod, of either family; those of one that ended may be another's by now."""
    if status.get("phase") in _ENDED:
        return ()
    return tuple(address["ip"] for address in status.get("podIPs") or [] if "ip" in address)


def _waiting(containers: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """What a container waits for; one that cannot start says more than one that has not started yet."""
    waiting = [state["waiting"] for container in containers if "waiting" in (state := container.get("state") or {})]
    return max(waiting, key=lambda state: state.get("reason") not in STARTING, default={})


def _exit(container: Mapping[str, Any]) -> str:
    """How a container ended last, if it failed."""
    states = (container.get("state") or {}, container.get("lastState") or {})
    ended: Mapping[str, Any] = next((state["terminated"] for state in states if "terminated" in state), {})
    if not ended.get("exitCode"):
        return ""
    last_words = (ended.get("message") or "").strip().splitlines()[-1:]
    return ": ".join([f"{ended.get('reason', 'Error')}, exit code {ended['exitCode']}", *last_words])
