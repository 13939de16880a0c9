"""Names, types, and words that are missing or that nobody knows."""

from tests.bad_objects import Bad

from .specs import APART, apart, from_source, objectives

NAMES = (
    Bad(
        "a name of 300 characters", name="a" * 300, path="metadata.name", says="at most 52", server_says="no more than"
    ),
    Bad("a name of 53 characters", name="a" * 53, path="metadata.name", says="at most 52"),
    Bad("an upper-case name", name="Chat", path="metadata.name", says="lower-case", server_says="lowercase"),
    Bad("a name that begins with a digit", name="8b-chat", path="metadata.name", says="the first a letter"),
    Bad("a name with a dot", name="llama-3.1", path="metadata.name", says="lower-case letters, digits or '-'"),
)

TYPES = (
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
        objectives(target=500),
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

MISSING = (
    Bad(
        "no engine", {"runtime": {"engine": None}}, path="spec.runtime.engine", says="required", server_says="Required"
    ),
    Bad("no model", {"model": None}, path="spec.model", says="required", server_says="Required"),
    Bad(
        "an affinity that does not say what is near",
        apart(),
        path=f"{APART}.podAffinityTerm.topologyKey",
        says="required",
        server_says="Required",
    ),
    Bad(
        "a spread that does not say what to do without room",
        {"podTemplate": {"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone"}]}},
        path="spec.podTemplate.topologySpreadConstraints[0].whenUnsatisfiable",
        says="required",
        server_says="Required",
    ),
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
        objectives(percentile=95),
        path="spec.slo.objectives.timeToFirstToken.target",
        says="required",
        server_says="Required",
    ),
)

WORDS = (
    Bad(
        "an affinity that nobody knows",
        {"podTemplate": {"affinity": {"nodeAfinity": {}}}},
        path="spec.podTemplate.affinity.nodeAfinity",
        says="did you mean nodeAffinity?",
        server_says="unknown field",
    ),
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
        from_source(huggingFace={"repo": "a/b", "tokenSecret": "other/hf-token"}),
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
