"""Objects that must be refused, grouped by what is wrong with them."""

from typing import Any

from . import Bad, merge


def _objectives(**objective: Any) -> dict[str, Any]:
    return {"slo": {"objectives": {"timeToFirstToken": objective}}}


def _scaling(**fields: Any) -> dict[str, Any]:
    return {"scaling": {"maxReplicas": 8, **fields}}


def _schedule(**fields: Any) -> dict[str, Any]:
    given = {"name": "day", "start": "08:00", "end": "20:00", "minReplicas": 2, **fields}
    return _scaling(schedules=[{name: value for name, value in given.items() if value is not None}])


def _source(**source: Any) -> dict[str, Any]:
    return {"model": {"source": source}}


def _volume(**volume: Any) -> dict[str, Any]:
    return {"podTemplate": {"volumes": [{"name": "data", "mountPath": "/data", **volume}]}}


def _canary(**fields: Any) -> dict[str, Any]:
    return {"rollout": {"canary": fields}}


_NAMES = (
    Bad(
        "a name of 300 characters", name="a" * 300, path="metadata.name", says="at most 52", server_says="no more than"
    ),
    Bad("a name of 53 characters", name="a" * 53, path="metadata.name", says="at most 52"),
    Bad("an upper-case name", name="Chat", path="metadata.name", says="lower-case", server_says="lowercase"),
    Bad("a name that begins with a digit", name="8b-chat", path="metadata.name", says="the first a letter"),
    Bad("a name with a dot", name="llama-3.1", path="metadata.name", says="lower-case letters, digits or '-'"),
)

_TYPES = (
    Bad("replicas as text", {"replicas": "2"}, path="spec.replicas", says="integer"),
    Bad("GPUs as text", {"accelerator": {"count": "four"}}, path="spec.accelerator.count", says="integer"),
    Bad("half a GPU", {"accelerator": {"count": 0.5}}, path="spec.accelerator.count", says="integer"),
    Bad(
        "arguments as one string",
        {"runtime": {"args": "--max-model-len 8192"}},
        path="spec.runtime.args",
        says="must be a valid array",
        server_says="must be of type array",
    ),
    Bad(
        "a number for a variable",
        {"runtime": {"env": [{"name": "LEVEL", "value": 5}]}},
        path="spec.runtime.env[0].value",
        says="string",
    ),
    Bad("the model as a string", {"model": "meta/llama"}, path="spec.model", says="object"),
    Bad(
        "a latency as a number",
        _objectives(target=500),
        path="spec.slo.objectives.timeToFirstToken.target",
        says="500",
        server_says="must be of type string",
    ),
    Bad(
        "a percentage as a number",
        {"slo": {"attainment": 99}},
        path="spec.slo.attainment",
        says="99",
        server_says="must be of type string",
    ),
)

_MISSING = (
    Bad(
        "no engine", {"runtime": {"engine": None}}, path="spec.runtime.engine", says="required", server_says="Required"
    ),
    Bad("no model", {"model": None}, path="spec.model", says="required", server_says="Required"),
    Bad("no model name", {"model": {"name": None}}, path="spec.model.name", says="required", server_says="Required"),
    Bad(
        "scaling without a maximum",
        {"scaling": {}},
        path="spec.scaling.maxReplicas",
        says="required",
        server_says="Required",
    ),
    Bad(
        "an objective without a target",
        _objectives(percentile=95),
        path="spec.slo.objectives.timeToFirstToken.target",
        says="required",
        server_says="Required",
    ),
)

_WORDS = (
    Bad(
        "an unknown engine",
        {"runtime": {"engine": "tgi"}},
        path="spec.runtime.engine",
        says="'dynamo' or 'custom'",
        server_says='"dynamo", "custom"',
    ),
    Bad(
        "an unknown precision",
        {"model": {"precision": "fp16"}},
        path="spec.model.precision",
        says="'bf16'",
        server_says='"bf16"',
    ),
    Bad(
        "an unknown workload",
        {"slo": {"workload": "batch"}},
        path="spec.slo.workload",
        says="'offline'",
        server_says='"offline"',
    ),
    Bad("an unknown mode", {"mode": "Stopped"}, path="spec.mode", says="'Paused'", server_says='"Paused"'),
    Bad("an empty model name", {"model": {"name": ""}}, path="spec.model.name", says="at least 1"),
    Bad("a model name with a quote", {"model": {"name": 'x"} or vector(1)'}}, path="spec.model.name", says="match"),
    Bad("an image with a space", {"runtime": {"image": "vllm :latest"}}, path="spec.runtime.image", says="match"),
    Bad(
        "a resource without a domain",
        {"accelerator": {"resourceName": "gpu"}},
        path="spec.accelerator.resourceName",
        says="match",
    ),
    Bad(
        "a product that is no label value",
        {"accelerator": {"product": "NVIDIA H100"}},
        path="spec.accelerator.product",
        says="match",
    ),
    Bad(
        "a Secret in another namespace",
        _source(huggingFace={"repo": "a/b", "tokenSecret": "other/hf-token"}),
        path="spec.model.source.huggingFace.tokenSecret",
        says="match",
    ),
    Bad(
        "a label key with a space",
        {"podTemplate": {"labels": {"my team": "a"}}},
        path="spec.podTemplate.labels",
        says="must be label keys",
    ),
    Bad(
        "a label value with a space",
        {"podTemplate": {"labels": {"team": "a b"}}},
        path="spec.podTemplate.labels",
        says="match",
    ),
    Bad(
        "a bad quantity",
        {"podTemplate": {"resources": {"memory": "64 gigabytes"}}},
        path="spec.podTemplate.resources.memory",
        says="is not a Kubernetes quantity",
        server_says="should match",
    ),
    Bad(
        "a negative quantity",
        {"podTemplate": {"resources": {"cpu": -1}}},
        path="spec.podTemplate.resources.cpu",
        says="is not a Kubernetes quantity",
        server_says="greater than or equal to 0",
    ),
)

