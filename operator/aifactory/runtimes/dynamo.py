"""NVIDIA Dynamo: frontends that take requests, and workers that compute them, together or split in prefill and decode.

They find each other through the Kubernetes API (`--discovery-backend kubernetes`): every worker keeps what it serves in
a DynamoWorkerMetadata object, and counts once an EndpointSlice with Dynamo's labels calls its pod ready. Requests go
over TCP, events over ZeroMQ, on ports that the processes choose.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aifactory.api.dynamo import Backend, DynamoSpec, Router
from aifactory.api.inferenceservice import InferenceService
from aifactory.api.role import RoleName
from aifactory.api.spec import InferenceServiceSpec
from aifactory.api.topology import WorkersSpec

from . import dynamo_workers
from .base import BETWEEN, Discovery, MetricDialect, ModelServer, Role
from .dynamo_workers import WORKERS
from .parts import (
    ENDPOINT_PROPAGATION_SECONDS,
    from_pod,
    hub_environment,
    literal,
    model_mounts,
    serving_on,
    whole_seconds,
    writable,
)

HOME = "/home/dynamo"
DISCOVERY = Discovery(
    kind="DynamoWorkerMetadata",
    # Frontends collect changes for half a second, then fetch the tokenizer of workers that are of a new kind.
    seconds=10,
    remedy="kubectl apply -k manifests/dynamo/, or install NVIDIA's Dynamo platform",
    rules=(
        {"apiGroups": ("discovery.k8s.io",), "resources": ("endpointslices",), "verbs": ("list", "watch")},
        {
            "apiGroups": ("nvidia.com",),
            "resources": ("dynamoworkermetadatas",),
            "verbs": ("list", "watch", "create", "patch"),
        },
    ),
    labels={"nvidia.com/dynamo-discovery-backend": "kubernetes", "nvidia.com/dynamo-discovery-enabled": "true"},
)
DIALECT = MetricDialect(
    entry=True,
    time_to_first_token="dynamo_frontend_time_to_first_token_seconds",  # noqa: S106
    inter_token_latency="dynamo_frontend_inter_token_latency_seconds",  # noqa: S106
    end_to_end_latency="dynamo_frontend_request_duration_seconds",
    running="dynamo_request_plane_inflight_requests",
    waiting='dynamo_frontend_stage_requests{stage="route"}',
    completed='dynamo_frontend_requests_total{status="success"}',
    prompt_tokens="dynamo_frontend_input_sequence_tokens_sum",
    generation_tokens="dynamo_frontend_output_tokens_total",
)
"""What a frontend measures (recorded from release 1.6.1, `tests/dynamo/data`).

