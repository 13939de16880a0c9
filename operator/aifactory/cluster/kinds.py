"""Kinds that the operator writes or watches, and where the API server keeps them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aifactory.api import GROUP, VERSION, factory, inferenceservice, modelcache
from aifactory.cache import labels as cache_labels
from aifactory.render import labels

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource; `prefix` is the path before `/namespaces`. Those of the whole cluster have an empty namespace."""

    group: str
    version: str
    plural: str

    @property
    def identity(self) -> tuple[str, str, str]:
        """Group, version and plural, in kopf's order."""
        return self.group, self.version, self.plural

    @property
    def prefix(self) -> str:
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def collection(self, namespace: str) -> str:
        """Path of all objects of a namespace, or, without one, of all."""
        return f"{self.prefix}/namespaces/{namespace}/{self.plural}" if namespace else f"{self.prefix}/{self.plural}"

    def path(self, namespace: str, name: str, subresource: str = "") -> str:
        """Path of one object."""
        path = f"{self.collection(namespace)}/{name}"
        return f"{path}/{subresource}" if subresource else path


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of ours, the kinds of its children, and how an object says which one of ours it belongs to."""

    kind: str
    label: str
    resource: Resource
    children: Mapping[str, Resource]

    @property
    def kinds(self) -> Mapping[str, Resource]:
        """All that is watched for it."""
        return {self.kind: self.resource, "Pod": POD, **self.children}

    def key(self, kind: str, metadata: Mapping[str, Any]) -> Key | None:
        """Namespace and name of ours that an object is or belongs to: by its owner, or else by its label."""
        namespace = metadata.get("namespace", "")
        if kind == self.kind:
            return namespace, metadata["name"]
        owners = [owner["name"] for owner in metadata.get("ownerReferences") or [] if owner["kind"] == self.kind]
        name = owners[0] if owners else (metadata.get("labels") or {}).get(self.label)
        return (namespace, name) if name else None


INFERENCE_SERVICE = Resource(GROUP, VERSION, inferenceservice.PLURAL)
MODEL_CACHE = Resource(GROUP, VERSION, modelcache.PLURAL)
AI_FACTORY = Resource(GROUP, VERSION, factory.PLURAL)
EVENT = Resource("", "v1", "events")
POD = Resource("", "v1", "pods")
_SERVICE_ACCOUNT = {"ServiceAccount": Resource("", "v1", "serviceaccounts")}
_NETWORK_POLICY = {"NetworkPolicy": Resource("networking.k8s.io", "v1", "networkpolicies")}
_POD_MONITOR = {"PodMonitor": Resource("monitoring.coreos.com", "v1", "podmonitors")}
SERVICES = Family(
    inferenceservice.KIND,
    labels.SERVICE,
    INFERENCE_SERVICE,
    {
        **_SERVICE_ACCOUNT,
        "Service": Resource("", "v1", "services"),
        "StatefulSet": Resource("apps", "v1", "statefulsets"),
        "LeaderWorkerSet": Resource("leaderworkerset.x-k8s.io", "v1", "leaderworkersets"),
        "Deployment": Resource("apps", "v1", "deployments"),
        "PodDisruptionBudget": Resource("policy", "v1", "poddisruptionbudgets"),
        **_NETWORK_POLICY,
        "Ingress": Resource("networking.k8s.io", "v1", "ingresses"),
        "HTTPRoute": Resource("gateway.networking.k8s.io", "v1", "httproutes"),
        "Role": Resource("rbac.authorization.k8s.io", "v1", "roles"),
        "RoleBinding": Resource("rbac.authorization.k8s.io", "v1", "rolebindings"),
        "InferencePool": Resource("inference.networking.k8s.io", "v1", "inferencepools"),
        **_POD_MONITOR,
    },
)
CACHES = Family(
    modelcache.KIND,
    cache_labels.CACHE,
    MODEL_CACHE,
    {
        **_SERVICE_ACCOUNT,
        "PersistentVolumeClaim": Resource("", "v1", "persistentvolumeclaims"),
        "Job": Resource("batch", "v1", "jobs"),
        **_NETWORK_POLICY,
        **_POD_MONITOR,
    },
)
FAMILIES = (SERVICES, CACHES)
# Kinds that pods write themselves.
FOREIGN: Mapping[str, Resource] = {"DynamoWorkerMetadata": Resource("nvidia.com", "v1alpha1", "dynamoworkermetadatas")}
CHILDREN: Mapping[str, Resource] = {**SERVICES.children, **CACHES.children}
KINDS: Mapping[str, Resource] = {**SERVICES.kinds, **CACHES.kinds}
"""All that is watched for them."""