_BOUNDS = (
    Bad("no GPU", {"accelerator": {"count": 0}}, path="spec.accelerator.count", says="greater than or equal to 1"),
    Bad("17 GPUs", {"accelerator": {"count": 17}}, path="spec.accelerator.count", says="less than or equal to 16"),
    Bad("negative replicas", {"replicas": -1}, path="spec.replicas", says="greater than or equal to 0"),
    Bad("a privileged port", {"runtime": {"port": 80}}, path="spec.runtime.port", says="greater than or equal to 1024"),
    Bad(
        "a latency of 0", _objectives(target="0s"), path="spec.slo.objectives.timeToFirstToken.target", says="from 1ms"
    ),
    Bad(
        "a latency of 10 h", _objectives(target="10h"), path="spec.slo.objectives.timeToFirstToken.target", says="to 1h"
    ),
    Bad(
        "a latency beyond all clocks",
        _objectives(target="999999999h"),
        path="spec.slo.objectives.timeToFirstToken.target",
        says="to 1h",
        server_says="Invalid value",
    ),
    Bad(
        "a latency in days",
        _objectives(target="1d"),
        path="spec.slo.objectives.timeToFirstToken.target",
        says="is not a duration",
        server_says="should match",
    ),
    Bad(
        "the 100th percentile",
        _objectives(target="1s", percentile=100),
        path="spec.slo.objectives.timeToFirstToken.percentile",
        says="less than or equal to 99",
    ),
    Bad(
        "an attainment of 101%",
        {"slo": {"attainment": "101%"}},
        path="spec.slo.attainment",
        says="is not a percentage",
        server_says="should match",
    ),
    Bad(
        "an attainment that leaves no error budget",
        {"slo": {"attainment": "100%"}},
        path="spec.slo.attainment",
        says="to 99.999%",
    ),
    Bad(
        "a start-up in a second",
        {"runtime": {"startupTimeout": "1s"}},
        path="spec.runtime.startupTimeout",
        says="from 1m to 24h",
    ),
    Bad("a drain of two hours", {"drain": {"timeout": "2h"}}, path="spec.drain.timeout", says="to 1h"),
    Bad(
        "a minimum below no replicas",
        _scaling(minReplicas=-1),
        path="spec.scaling.minReplicas",
        says="greater than or equal to 0",
    ),
    Bad(
        "a last replica that goes at once",
        _scaling(minReplicas=0, scaleToZero={"after": "0s"}),
        path="spec.scaling.scaleToZero.after",
        says="from 1s to 24h",
    ),
    Bad(
        "a request that waits for two hours",
        _scaling(minReplicas=0, scaleToZero={"maxHoldTime": "2h"}),
        path="spec.scaling.scaleToZero.maxHoldTime",
        says="from 1s to 1h",
    ),
    Bad(
        "no request that may wait",
        _scaling(minReplicas=0, scaleToZero={"maxHeldRequests": 0}),
        path="spec.scaling.scaleToZero.maxHeldRequests",
        says="greater than or equal to 1",
    ),
    Bad(
        "a schedule that changes nothing",
        _schedule(minReplicas=None),
        path="spec.scaling.schedules[0].minReplicas",
        says="without either changes nothing",
    ),
    Bad(
        "a schedule on the Moon",
        _schedule(timeZone="Moon/Tranquility"),
        path="spec.scaling.schedules[0].timeZone",
        says="must be a time zone of the IANA database",
    ),
    Bad(
        "a schedule by the clock of whoever reads it",
        _schedule(timeZone="Local"),
        path="spec.scaling.schedules[0].timeZone",
        says="must be a time zone of the IANA database",
    ),
    Bad(
        "a time zone that leads elsewhere",
        _schedule(timeZone="../../etc/passwd"),
        path="spec.scaling.schedules[0].timeZone",
        says="pattern",
        server_says="should match",
    ),
    Bad(
        "a schedule in twelve hours",
        _schedule(start="8:00 am"),
        path="spec.scaling.schedules[0].start",
        says="at most 5",
        server_says="Too long",
    ),
    Bad(
        "a schedule to the 25th hour",
        _schedule(end="25:00"),
        path="spec.scaling.schedules[0].end",
        says="pattern",
        server_says="should match",
    ),
    Bad(
        "a schedule on an eighth day",
        _schedule(days=["Mon", "Funday"]),
        path="spec.scaling.schedules[0].days[1]",
        says="must be 'Mon'",
        server_says="Unsupported value",
    ),
    Bad(
        "a schedule on no day",
        _schedule(days=[]),
        path="spec.scaling.schedules[0].days",
        says="at least 1",
    ),
    Bad(
        "a day twice",
        _schedule(days=["Mon", "Mon"]),
        path="spec.scaling.schedules[0].days",
        says="must differ",
        server_says="Duplicate",
    ),
    Bad(
        "two schedules of one name",
        _scaling(schedules=[{"name": "day", "start": "08:00", "end": "20:00", "minReplicas": 2}] * 2),
        path="spec.scaling.schedules",
        says="must differ in name",
        server_says="Duplicate",
    ),
    Bad(
        "a budget of nothing",
        _scaling(budget={}),
        path="spec.scaling.budget.gpus",
        says="without either limits nothing",
    ),
    Bad(
        "GPUs for free",
        _scaling(budget={"costPerHour": "40", "gpuCostPerHour": "0"}),
        path="spec.scaling.budget.gpuCostPerHour",
        says="must be above 0",
    ),
    Bad(
        "a budget that is a float",
        _scaling(budget={"costPerHour": 12.5, "gpuCostPerHour": "2.50"}),
        path="spec.scaling.budget.costPerHour",
        says="write a number in quotes",
        server_says="must be of type string",
    ),
    Bad(
        "a period of nothing",
        _scaling(behavior={"scaleUp": {"period": "0s"}}),
        path="spec.scaling.behavior.scaleUp.period",
        says="from 1s to 1h",
    ),
    Bad(
        "an average over an hour",
        _scaling(behavior={"averagingWindow": "1h"}),
        path="spec.scaling.behavior.averagingWindow",
        says="from 1s to 10m",
    ),
    Bad(
        "a stabilization of a day",
        _scaling(behavior={"scaleDown": {"stabilizationWindow": "24h"}}),
        path="spec.scaling.behavior.scaleDown.stabilizationWindow",
        says="from 0s to 1h",
    ),
    Bad(
        "a fallback at once",
        _scaling(fallback={"replicas": 2, "after": "0s"}),
        path="spec.scaling.fallback.after",
        says="from 1s to 24h",
    ),
    Bad(
        "a cache that is full at 0%",
        _scaling(behavior={"kvCacheUsage": "0%"}),
        path="spec.scaling.behavior.kvCacheUsage",
        says="from 1% to 100%",
    ),
    Bad("65 arguments", {"runtime": {"args": ["--verbose"] * 65}}, path="spec.runtime.args", says="64"),
    Bad(
        "65 variables", {"runtime": {"env": [{"name": f"V{n}"} for n in range(65)]}}, path="spec.runtime.env", says="64"
    ),
    Bad(
        "an argument of 5,000 characters", {"runtime": {"args": ["-" * 5000]}}, path="spec.runtime.args[0]", says="4096"
    ),
    Bad(
        "33 labels",
        {"podTemplate": {"labels": {f"l{n}": "x" for n in range(33)}}},
        path="spec.podTemplate.labels",
        says="32",
    ),
    Bad(
        "a canary of all replicas",
        _canary(steps=["10%", "100%"]),
        path="spec.rollout.canary.steps[1]",
        says="must be from 1% to 99%",
    ),
    Bad(
        "a canary without a step",
        _canary(steps=[]),
        path="spec.rollout.canary.steps",
        says="at least 1",
        server_says="should have at least 1",
    ),
    Bad(
        "a canary judged after a second",
        _canary(stepDuration="1s"),
        path="spec.rollout.canary.stepDuration",
        says="must be from 15s to 24h",
    ),
    Bad(
        "a canary that may miss everything",
        _canary(tolerance="60%"),
        path="spec.rollout.canary.tolerance",
        says="must be from 0% to 50%",
    ),
    Bad("a canary judged by nothing", _canary(minRequests=0), path="spec.rollout.canary.minRequests", says="1"),
    Bad(
        "surge beyond 100%",
        {"rollout": {"maxSurge": "200%"}},
        path="spec.rollout.maxSurge",
        says="200%",
        server_says="should match",
    ),
)

