"""The model-server container."""

import math
from typing import Any

from aifactory.api.podtemplate import ComputeResources, EnvVar, KeySelector
from aifactory.runtimes import Mount, Role
from aifactory.runtimes.parts import whole_seconds

from . import egress, security
from .member import Member, environment
from .naming import CONTAINER, DOMAIN_CLAIM, GPU_CLAIM, HEALTH_PORT_NAME, METRICS_PORT_NAME, PORT_NAME
from .quantity import canonical
from .volumes import volume_mount

# A server busy with long prompts answers its health endpoint late; NVIDIA's operator users met restarts at 1 s.
PROBE_TIMEOUT_SECONDS = 5
STARTUP_PERIOD_SECONDS = 5
READINESS_PERIOD_SECONDS = 5
LIVENESS_PERIOD_SECONDS = 10
READINESS_FAILURES = 3
LIVENESS_FAILURES = 6


def container(role: Role, mounts: tuple[Mount, ...], member: Member | None = None) -> dict[str, Any]:
    """The container as Kubernetes stores it, without fields that are empty. Workers answer nobody: no ports."""
    server, worker = role.server, member is not None and member.worker
    lingers = member.lingers if member and worker else server.pre_stop_seconds
    fields = {
        "name": CONTAINER,
        "image": server.image,
        "imagePullPolicy": pull_policy(server.image),
        "command": list(server.command),
        "args": [*server.args, *(server.worker_args if worker else ())],
        "ports": [] if worker else _ports(role),
        "env": _env(role, member),
        "resources": resources(role),
        "volumeMounts": [volume_mount(mount) for mount in mounts],
        **({} if worker else _probes(role)),
        "lifecycle": {"preStop": {"sleep": {"seconds": lingers}}} if lingers else {},
        "securityContext": security.of_container(read_only_root=server.read_only_root),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    return {key: value for key, value in fields.items() if value not in ([], {})}


def _ports(role: Role) -> list[dict[str, Any]]:
    named = {
        PORT_NAME: role.spec.runtime.port,
        METRICS_PORT_NAME: role.server.metrics_port,
        HEALTH_PORT_NAME: role.server.health_port,
    }
    return [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in named.items() if port]


def claims(role: Role) -> dict[str, str]:
    """What a pod claims by dynamic resource allocation: its name in the pod, and the ResourceClaimTemplate."""
    accelerator = role.spec.accelerator
    domain = accelerator.compute_domain
    named = {
        GPU_CLAIM: accelerator.resource_claim_template,
        DOMAIN_CLAIM: domain.resource_claim_template if domain else None,
    }
    return {name: template for name, template in named.items() if template and role.accelerated}


def resources(role: Role) -> dict[str, Any]:
    """GPUs and memory are limited to what is requested; CPU and disk may be exceeded when the node has more."""
    accelerator, template = role.spec.accelerator, role.spec.pod_template
    asked = role.accelerated and GPU_CLAIM not in claims(role)
    gpus = {accelerator.resource_name: str(accelerator.count)} if asked else {}
    wanted = (template and template.resources) or ComputeResources()
    memory = {"memory": canonical(wanted.memory)} if wanted.memory else {}
    cpu = {"cpu": canonical(wanted.cpu)} if wanted.cpu else {}
    disk = {"ephemeral-storage": canonical(wanted.ephemeral_storage)} if wanted.ephemeral_storage else {}
    fields = {
        "requests": gpus | cpu | memory | disk,
        "limits": gpus | memory,
        "claims": [{"name": name} for name in claims(role)],
    }
    return {key: value for key, value in fields.items() if value}


def pull_policy(image: str) -> str:
    """What Kubernetes defaults to; unsaid, the first image's default would stick to every later one."""
    tag = image.rpartition("/")[2].partition(":")[2]
    return "Always" if tag in ("", "latest") and "@" not in image else "IfNotPresent"


def _probes(role: Role) -> dict[str, Any]:
    server, startup = role.server, whole_seconds(role.spec.runtime.startup_timeout)
    port = HEALTH_PORT_NAME if server.health_port else PORT_NAME
    return {
        "startupProbe": _probe(
            server.startup_path, port, STARTUP_PERIOD_SECONDS, math.ceil(startup / STARTUP_PERIOD_SECONDS)
        ),
        "readinessProbe": _probe(server.readiness_path, port, READINESS_PERIOD_SECONDS, READINESS_FAILURES),
        "livenessProbe": _probe(server.liveness_path, port, LIVENESS_PERIOD_SECONDS, LIVENESS_FAILURES),
    }


def _probe(path: str, port: str, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": port, "scheme": "HTTP"},
        "periodSeconds": period,
        "timeoutSeconds": PROBE_TIMEOUT_SECONDS,
        "failureThreshold": failures,
    }


def _env(role: Role, member: Member | None) -> list[dict[str, Any]]:
    """The engine's variables, those of its egress, then the user's; one that is set twice has the later value.

    Those of the replica come first, as variables can only refer to earlier ones.
    """
    together = environment(role, member) if member else ()
    variables = {
        variable["name"]: dict(variable)
        for variable in (*together, *role.server.env, *egress.environment(role.spec.runtime.egress))
    }
    variables |= {user.name: _user_variable(user) for user in role.spec.runtime.env or ()}
    return list(variables.values())


def _user_variable(user: EnvVar) -> dict[str, Any]:
    if user.value_from and user.value_from.secret_key_ref:
        return {"name": user.name, "valueFrom": {"secretKeyRef": _key(user.value_from.secret_key_ref)}}
    if user.value_from and user.value_from.config_map_key_ref:
        return {"name": user.name, "valueFrom": {"configMapKeyRef": _key(user.value_from.config_map_key_ref)}}
    return {"name": user.name, "value": user.value} if user.value else {"name": user.name}


def _key(key: KeySelector) -> dict[str, Any]:
    return {"name": key.name, "key": key.key} | ({"optional": True} if key.optional else {})
