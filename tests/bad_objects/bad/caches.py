"""Objects of kind ModelCache and AIFactory."""

from typing import Any

from tests.bad_objects import Bad


def _cache(case: str, spec: dict[str, Any], path: str, says: str, server_says: str = "", name: str = "weights") -> Bad:
    return Bad(case, spec, name=name, kind="ModelCache", path=path, says=says, server_says=server_says)


def _from(**source: Any) -> dict[str, Any]:
    return {"source": {"huggingFace": None, **source}}


CACHES = (
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


def _catalogue(case: str, *entries: dict[str, Any], path: str, says: str, server_says: str = "") -> Bad:
    spec = {"accelerators": list(entries)}
    where = f"spec.accelerators{path}"
    return Bad(case, spec, name="default", kind="AIFactory", path=where, says=says, server_says=server_says)


_H100 = {"product": "NVIDIA-H100-80GB-HBM3"}
FACTORIES = (
    _catalogue("a GPU without price and power", _H100, path="[0].pricePerGPUHour", says="is required, or wattsPerGPU"),
    _catalogue(
        "a price as a number",
        _H100 | {"pricePerGPUHour": 2.5},
        path="[0].pricePerGPUHour",
        says="not an amount",
        server_says="Invalid value",
    ),
    _catalogue("a free GPU", _H100 | {"pricePerGPUHour": "0.00"}, path="[0].pricePerGPUHour", says="must be above 0"),
    _catalogue("a GPU of no watts", _H100 | {"wattsPerGPU": 0}, path="[0].wattsPerGPU", says="greater than"),
    _catalogue("a GPU of a megawatt", _H100 | {"wattsPerGPU": 1_000_000}, path="[0].wattsPerGPU", says="less than"),
    _catalogue("a price of no GPU", {"wattsPerGPU": 700}, path="[0].product", says="required", server_says="Required"),
    _catalogue(
        "a product with no letters",
        {"product": "", "wattsPerGPU": 700},
        path="[0].product",
        says="at least 1",
        server_says="at least 1",
    ),
    _catalogue(
        "a product that is no label value",
        {"product": "NVIDIA H100", "wattsPerGPU": 700},
        path="[0].product",
        says="pattern",
        server_says="should match",
    ),
    _catalogue(
        "a GPU with two prices",
        _H100 | {"pricePerGPUHour": "2.50"},
        _H100 | {"pricePerGPUHour": "3.00"},
        path="",
        says="differ in product",
        server_says="Duplicate",
    ),
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
