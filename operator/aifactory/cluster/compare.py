"""What applying manifests would change in a cluster, without applying them."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from aifactory.api.inferenceservice import InferenceService
from aifactory.api.status import InferenceServiceStatus, PlanStatus
from aifactory.autoscale.bounds import spec_in_force
from aifactory.cache.service import copy_for, reference, with_copy
from aifactory.decide import plan, wanted_replicas
from aifactory.preview import preview
from aifactory.render import OPTIONAL
from aifactory.render.activator import activation_of, activator_id
from aifactory.runtimes import Activation, roles
from aifactory.staging import stage, whole
from aifactory.status.rollout import recalled

from .caches import CacheStore
from .client import Client
from .discovery import served_of
from .kinds import CACHES, SERVICES, Key
from .listing import refresh
from .store import Store

Manifest = Mapping[str, Any]
_ACTIVATION = Activation()
# Applying a manifest ends no step of a canary, however long it has been measured.
_NEVER = 0.0


async def compare(
    client: Client, manifests: Iterable[Manifest], now: float, activation: Activation = _ACTIVATION
) -> dict[Key, PlanStatus]:
    """What each service would change, in the order of the manifests; replicas of those that scale stay as they are.

    Schedules are those of `now` (epoch seconds). New activators run `activation`; those that are there already run what
    the operator gave them.

    Raises:
        ApiError: if the cluster cannot be read.
        pydantic.ValidationError: if a manifest is not an InferenceService.
    """
    services = [InferenceService.model_validate(manifest) for manifest in manifests]
    store, caches = Store(), CacheStore()
    namespaces = sorted({service.metadata.namespace for service in services})
    await refresh(client, store, SERVICES.kinds, namespaces, set())
    await refresh(client, caches, {CACHES.kind: CACHES.resource}, namespaces, set())
    optional = await served_of(client, OPTIONAL)
    return {service.key: _compare(service, store, caches, optional, now, activation) for service in services}


def _compare(
    service: InferenceService,
    store: Store,
    caches: CacheStore,
    optional: Collection[str],
    now: float,
    activation: Activation,
) -> PlanStatus:
    live = store.service(service.key) or {"metadata": {"uid": ""}}
    metadata = service.metadata.model_copy(update={"uid": live["metadata"]["uid"]})
    service = service.model_copy(update={"metadata": metadata})
    observed = store.observe(service.key)
    if (named := reference(service)) is not None:
        found = caches.owner((service.metadata.namespace, named.name))
        copy = copy_for(named.name, found, observed.children)
        service = with_copy(service, *copy) if copy else service
    before = InferenceServiceStatus.of(live)
    replicas = {
        role.name: wanted_replicas(
            spec_in_force(role, now), whole(role.name, observed, before), before.replicas_of(role.name), None
        )
        for role in roles(service)
    }
    first = roles(service)[0]
    staged = stage(first, observed, replicas[first.name], recalled(before.rollout), None, _NEVER)
    given = activation_of(observed.children.get(activator_id(service.metadata.name))) or activation
    todo = plan(service, observed, replicas, {}, served=optional, staged=staged, activation=given)
    return preview(service, observed, todo, replicas)
