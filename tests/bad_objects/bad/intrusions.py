"""Text that would reach a shell, a path or somebody else's pods."""

from tests.bad_objects import Bad

from .specs import from_source, with_volume

INTRUSIONS = (
    Bad(
        "root",
        {"podTemplate": {"securityContext": {"runAsUser": 0}}},
        path="spec.podTemplate.securityContext.runAsUser",
        says="greater than or equal to 1",
    ),
    Bad(
        "a privileged container",
        {"podTemplate": {"securityContext": {"privileged": True}}},
        path="spec.podTemplate.securityContext.privileged",
        says="unknown field",
    ),
    Bad(
        "added capabilities",
        {"podTemplate": {"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}},
        path="spec.podTemplate.securityContext.capabilities",
        says="unknown field",
    ),
    Bad(
        "a host path",
        with_volume(hostPath={"path": "/"}),
        path="spec.podTemplate.volumes[0].hostPath",
        says="unknown field",
    ),
    Bad(
        "the host's network",
        {"podTemplate": {"hostNetwork": True}},
        path="spec.podTemplate.hostNetwork",
        says="unknown field",
    ),
    Bad(
        "another service account",
        {"podTemplate": {"serviceAccountName": "admin"}},
        path="spec.podTemplate.serviceAccountName",
        says="unknown field",
    ),
    Bad(
        "an extra container",
        {"podTemplate": {"containers": []}},
        path="spec.podTemplate.containers",
        says="unknown field",
    ),
    Bad(
        "a Prometheus of its own",
        {"scaling": {"maxReplicas": 2, "prometheusUrl": "http://169.254.169.254"}},
        path="spec.scaling.prometheusUrl",
        says="unknown field",
    ),
    Bad(
        "a way out of the claim",
        from_source(persistentVolumeClaim={"name": "weights", "path": "a/../../b"}),
        path="spec.model.source.persistentVolumeClaim.path",
        says="must not contain",
    ),
    Bad(
        "a label of the operator",
        {"podTemplate": {"labels": {"aifactory.dev/inferenceservice": "other"}}},
        path="spec.podTemplate.labels",
        says="belong to the operator",
    ),
    Bad(
        "a volume in the operator's name",
        with_volume(name="aifactory-cache", emptyDir={}),
        path="spec.podTemplate.volumes[0].name",
        says="belong to the operator",
    ),
    Bad(
        "a typing mistake", {"runtime": {"imgae": "vllm/vllm-openai"}}, path="spec.runtime.imgae", says="unknown field"
    ),
    Bad(
        "a field in snake case",
        {"accelerator": {"resource_name": "nvidia.com/gpu"}},
        path="spec.accelerator.resource_name",
        says="unknown field",
    ),
)
