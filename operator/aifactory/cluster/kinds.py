"""Kinds that the operator writes or watches, and where the API server keeps them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Resource:
    """A namespaced resource; `prefix` is the path before `/namespaces`."""

    group: str
    version: str
    plural: str

    @property
    def prefix(self) -> str:
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def collection(self, namespace: str) -> str:
        """Path of all objects of a namespace."""
        return f"{self.prefix}/namespaces/{namespace}/{self.plural}"

    def path(self, namespace: str, name: str, subresource: str = "") -> str:
        """Path of one object."""
        path = f"{self.collection(namespace)}/{name}"
        return f"{path}/{subresource}" if subresource else path


INFERENCE_SERVICE = Resource("aifactory.dev", "v1alpha1", "inferenceservices")
EVENT = Resource("", "v1", "events")
POD = Resource("", "v1", "pods")
CHILDREN: dict[str, Resource] = {
    "ServiceAccount": Resource("", "v1", "serviceaccounts"),
    "Service": Resource("", "v1", "services"),
    "StatefulSet": Resource("apps", "v1", "statefulsets"),
    "LeaderWorkerSet": Resource("leaderworkerset.x-k8s.io", "v1", "leaderworkersets"),
    "Deployment": Resource("apps", "v1", "deployments"),
    "PodDisruptionBudget": Resource("policy", "v1", "poddisruptionbudgets"),
    "NetworkPolicy": Resource("networking.k8s.io", "v1", "networkpolicies"),
    "Ingress": Resource("networking.k8s.io", "v1", "ingresses"),
    "HTTPRoute": Resource("gateway.networking.k8s.io", "v1", "httproutes"),
    "Role": Resource("rbac.authorization.k8s.io", "v1", "roles"),
    "RoleBinding": Resource("rbac.authorization.k8s.io", "v1", "rolebindings"),
    "InferencePool": Resource("inference.networking.k8s.io", "v1", "inferencepools"),
    "PodMonitor": Resource("monitoring.coreos.com", "v1", "podmonitors"),
}
# Kinds that pods write themselves.
FOREIGN: dict[str, Resource] = {"DynamoWorkerMetadata": Resource("nvidia.com", "v1alpha1", "dynamoworkermetadatas")}
KINDS: dict[str, Resource] = {"InferenceService": INFERENCE_SERVICE, "Pod": POD, **CHILDREN}
"""All that is watched."""
