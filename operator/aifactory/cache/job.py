"""The Job that fills the volume."""

from collections.abc import Collection, Mapping
from typing import Any

from aifactory.api.download import GIVE_UP, METRICS_PORT, Order
from aifactory.api.factory import Mirrors
from aifactory.api.modelcache import ModelCache
from aifactory.render import egress, security
from aifactory.render.container import pull_policy
from aifactory.render.digest import SHORT, digest
from aifactory.render.pod import toleration
from aifactory.render.quantity import canonical, whole
from aifactory.render.volumes import volume, volume_mount
from aifactory.runtimes import Mount
from aifactory.runtimes.parts import HUGGING_FACE_TOKEN, secret

from . import labels
from .content import SECRETS, folder

VOLUME = "/volume"
METRICS_PORT_NAME = "metrics"
PLAN, FETCH = "plan", "fetch"
# With the Job controller's pauses of 10 s, 20 s ... 6 min these take a quarter of an hour.
RETRIES = 6
_DOCKER_CONFIG = ".dockerconfigjson"


def job(cache: ModelCache, image: str, keep: Collection[str], mirrors: Mirrors) -> dict[str, Any]:
    """The Job for what the spec asks for, named after all that it does, as the pods of a Job cannot be changed.

    Copies in folders to `keep` are left in the volume; these are no part of the name.
    """
    identity = digest(_spec(cache, image, _order(cache, (), mirrors)), SHORT)
    metadata = labels.metadata(cache, f"{cache.metadata.name}-{identity}")
    metadata["labels"] = {**metadata["labels"], labels.FOLDER: folder(cache.spec)}
    spec = _spec(cache, image, _order(cache, keep, mirrors))
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


def _spec(cache: ModelCache, image: str, order: str) -> dict[str, Any]:
    return {
        "backoffLimit": RETRIES,
        "podReplacementPolicy": "Failed",  # two pods must not write the same files
        "podFailurePolicy": {
            "rules": [
                *(_give_up(step) for step in (PLAN, FETCH)),
                {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            ]
        },
        "template": {
            "metadata": {"labels": {**labels.child(cache), labels.FOLDER: folder(cache.spec)}},
            "spec": _pod(cache, image, order),
        },
    }


def _give_up(step: str) -> dict[str, Any]:
    """Causes that do not go away by themselves."""
    codes = {"containerName": step, "operator": "In", "values": [GIVE_UP]}
    return {"action": "FailJob", "onExitCodes": codes}


def _pod(cache: ModelCache, image: str, order: str) -> dict[str, Any]:
    wanted = cache.spec.download
    claimed = {"persistentVolumeClaim": {"claimName": labels.claim(cache)}}
    mounts = (Mount(name="weights", path=VOLUME, source=claimed), *egress.mounts(wanted.egress))
    fields = {
        "serviceAccountName": labels.download(cache),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 10,
        "securityContext": security.of_pod(wanted.run_as_user, wanted.run_as_user, wanted.run_as_user),
        "imagePullSecrets": [{"name": name} for name in wanted.image_pull_secrets or ()],
        "initContainers": [_container(cache, PLAN, image, order, mounts)],
        "containers": [
            {
                **_container(cache, FETCH, image, order, mounts),
                "ports": [{"name": METRICS_PORT_NAME, "containerPort": METRICS_PORT, "protocol": "TCP"}],
            }
        ],
        "volumes": [volume(mount) for mount in mounts],
        "nodeSelector": wanted.node_selector,
        "tolerations": [toleration(user) for user in wanted.tolerations or ()],
    }
    return {key: value for key, value in fields.items() if value not in ([], {}, None)}


def _container(cache: ModelCache, step: str, image: str, order: str, mounts: tuple[Mount, ...]) -> dict[str, Any]:
    wanted = cache.spec.download
    cpu, memory = canonical(wanted.resources.cpu), canonical(wanted.resources.memory)
    env = [*_credentials(cache), *map(dict, egress.environment(wanted.egress))]
    return {
        "name": step,
        "image": image,
        "imagePullPolicy": pull_policy(image),
        "args": ["download", step, "--order", order, "--volume", VOLUME],
        **({"env": env} if env else {}),
        "resources": {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory}},
        "volumeMounts": [volume_mount(mount) for mount in mounts],
        "securityContext": security.of_container(read_only_root=True),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _order(cache: ModelCache, keep: Collection[str], mirrors: Mirrors) -> str:
    """The task as one word; names of Secrets are of no use to the pod."""
    spec = cache.spec
    order = Order(
        source=spec.source,
        endpoint=spec.endpoint or mirrors.of(spec.source),
        folder=folder(spec),
        keep=sorted(keep),
        capacity=whole(spec.storage.size),
        connections=spec.download.connections,
    )
    return order.model_dump_json(by_alias=True, exclude_none=True, exclude={"source": SECRETS})


def _credentials(cache: ModelCache) -> list[dict[str, Any]]:
    """Environment variables that the kubelet fills."""
    source = cache.spec.source
    variables: list[Mapping[str, Any]] = []
    if source.hugging_face and source.hugging_face.token_secret:
        variables = [secret(HUGGING_FACE_TOKEN, source.hugging_face.token_secret)]
    elif source.s3 and (name := source.s3.credentials_secret):
        token = {"name": name, "key": "AWS_SESSION_TOKEN", "optional": True}
        variables = [
            secret("AWS_ACCESS_KEY_ID", name),
            secret("AWS_SECRET_ACCESS_KEY", name),
            {"name": "AWS_SESSION_TOKEN", "valueFrom": {"secretKeyRef": token}},
        ]
    elif source.oci and source.oci.pull_secret:
        key = {"name": source.oci.pull_secret, "key": _DOCKER_CONFIG}
        variables = [{"name": "DOCKER_CONFIG_JSON", "valueFrom": {"secretKeyRef": key}}]
    elif source.ngc and source.ngc.auth_secret:
        variables = [secret("NGC_API_KEY", source.ngc.auth_secret)]
    return [dict(variable) for variable in variables]
