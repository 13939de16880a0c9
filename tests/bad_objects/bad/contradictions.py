"""Fields that do not go together."""

from tests.bad_objects import Bad

from .specs import canary, from_source, scaling, schedule, with_volume

CONTRADICTIONS = (
    Bad("replicas and scaling", {"replicas": 2, **scaling()}, path="spec.replicas", says="not both"),
    Bad(
        "a time for requests of people who do not wait",
        {"slo": {"completeWithin": "1h"}},
        path="spec.slo.completeWithin",
        says="workload offline without objectives",
    ),
    Bad(
        "a time for requests beside objectives",
        {"slo": {"workload": "offline", "completeWithin": "1h", "objectives": {"timeToFirstToken": {"target": "2s"}}}},
        path="spec.slo.completeWithin",
        says="workload offline without objectives",
    ),
    Bad(
        "a minimum above the maximum",
        scaling(minReplicas=9),
        path="spec.scaling.minReplicas",
        says="must not be above maxReplicas",
    ),
    Bad(
        "a fallback above the maximum",
        scaling(fallback={"replicas": 9}),
        path="spec.scaling.fallback.replicas",
        says="must not be above maxReplicas",
    ),
    Bad(
        "a schedule whose minimum is above its maximum",
        schedule(minReplicas=5, maxReplicas=4),
        path="spec.scaling.schedules",
        says="minReplicas must not be above maxReplicas, of a schedule",
    ),
    Bad(
        "a schedule whose maximum is below the minimum of the service",
        scaling(minReplicas=3, schedules=[{"name": "night", "start": "20:00", "end": "08:00", "maxReplicas": 2}]),
        path="spec.scaling.schedules",
        says="minReplicas must not be above maxReplicas, of a schedule",
    ),
    Bad(
        "a price without a budget in money",
        scaling(budget={"gpus": 8, "gpuCostPerHour": "2.50"}),
        path="spec.scaling.budget.gpuCostPerHour",
        says="belongs to costPerHour",
    ),
    Bad(
        "a budget in money without a price",
        scaling(budget={"costPerHour": "40"}),
        path="spec.scaling.budget.gpuCostPerHour",
        says="belongs to costPerHour",
    ),
    Bad(
        "thresholds the wrong way round",
        scaling(behavior={"scaleUp": {"threshold": "30%"}, "scaleDown": {"threshold": "50%"}}),
        path="spec.scaling.behavior.scaleDown.threshold",
        says="must be below scaleUp.threshold",
    ),
    Bad(
        "a rollout that cannot replace anything",
        {"rollout": {"maxSurge": "0%", "maxUnavailable": 0}},
        path="spec.rollout.maxUnavailable",
        says="must not both be 0",
    ),
    Bad(
        "a canary that shrinks",
        canary(steps=["50%", "10%"]),
        path="spec.rollout.canary.steps",
        says="must not be below the one before it",
    ),
    Bad(
        "an adapter with the name of the model",
        {"model": {"name": "sql", "adapters": [{"name": "sql", "huggingFace": {"repo": "a/b"}}]}},
        path="spec.model.adapters",
        says="must not have the name of the model",
    ),
    Bad(
        "two sources of the model",
        from_source(image={}, huggingFace={"repo": "a/b"}),
        path="spec.model.source",
        says="exactly one",
    ),
    Bad(
        "weights in S3 without a cache",
        from_source(s3={"bucket": "models"}),
        path="spec.model.source.s3",
        says="is fetched by a ModelCache",
        server_says="unknown field",
    ),
    Bad(
        "weights in a registry without a cache",
        from_source(oci={"reference": "registry.example.com/models/llama:v1"}),
        path="spec.model.source.oci",
        says="is fetched by a ModelCache",
        server_says="unknown field",
    ),
    Bad(
        "a way out of a cache",
        from_source(modelCache={"name": "llama", "path": "../other"}),
        path="spec.model.source.modelCache.path",
        says="pattern",
        server_says="should match",
    ),
    Bad(
        "a way out of a cache in the middle",
        from_source(modelCache={"name": "llama", "path": "a/../../other"}),
        path="spec.model.source.modelCache.path",
        says="must not contain '..'",
    ),
    Bad("a source that is none", {"model": {"source": {}}}, path="spec.model.source", says="exactly one"),
    Bad("NGC with vLLM", from_source(ngc={}), path="spec.model.source.ngc", says="only runtime.engine nim"),
    Bad(
        "a NIM profile with vLLM",
        {"runtime": {"nimProfile": "fp8-tp1"}},
        path="spec.runtime.nimProfile",
        says="only runtime.engine nim",
    ),
    Bad(
        "a tensor-parallel size that is not the GPUs'",
        {"runtime": {"args": ["--tensor-parallel-size", "4"]}},
        path="spec.runtime.args",
        says="follow",
    ),
    Bad(
        "the same with an equals sign and underscores",
        {"runtime": {"args": ["--tensor_parallel_size=4"]}},
        path="spec.runtime.args",
        says="follow",
    ),
    Bad(
        "the same for a NIM",
        {"runtime": {"engine": "nim", "env": [{"name": "NIM_TENSOR_PARALLEL_SIZE", "value": "4"}]}},
        path="spec.runtime.env",
        says="follow",
    ),
    Bad("pipeline stages that have no GPUs", {"runtime": {"args": ["-pp=2"]}}, path="spec.runtime.args", says="follow"),
    Bad(
        "another port behind the operator's back",
        {"runtime": {"args": ["--port", "9000"]}},
        path="spec.runtime.args",
        says="follow",
    ),
    Bad(
        "value and valueFrom",
        {"runtime": {"env": [{"name": "A", "value": "b", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}},
        path="spec.runtime.env[0]",
        says="not both",
    ),
    Bad(
        "a variable from nowhere",
        {"runtime": {"env": [{"name": "A", "valueFrom": {}}]}},
        path="spec.runtime.env[0].valueFrom",
        says="exactly one",
    ),
    Bad(
        "a variable given twice",
        {"runtime": {"env": [{"name": "A"}, {"name": "A"}]}},
        path="spec.runtime.env",
        says="differ in name; 'A' is there twice",
        server_says="Duplicate value",
    ),
    Bad(
        "a volume of two kinds",
        with_volume(emptyDir={}, configMap={"name": "c"}),
        path="spec.podTemplate.volumes[0]",
        says="exactly one",
    ),
    Bad("a volume of no kind", with_volume(), path="spec.podTemplate.volumes[0]", says="exactly one"),
    Bad(
        "two volumes at one path",
        {"podTemplate": {"volumes": [{"name": n, "mountPath": "/data", "emptyDir": {}} for n in ("a", "b")]}},
        path="spec.podTemplate.volumes",
        says="must not share",
    ),
    Bad(
        "a second shared memory",
        with_volume(mountPath="/dev/shm", emptyDir={}),
        path="spec.podTemplate.volumes[0].mountPath",
        says="sharedMemory",
    ),
)

ASLEEP = (
    Bad(
        "a last replica that goes and stays",
        scaling(minReplicas=1, scaleToZero={}),
        path="spec.scaling.scaleToZero",
        says="set minReplicas 0, or remove it",
    ),
    Bad(
        "no replicas of llm-d",
        {"runtime": {"engine": "llmd"}, **scaling(minReplicas=0)},
        path="spec.scaling.minReplicas",
        says="must be at least 1: with runtime.engine dynamo or llmd",
    ),
    Bad(
        "no replicas of Dynamo",
        {"runtime": {"engine": "dynamo"}, **scaling(minReplicas=0)},
        path="spec.scaling.minReplicas",
        says="must be at least 1: with runtime.engine dynamo or llmd",
    ),
    Bad(
        "no prefill workers",
        {
            "runtime": {"engine": "dynamo"},
            "topology": {"disaggregated": {"prefill": scaling(minReplicas=0)}},
        },
        path="spec.topology.disaggregated.prefill.scaling.minReplicas",
        says="must be at least 1: one part of a service",
    ),
    Bad(
        "no replicas of several pods",
        {"accelerator": {"nodes": 2}, **scaling(minReplicas=0)},
        path="spec.scaling.minReplicas",
        says="must be at least 1: with accelerator.nodes above 1",
    ),
    Bad(
        "a canary of no replicas",
        {**canary(), **scaling(minReplicas=0)},
        path="spec.scaling.minReplicas",
        says="must be at least 1: with rollout.canary",
    ),
)