`running` is what the workers have not finished: unlike dynamo_frontend_active_requests it is there before the first
request. dynamo_frontend_queued_requests would count requests in prefill as waiting; these wait for a worker.
"""

# Workers that a request may go on with when it loses its own: one that is chosen just when it is told to leave refuses.
_MIGRATIONS = 3
_PREFILL_FOLLOWS = ("timeToFirstToken",)
_DECODE_FOLLOWS = ("interTokenLatency", "endToEndLatency", "throughput")


class Dynamo:
    """A leaving worker serves on for the drain timeout: it takes no new request, but cuts those it has at SIGTERM."""

    dialects = (DIALECT, dynamo_workers.DIALECT)

    def roles(self, service: InferenceService) -> tuple[Role, ...]:
        """Frontends, and the workers behind them."""
        split = service.spec.topology.disaggregated
        workers: tuple[Role, ...]
        if split is None:
            workers = (_workers(service, RoleName.MODEL_SERVER, service.spec, None),)
        else:
            workers = (
                _workers(service, RoleName.PREFILL, _part(service.spec, split.prefill), _PREFILL_FOLLOWS),
                _workers(service, RoleName.DECODE, _part(service.spec, split.decode), _DECODE_FOLLOWS),
            )
        return _one_generation(_frontends(service), workers)


def _one_generation(frontends: Role, workers: tuple[Role, ...]) -> tuple[Role, ...]:
    """All roles, with a name for what the workers run, in their namespace of Dynamo.

    Frontends refuse workers of a namespace that differ from those they found first, which would make a rollout an
    outage; and what a prefill worker computed is for a decode worker of its own generation. A frontend that sees the
    last workers of a generation go answers requests with 503 that are in prefill then (seen with release 1.6.1: their
    decode worker is "already removed"). So each generation has frontends of its own, which find it whole when they
    start and leave before it does.
    """
    servers = [(role.name, role.server.image, role.server.command, role.server.args) for role in workers]
    generation = hashlib.sha256(repr(servers).encode()).hexdigest()[:8]
    name = frontends.service.metadata.name
    return (
        replace(
            frontends,
            server=_with(frontends.server, generation, literal("DYN_NAMESPACE", f"{name}-{generation}")),
            between=_with(
                frontends.server,
                BETWEEN,
                literal("DYN_NAMESPACE", name),
                literal("DYN_NAMESPACE_PREFIX", name),
                literal("DYN_NAMESPACE_PREFIX_STRICT", "true"),
            ),
        ),
        *(
            replace(
                role,
                server=_with(
                    role.server,
                    generation,
                    literal("DYN_NAMESPACE", name),
                    literal("DYN_NAMESPACE_WORKER_SUFFIX", generation),
                ),
            )
            for role in workers
        ),
    )


def _with(server: ModelServer, generation: str, *variables: Mapping[str, Any]) -> ModelServer:
    return replace(server, generation=generation, env=(*server.env, *variables))


def _dynamo(spec: InferenceServiceSpec) -> DynamoSpec:
    return spec.runtime.dynamo or DynamoSpec()


def _part(spec: InferenceServiceSpec, workers: WorkersSpec) -> InferenceServiceSpec:
    """The spec as it applies to one kind of workers."""
    runtime = spec.runtime.model_copy(update={"args": [*(spec.runtime.args or ()), *(workers.args or ())]})
    return spec.model_copy(
        update={
            "runtime": runtime,
            "accelerator": workers.accelerator or spec.accelerator,
            "replicas": workers.replicas,
            "scaling": workers.scaling,
        }
    )


def _frontends(service: InferenceService) -> Role:
    """They are ready once they can serve the model, since a client must not be told that there is none."""
    dynamo = _dynamo(service.spec)
    spec = service.spec.model_copy(update={"replicas": dynamo.frontend_replicas, "scaling": None})
    drain = whole_seconds(spec.drain.timeout)
    server = ModelServer(
        image=_image(spec),
        command=("python3", "-m", "dynamo.frontend"),
        args=("--http-port", str(spec.runtime.port), "--router-mode", dynamo.router.value),
        env=(
            *_env(service),
            literal("DYN_HTTP_GRACEFUL_SHUTDOWN_TIMEOUT_SECS", drain),
            literal("DYN_MIGRATION_LIMIT", _MIGRATIONS),
            *_routing(dynamo),
        ),
        mounts=(*writable(HOME), *model_mounts(spec)),
        startup_path=f"/v1/models/{spec.model.name}",
        liveness_path="/live",
        pre_stop_seconds=ENDPOINT_PROPAGATION_SECONDS,
        shutdown_seconds=drain,
        read_only_root=True,
    )
    return Role(
        RoleName.FRONTEND,
        service.model_copy(update={"spec": spec}),
        server,
        (DIALECT,),
        accelerated=False,
        discovery=DISCOVERY,
    )


def _routing(dynamo: DynamoSpec) -> tuple[Mapping[str, Any], ...]:
    """What frontends know of caches: what they sent where, and tell each other.

    Events of the workers' caches would tell more; vLLM and TensorRT-LLM publish them only when given further arguments.
    """
    if dynamo.router is not Router.KV:
        return ()
    return literal("DYN_ROUTER_USE_KV_EVENTS", "false"), literal("DYN_ROUTER_REPLICA_SYNC", "true")


def _workers(
    service: InferenceService, name: RoleName, spec: InferenceServiceSpec, follows: tuple[str, ...] | None
) -> Role:
    worker, runtime = WORKERS[_dynamo(spec).backend], spec.runtime
    mocked = _dynamo(spec).backend is Backend.MOCKER
    server = ModelServer(
        image=_image(spec),
        command=worker.command(),
        args=(*worker.flags(spec, name), *(runtime.args or ())),
        env=(
            *_env(service),
            literal("DYN_SYSTEM_PORT", runtime.port),
            # Left to itself it would serve on for 5 s after SIGTERM; it has done so for longer before.
            literal("DYN_GRACEFUL_SHUTDOWN_GRACE_PERIOD_SECS", 0),
            # It registers nothing to check its health by, and would never be called healthy.
            *((literal("DYN_SYSTEM_STARTING_HEALTH_STATUS", "ready"),) if mocked else ()),
        ),
        mounts=(*writable(HOME), *model_mounts(spec)),
        liveness_path="/live",
        pre_stop_seconds=serving_on(spec),
        shutdown_seconds=0,
        read_only_root=mocked,
    )
    return Role(
        name,
        service.model_copy(update={"spec": spec}),
        server,
        worker.dialects_of(name),
        follows=follows,
        discovery=DISCOVERY,
    )


def _image(spec: InferenceServiceSpec) -> str:
    return spec.runtime.image or WORKERS[_dynamo(spec).backend].image


def _env(service: InferenceService) -> tuple[Mapping[str, Any], ...]:
    """Processes of one namespace of Dynamo belong together; they look for each other in their own of Kubernetes."""
    return (
        literal("HOME", HOME),
        literal("USER", "dynamo"),
        from_pod("POD_NAME", "metadata.name"),
        from_pod("POD_NAMESPACE", "metadata.namespace"),
        from_pod("POD_UID", "metadata.uid"),
        literal("DYN_DISCOVERY_BACKEND", "kubernetes"),
        literal("DYN_REQUEST_PLANE", "tcp"),
        literal("DYN_EVENT_PLANE", "zmq"),
        *hub_environment(service.spec, HOME),
    )