_CONTRADICTIONS = (
    Bad("replicas and scaling", {"replicas": 2, **_scaling()}, path="spec.replicas", says="not both"),
    Bad(
        "a minimum above the maximum",
        _scaling(minReplicas=9),
        path="spec.scaling.minReplicas",
        says="must not be above maxReplicas",
    ),
    Bad(
        "a fallback above the maximum",
        _scaling(fallback={"replicas": 9}),
        path="spec.scaling.fallback.replicas",
        says="must not be above maxReplicas",
    ),
    Bad(
        "a schedule whose minimum is above its maximum",
        _schedule(minReplicas=5, maxReplicas=4),
        path="spec.scaling.schedules",
        says="minReplicas must not be above maxReplicas, of a schedule",
    ),
    Bad(
        "a schedule whose maximum is below the minimum of the service",
        _scaling(minReplicas=3, schedules=[{"name": "night", "start": "20:00", "end": "08:00", "maxReplicas": 2}]),
        path="spec.scaling.schedules",
        says="minReplicas must not be above maxReplicas, of a schedule",
    ),
    Bad(
        "a price without a budget in money",
        _scaling(budget={"gpus": 8, "gpuCostPerHour": "2.50"}),
        path="spec.scaling.budget.gpuCostPerHour",
        says="belongs to costPerHour",
    ),
    Bad(
        "a budget in money without a price",
        _scaling(budget={"costPerHour": "40"}),
        path="spec.scaling.budget.gpuCostPerHour",
        says="belongs to costPerHour",
    ),
    Bad(
        "thresholds the wrong way round",
        _scaling(behavior={"scaleUp": {"threshold": "30%"}, "scaleDown": {"threshold": "50%"}}),
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
        _canary(steps=["50%", "10%"]),
        path="spec.rollout.canary.steps",
        says="must not be below the one before it",
    ),
    Bad(
        "two sources of the model",
        _source(image={}, huggingFace={"repo": "a/b"}),
        path="spec.model.source",
        says="exactly one",
    ),
    Bad(
        "weights in S3 without a cache",
        _source(s3={"bucket": "models"}),
        path="spec.model.source.s3",
        says="is fetched by a ModelCache",
        server_says="unknown field",
    ),
    Bad(
        "weights in a registry without a cache",
        _source(oci={"reference": "registry.example.com/models/llama:v1"}),
        path="spec.model.source.oci",
        says="is fetched by a ModelCache",
        server_says="unknown field",
    ),
    Bad(
        "a way out of a cache",
        _source(modelCache={"name": "llama", "path": "../other"}),
        path="spec.model.source.modelCache.path",
        says="pattern",
        server_says="should match",
    ),
    Bad(
        "a way out of a cache in the middle",
        _source(modelCache={"name": "llama", "path": "a/../../other"}),
        path="spec.model.source.modelCache.path",
        says="must not contain '..'",
    ),
    Bad("a source that is none", {"model": {"source": {}}}, path="spec.model.source", says="exactly one"),
    Bad("NGC with vLLM", _source(ngc={}), path="spec.model.source.ngc", says="only runtime.engine nim"),
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
        says="differ in name",
        server_says="Duplicate value",
    ),
    Bad(
        "a volume of two kinds",
        _volume(emptyDir={}, configMap={"name": "c"}),
        path="spec.podTemplate.volumes[0]",
        says="exactly one",
    ),
    Bad("a volume of no kind", _volume(), path="spec.podTemplate.volumes[0]", says="exactly one"),
    Bad(
        "two volumes at one path",
        {"podTemplate": {"volumes": [{"name": n, "mountPath": "/data", "emptyDir": {}} for n in ("a", "b")]}},
        path="spec.podTemplate.volumes",
        says="must not share",
    ),
    Bad(
        "a second shared memory",
        _volume(mountPath="/dev/shm", emptyDir={}),
        path="spec.podTemplate.volumes[0].mountPath",
        says="sharedMemory",
    ),
)

