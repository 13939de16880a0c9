"""`spec.model`: which weights, and where they come from."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from .checks import Check, Unique, count_set
from .meta import CheckedModel, Model, ObjectName

_NO_PARENT = Check(cel="!self.contains('..')", holds=lambda path: ".." not in path, message="must not contain '..'")
_PathInside = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][-A-Za-z0-9_./]*$", max_length=1024), _NO_PARENT]

HubRepository = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][-A-Za-z0-9_.]*(/[-A-Za-z0-9_.]+)?$", max_length=253)
]


class Precision(StrEnum):
    """Number format of the weights."""

    AUTO = "auto"
    BF16 = "bf16"
    FP8 = "fp8"
    NVFP4 = "nvfp4"
    MXFP4 = "mxfp4"
    INT4 = "int4"


class ImageSource(Model):
    """The weights are inside the container image."""

    path: Annotated[str, StringConstraints(pattern=r"^/[^:]*$", max_length=1024)] | None = Field(
        default=None, description="Absolute path of the weights in the image. Default: the engine knows it."
    )


class NGCSource(Model):
    """NVIDIA NGC."""

    model: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][-A-Za-z0-9_./:]*$", max_length=253)] | None = Field(
        default=None, description="NGC model, such as nvidia/nemo/model:1.0. Default: the one the image is built for."
    )
    auth_secret: ObjectName | None = Field(default=None, description="Secret with the key NGC_API_KEY.")


class HuggingFaceSource(Model):
    """Hugging Face Hub or a mirror named by the engine's own environment variables."""

    repo: HubRepository = Field(description="Repository, such as meta-llama/Llama-3.1-8B-Instruct.")
    revision: Annotated[str, StringConstraints(pattern=r"^[-A-Za-z0-9_./]+$", max_length=253)] | None = Field(
        default=None, description="Branch, tag or commit."
    )
    file: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][-A-Za-z0-9_./]*$", max_length=253)] | None = Field(
        default=None, description="GGUF file in the repository, for llamacpp. Default: 4-bit if there is one."
    )
    token_secret: ObjectName | None = Field(default=None, description="Secret with the key HF_TOKEN.")


class AdapterRepository(Model):
    """A LoRA adapter on the Hugging Face Hub; the token is that of the model."""

    repo: HubRepository = Field(description="Repository, such as acme/llama-3.1-8b-sql-lora.")


class ClaimSource(Model):
    """Weights on an existing PersistentVolumeClaim."""

    name: ObjectName = Field(description="Name of the claim in the service's namespace.")
    path: _PathInside | None = Field(default=None, description="Folder inside the claim. Default: its root.")


class CacheReference(Model):
    """Weights that a ModelCache has fetched."""

    name: ObjectName = Field(description="Name of the ModelCache in the service's namespace.")
    path: _PathInside | None = Field(
        default=None, description="Folder or file inside the cache, such as a GGUF file. Default: its root."
    )


class CachedCopy(CacheReference):
    """With where the weights are: a folder of a claim. The operator knows it once the cache is ready."""

    claim: str
    folder: str


class ModelSource(CheckedModel):
    """Where the weights come from; exactly one."""

    checks = (
        Check(
            cel="[has(self.image), has(self.ngc), has(self.huggingFace), has(self.persistentVolumeClaim), "
            "has(self.modelCache)].filter(x, x).size() == 1",
            holds=lambda source: (
                count_set(
                    source.image,
                    source.ngc,
                    source.hugging_face,
                    source.persistent_volume_claim,
                    source.model_cache,
                )
                == 1
            ),
            message="set exactly one of image, ngc, huggingFace, persistentVolumeClaim or modelCache",
        ),
    )
    image: ImageSource | None = Field(default=None, description="Inside the container image.")
    ngc: NGCSource | None = Field(default=None, description="NVIDIA NGC.")
    hugging_face: HuggingFaceSource | None = Field(default=None, description="Hugging Face Hub.")
    persistent_volume_claim: ClaimSource | None = Field(default=None, description="An existing claim.")
    model_cache: CacheReference | None = Field(
        default=None, description="A ModelCache, which also fetches from S3 and OCI registries."
    )


class Adapter(CheckedModel):
    """A LoRA adapter that requests ask for as their model."""

    checks = (
        Check(
            cel="has(self.huggingFace) != has(self.persistentVolumeClaim)",
            holds=lambda adapter: count_set(adapter.hugging_face, adapter.persistent_volume_claim) == 1,
            message="set exactly one of huggingFace or persistentVolumeClaim",
        ),
    )
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][-A-Za-z0-9_.]*$", max_length=63)] = Field(
        description="The `model` of requests for it."
    )
    hugging_face: AdapterRepository | None = Field(default=None, description="Hugging Face Hub.")
    persistent_volume_claim: ClaimSource | None = Field(default=None, description="An existing claim.")


class ModelSpec(CheckedModel):
    """The model that clients ask for."""

    checks = (
        Check(
            cel="!has(self.adapters) || self.adapters.all(a, a.name != self.name)",
            holds=lambda model: all(adapter.name != model.name for adapter in model.adapters or ()),
            message="must not have the name of the model, which would answer the adapter's requests without it",
            field="adapters",
            admission=True,
        ),
    )
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][-A-Za-z0-9_./:]*$", min_length=1, max_length=253)] = (
        Field(description="Served model name, the `model` of OpenAI requests.")
    )
    source: ModelSource | None = Field(
        default=None,
        description="Where the weights come from. Default: the Hugging Face repository of the same name for vllm, "
        "the image for nim.",
    )
    precision: Precision = Field(default=Precision.AUTO, description="Number format of the weights.")
    adapters: Annotated[list[Adapter], Field(min_length=1, max_length=32), Unique("name")] | None = Field(
        default=None, description="LoRA adapters, served beside the model under their own names."
    )