_ASLEEP = (
    Bad(
        "a last replica that goes and stays",
        _scaling(minReplicas=1, scaleToZero={}),
        path="spec.scaling.scaleToZero",
        says="set minReplicas 0, or remove it",
    ),
    Bad(
        "no replicas of llm-d",
        {"runtime": {"engine": "llmd"}, **_scaling(minReplicas=0)},
        path="spec.scaling.minReplicas",
        says="must be at least 1: with runtime.engine dynamo or llmd",
    ),
    Bad(
        "no replicas of Dynamo",
        {"runtime": {"engine": "dynamo"}, **_scaling(minReplicas=0)},
        path="spec.scaling.minReplicas",
        says="must be at least 1: with runtime.engine dynamo or llmd",
    ),
    Bad(
        "no prefill workers",
        {
            "runtime": {"engine": "dynamo"},
            "topology": {"disaggregated": {"prefill": _scaling(minReplicas=0)}},
        },
        path="spec.topology.disaggregated.prefill.scaling.minReplicas",
        says="must be at least 1: one part of a service",
    ),
    Bad(
        "no replicas of several pods",
        {"accelerator": {"nodes": 2}, **_scaling(minReplicas=0)},
        path="spec.scaling.minReplicas",
        says="must be at least 1: with accelerator.nodes above 1",
    ),
    Bad(
        "a canary of no replicas",
        {**_canary(), **_scaling(minReplicas=0)},
        path="spec.scaling.minReplicas",
        says="must be at least 1: with rollout.canary",
    ),
)

_INTRUSIONS = (
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
        _volume(hostPath={"path": "/"}),
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
        _source(persistentVolumeClaim={"name": "weights", "path": "a/../../b"}),
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
        _volume(name="aifactory-cache", emptyDir={}),
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


def _engine(engine: str, **spec: Any) -> dict[str, Any]:
    """A spec that lacks nothing that the engine needs."""
    model = {"source": {"image": {"path": "/models"}}} if engine == "triton" else {}
    needed = {"image": "example.com/server", "metrics": _METRICS} if engine == "custom" else {}
    base: dict[str, Any] = {"model": model, "runtime": {"engine": engine, **needed}}
    return merge(base, spec)


def _nodes(nodes: int = 2, **accelerator: Any) -> dict[str, Any]:
    return {"accelerator": {"nodes": nodes, **accelerator}}


_METRICS = {"running": "busy_requests", "waiting": "queued_requests"}
_ENGINES = (
    Bad(
        "a GGUF file for vLLM",
        _source(huggingFace={"repo": "a/b", "file": "c.gguf"}),
        path="spec.model.source.huggingFace.file",
        says="only runtime.engine llamacpp",
    ),
    Bad(
        "Hugging Face for Triton",
        _engine("triton", **_source(huggingFace={"repo": "a/b"}, image=None)),
        path="spec.model.source.huggingFace",
        says="only runtime.engine vllm, llmd, sglang, trtllm, nim, llamacpp or dynamo",
    ),
    Bad(
        "adapters for TensorRT-LLM",
        _engine("trtllm", model={"adapters": [{"name": "sql", "huggingFace": {"repo": "a/b"}}]}),
        path="spec.model.adapters",
        says="only runtime.engine vllm, llmd, sglang or nim",
    ),
    Bad(
        "an adapter from nowhere",
        {"model": {"adapters": [{"name": "sql"}]}},
        path="spec.model.adapters[0]",
        says="exactly one of huggingFace or persistentVolumeClaim",
    ),
    Bad("a command for vLLM", {"runtime": {"command": ["bash"]}}, path="spec.runtime.command", says="only"),
    Bad("probes for vLLM", {"runtime": {"probes": {}}}, path="spec.runtime.probes", says="only runtime.engine custom"),
    Bad(
        "a context length for Triton",
        _engine("triton", runtime={"contextLength": 8192}),
        path="spec.runtime.contextLength",
        says="only runtime.engine vllm, llmd, sglang, trtllm, nim, llamacpp or dynamo",
    ),
    Bad(
        "sequences for a NIM",
        _engine("nim", runtime={"maxSequences": 64}),
        path="spec.runtime.maxSequences",
        says="only runtime.engine vllm, llmd, sglang, trtllm, llamacpp or dynamo",
    ),
    Bad(
        "a batch for llama.cpp",
        _engine("llamacpp", runtime={"maxBatchedTokens": 2048}),
        path="spec.runtime.maxBatchedTokens",
        says="only runtime.engine vllm, llmd, sglang, trtllm or dynamo",
    ),
    Bad(
        "a KV cache format for TensorRT-LLM",
        _engine("trtllm", runtime={"kvCachePrecision": "fp8"}),
        path="spec.runtime.kvCachePrecision",
        says="only runtime.engine vllm, llmd or sglang",
    ),
    Bad(
        "an endpoint picker for vLLM alone",
        {"runtime": {"endpointPicker": {"image": "picker:1"}}},
        path="spec.runtime.endpointPicker",
        says="only runtime.engine llmd",
    ),
    Bad(
        "an endpoint picker of another pool",
        _engine("llmd", runtime={"endpointPicker": {"args": ["-v=3", "--pool_name=other"]}}),
        path="spec.runtime.endpointPicker.args",
        says="must not contain --pool-name",
    ),
    Bad(
        "a port that llm-d workers share",
        _engine("llmd", runtime={"args": ["--port=1"]}),
        path="spec.runtime.args",
        says="must not contain --model",
    ),
    Bad(
        "edges of histograms for TensorRT-LLM",
        _engine("trtllm", runtime={"latencyBuckets": "Objectives"}),
        path="spec.runtime.latencyBuckets",
        says="only runtime.engine vllm, llmd or sglang",
    ),
    Bad(
        "edges of histograms as a list",
        {"runtime": {"latencyBuckets": [1, 2]}},
        path="spec.runtime.latencyBuckets",
        says="must be 'Default' or 'Objectives'",
        server_says="must be of type string",
    ),
    Bad(
        "a memory fraction without a sign",
        {"runtime": {"memoryFraction": "0.9"}},
        path="spec.runtime.memoryFraction",
        says="is not a percentage",
        server_says="should match",
    ),
    Bad(
        "a memory fraction of nearly nothing",
        {"runtime": {"memoryFraction": "5%"}},
        path="spec.runtime.memoryFraction",
        says="must be from 10% to 99%",
    ),
    Bad(
        "a memory fraction for llama.cpp",
        _engine("llamacpp", runtime={"memoryFraction": "90%"}),
        path="spec.runtime.memoryFraction",
        says="only runtime.engine",
    ),
    Bad(
        "parallelism for llama.cpp",
        _engine("llamacpp", accelerator={"count": 2, "parallelism": {"pipeline": 2}}),
        path="spec.accelerator.parallelism",
        says="only runtime.engine",
    ),
    Bad(
        "data parallelism for TensorRT-LLM",
        _engine("trtllm", accelerator={"count": 2, "parallelism": {"data": 2}}),
        path="spec.accelerator.parallelism.data",
        says="only runtime.engine vllm, llmd or sglang",
    ),
    Bad(
        "three groups on four GPUs",
        {"accelerator": {"count": 4, "parallelism": {"data": 3}}},
        path="spec.accelerator.count",
        says="count x nodes must be a multiple of parallelism.data x parallelism.pipeline",
    ),
    Bad(
        "a way in by nothing",
        {"expose": {"host": "chat.example.com"}},
        path="spec.expose",
        says="exactly one of gateway or ingress",
    ),
    Bad(
        "a host with a path",
        {"expose": {"host": "example.com/chat", "ingress": {}}},
        path="spec.expose.host",
        says="must match pattern",
        server_says="should match",
    ),
    Bad(
        "an adapter of the hub for a NIM",
        _engine("nim", model={"adapters": [{"name": "sql", "huggingFace": {"repo": "a/b"}}]}),
        path="spec.model.adapters",
        says="from a persistentVolumeClaim only",
    ),
    Bad(
        "a health port for vLLM",
        {"runtime": {"healthPort": 8081}},
        path="spec.runtime.healthPort",
        says="only runtime.engine nim or custom",
    ),
    Bad(
        "health on the port of the API",
        _engine("nim", runtime={"healthPort": 8000}),
        path="spec.runtime.healthPort",
        says="must not be runtime.port",
    ),
    Bad(
        "a password in a proxy's address",
        {"runtime": {"egress": {"httpsProxy": "http://user:secret@proxy:3128"}}},
        path="spec.runtime.egress.httpsProxy",
        says="must match pattern",
        server_says="should match",
    ),
    Bad(
        "GPUs by two ways",
        {"accelerator": {"resourceName": "example.com/gpu", "resourceClaimTemplate": "gpus"}},
        path="spec.accelerator.resourceClaimTemplate",
        says="not both",
    ),
    Bad(
        "Triton without a model repository",
        {"model": {"source": None}, "runtime": {"engine": "triton"}},
        path="spec.model",
        says="needs model.source",
    ),
    Bad(
        "Triton on its own metrics port",
        _engine("triton", runtime={"port": 8002}),
        path="spec.runtime.port",
        says="where Triton has its metrics",
    ),
    Bad(
        "a custom engine without an image",
        {"runtime": {"engine": "custom", "metrics": _METRICS}},
        path="spec.runtime",
        says="needs runtime.image",
    ),
    Bad(
        "a custom engine without metrics",
        {"runtime": {"engine": "custom", "image": "example.com/server"}},
        path="spec.runtime",
        says="needs runtime.metrics",
    ),
    Bad(
        "a query for a metric",
        _engine("custom", runtime={"metrics": {"running": "sum(up) or vector(1)"}}),
        path="spec.runtime.metrics.running",
        says="must match pattern",
        server_says="should match",
    ),
    Bad(
        "a query in a label of a metric",
        _engine("custom", runtime={"metrics": {"waiting": 'x{a=~".*"}'}}),
        path="spec.runtime.metrics.waiting",
        says="must match pattern",
        server_says="should match",
    ),
    Bad(
        "int4 with a NIM",
        _engine("nim", model={"precision": "int4"}),
        path="spec.model.precision",
        says="must be auto, bf16, fp8, nvfp4 or mxfp4",
    ),
    Bad(
        "int4 with SGLang",
        _engine("sglang", model={"precision": "int4"}),
        path="spec.model.precision",
        says="must be auto, bf16, fp8, nvfp4 or mxfp4",
    ),
    *(
        Bad(
            f"a precision with {engine}",
            _engine(engine, model={"precision": "fp8"}),
            path="spec.model.precision",
            says=f"with runtime.engine {engine} must be auto",
        )
        for engine in ("trtllm", "triton", "llamacpp", "dynamo", "custom")
    ),
    Bad(
        "two tensor-parallel sizes with SGLang",
        _engine("sglang", runtime={"args": ["--tp=2"]}),
        path="spec.runtime.args",
        says="follow",
    ),
    Bad(
        "two tensor-parallel sizes with TensorRT-LLM",
        _engine("trtllm", runtime={"args": ["--tp_size", "2"]}),
        path="spec.runtime.args",
        says="follow",
    ),
    Bad(
        "two model repositories",
        _engine("triton", runtime={"args": ["--model-repository=/other"]}),
        path="spec.runtime.args",
        says="follow",
    ),
    Bad(
        "two models with llama.cpp",
        _engine("llamacpp", runtime={"args": ["-m", "/other.gguf"]}),
        path="spec.runtime.args",
        says="follow",
    ),
    Bad(
        "a vLLM flag of the operator with a NIM",
        _engine("nim", runtime={"args": ["--tensor-parallel-size=2"]}),
        path="spec.runtime.args",
        says="follow",
    ),
)

_GROUPS = (
    Bad("no node", _nodes(0), path="spec.accelerator.nodes", says="greater than or equal to 1"),
    Bad("65 nodes", _nodes(65), path="spec.accelerator.nodes", says="less than or equal to 64"),
    *(
        Bad(
            f"two nodes for {engine}",
            _engine(engine, **_nodes()),
            path="spec.accelerator.nodes",
            says="only runtime.engine vllm, sglang or custom can span nodes",
        )
        for engine in ("nim", "trtllm", "triton", "llamacpp", "dynamo")
    ),
    Bad(
        "a long name for a replica of two pods",
        _nodes(),
        name="a" * 39,
        path="metadata.name",
        says="at most 38 characters",
    ),
    Bad(
        "a rack for one pod",
        _nodes(1, topology={"key": "nvidia.com/gpu.clique"}),
        path="spec.accelerator.topology",
        says="set nodes above 1",
    ),
    Bad(
        "a rack without a key",
        _nodes(topology={}),
        path="spec.accelerator.topology.key",
        says="required",
        server_says="Required",
    ),
    Bad(
        "a rack by a label with a space",
        _nodes(topology={"key": "my rack"}),
        path="spec.accelerator.topology.key",
        says="must match pattern",
        server_says="should match",
    ),
    Bad(
        "an NVLink domain for one pod",
        _nodes(1, computeDomain={"resourceClaimTemplate": "channel"}),
        path="spec.accelerator.computeDomain",
        says="set nodes above 1",
    ),
    Bad(
        "an NVLink domain without a template",
        _nodes(computeDomain={}),
        path="spec.accelerator.computeDomain.resourceClaimTemplate",
        says="required",
        server_says="Required",
    ),
    Bad(
        "three groups on two nodes of two GPUs",
        _nodes(count=2, parallelism={"pipeline": 3}),
        path="spec.accelerator.count",
        says="count x nodes must be a multiple",
    ),
    Bad(
        "data parallelism across nodes with SGLang",
        _engine("sglang", **_nodes(parallelism={"data": 2})),
        path="spec.accelerator.parallelism.data",
        says="no data parallelism across nodes",
    ),
    Bad(
        "a canary of two pods",
        {**_nodes(), "rollout": {"canary": {"steps": ["25%"]}}},
        path="spec.rollout.canary",
        says="with replicas of one pod only",
    ),
    Bad("a second rank for vLLM", {"runtime": {"args": ["--node-rank", "1"]}}, path="spec.runtime.args", says="follow"),
    Bad(
        "a second leader for SGLang",
        _engine("sglang", runtime={"args": ["--dist-init-addr=10.0.0.1:5000"]}),
        path="spec.runtime.args",
        says="follow",
    ),
    Bad(
        "a variable of the group",
        {"runtime": {"env": [{"name": "AIFACTORY_NODE_RANK", "value": "0"}]}},
        path="spec.runtime.env",
        says="follow other fields",
    ),
)

_DISAGGREGATED: dict[str, Any] = {"topology": {"disaggregated": {}}}
_DYNAMO = (
    Bad(
        "Dynamo's parts with vLLM", {"runtime": {"dynamo": {}}}, path="spec.runtime.dynamo", says="only runtime.engine"
    ),
    Bad("vLLM split in two", _DISAGGREGATED, path="spec.topology.disaggregated", says="only runtime.engine dynamo"),
    Bad(
        "an unknown backend",
        _engine("dynamo", runtime={"dynamo": {"backend": "tgi"}}),
        path="spec.runtime.dynamo.backend",
        says="'trtllm' or 'mocker'",
        server_says='"trtllm", "mocker"',
    ),
    Bad(
        "no frontend",
        _engine("dynamo", runtime={"dynamo": {"frontendReplicas": 0}}),
        path="spec.runtime.dynamo.frontendReplicas",
        says="greater than or equal to 1",
    ),
    Bad(
        "replicas of a service that is split",
        _engine("dynamo", replicas=2, **_DISAGGREGATED),
        path="spec.topology.disaggregated",
        says="not of the service",
    ),
    Bad(
        "scaling of a service that is split",
        _engine("dynamo", scaling={"maxReplicas": 2}, **_DISAGGREGATED),
        path="spec.topology.disaggregated",
        says="not of the service",
    ),
    Bad(
        "replicas and scaling of decode",
        _engine("dynamo", topology={"disaggregated": {"decode": {"replicas": 2, "scaling": {"maxReplicas": 4}}}}),
        path="spec.topology.disaggregated.decode.replicas",
        says="not both",
    ),
    Bad(
        "no prefill",
        _engine("dynamo", topology={"disaggregated": {"prefill": {"replicas": 0}}}),
        path="spec.topology.disaggregated.prefill.replicas",
        says="greater than or equal to 1",
    ),
    Bad(
        "prefill across nodes",
        _engine("dynamo", topology={"disaggregated": {"prefill": {"accelerator": {"nodes": 2}}}}),
        path="spec.topology.disaggregated.prefill.accelerator",
        says="GPUs of one node",
    ),
    Bad(
        "two models with Dynamo",
        _engine("dynamo", runtime={"args": ["--model-path=/other"]}),
        path="spec.runtime.args",
        says="follow",
    ),
    *(
        Bad(
            f"{part} that does something else",
            _engine("dynamo", topology={"disaggregated": {part: {"args": ["--disaggregation-mode", "agg"]}}}),
            path=f"spec.topology.disaggregated.{part}.args",
            says="follow",
        )
        for part in ("prefill", "decode")
    ),
    Bad(
        "a canary of Dynamo",
        _engine("dynamo", rollout={"canary": {"steps": ["50%"]}}),
        path="spec.rollout.canary",
        says="only runtime.engine",
    ),
    Bad(
        "another place to look for workers",
        _engine("dynamo", runtime={"env": [{"name": "DYN_DISCOVERY_BACKEND", "value": "etcd"}]}),
        path="spec.runtime.env",
        says="must not set",
    ),
)


def _cache(case: str, spec: dict[str, Any], path: str, says: str, server_says: str = "", name: str = "weights") -> Bad:
    return Bad(case, spec, name=name, kind="ModelCache", path=path, says=says, server_says=server_says)


def _from(**source: Any) -> dict[str, Any]:
    return {"source": {"huggingFace": None, **source}}


_CACHES = (
    _cache("a cache with a name of 53 characters", {}, "metadata.name", "at most 52", name="a" * 53),
    _cache("a cache without a source", {"source": None}, "spec.source", "required", "Required"),
    _cache("a cache with a source that is none", _from(), "spec.source", "exactly one of huggingFace, s3, oci or ngc"),
    _cache(
        "a cache with two sources",
        {"source": {"s3": {"bucket": "models"}}},
        "spec.source",
        "exactly one of huggingFace, s3, oci or ngc",
    ),
    _cache("a cache without a size", {"storage": {"size": None}}, "spec.storage.size", "required", "Required"),
    _cache(
        "a size in words",
        {"storage": {"size": "20 gigabytes"}},
        "spec.storage.size",
        "not a Kubernetes",
        "should match",
    ),
    _cache(
        "a volume for reading only",
        {"storage": {"accessMode": "ReadOnlyMany"}},
        "spec.storage.accessMode",
        "'ReadWriteMany' or 'ReadWriteOnce'",
        "Unsupported value",
    ),
    _cache("an endpoint that is a file", {"endpoint": "file:///etc"}, "spec.endpoint", "pattern", "should match"),
    _cache(
        "an endpoint with a password",
        {"endpoint": "https://me:secret@mirror"},
        "spec.endpoint",
        "pattern",
        "should match",
    ),
    _cache(
        "an endpoint that refers to a variable",
        {"endpoint": "https://mirror/$(HF_TOKEN)"},
        "spec.endpoint",
        "pattern",
        "should match",
    ),
    _cache(
        "a revision that is a flag",
        {"source": {"huggingFace": {"revision": "--help"}}},
        "spec.source.huggingFace.revision",
        "pattern",
        "should match",
    ),
    _cache(
        "patterns twice",
        {"source": {"huggingFace": {"include": ["*.json", "*.json"]}}},
        "spec.source.huggingFace.include",
        "differ",
        "Duplicate",
    ),
    _cache(
        "a prefix that begins with a slash",
        _from(s3={"bucket": "models", "prefix": "/llama"}),
        "spec.source.s3.prefix",
        "pattern",
        "should match",
    ),
    _cache(
        "a reference without a registry",
        _from(oci={"reference": "llama:v1"}),
        "spec.source.oci.reference",
        "pattern",
        "should match",
    ),
    _cache(
        "an NGC model without a version",
        _from(ngc={"model": "nvidia/nemo/llama"}),
        "spec.source.ngc.model",
        "pattern",
        "should match",
    ),
    _cache(
        "a download as root", {"download": {"runAsUser": 0}}, "spec.download.runAsUser", "greater than", "greater than"
    ),
    _cache(
        "a node label that is none",
        {"download": {"nodeSelector": {"a b": "c"}}},
        "spec.download.nodeSelector",
        "must be label keys",
    ),
    _cache("a hundred connections", {"download": {"connections": 100}}, "spec.download.connections", "less than"),
)

_FACTORIES = (
    Bad(
        "a second AIFactory",
        name="other",
        kind="AIFactory",
        path="metadata.name",
        says="must be default: a cluster has one AIFactory",
    ),
    Bad(
        "a mirror that is a file",
        {"mirrors": {"huggingFace": "file:///etc"}},
        name="default",
        kind="AIFactory",
        path="spec.mirrors.huggingFace",
        says="pattern",
        server_says="should match",
    ),
    Bad(
        "a mirror with a password",
        {"mirrors": {"ngc": "https://me:secret@mirror"}},
        name="default",
        kind="AIFactory",
        path="spec.mirrors.ngc",
        says="pattern",
        server_says="should match",
    ),
    Bad(
        "a mirror of a source that there is not",
        {"mirrors": {"huggingface": "https://mirror"}},
        name="default",
        kind="AIFactory",
        path="spec.mirrors.huggingface",
        says="did you mean huggingFace?",
        server_says="unknown field",
    ),
)

BAD = (
    *_NAMES,
    *_TYPES,
    *_MISSING,
    *_WORDS,
    *_BOUNDS,
    *_CONTRADICTIONS,
    *_ASLEEP,
    *_INTRUSIONS,
    *_ENGINES,
    *_GROUPS,
    *_DYNAMO,
    *_CACHES,
    *_FACTORIES,
)
