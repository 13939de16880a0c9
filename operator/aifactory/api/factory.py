"""The kind `AIFactory`: what all of a cluster has in common. There is one, named `default`."""

from typing import Annotated

from pydantic import Field

from .budget import Money
from .checks import Check, Unique
from .meta import CheckedModel, LabelValue, Model
from .modelcache import CacheSource, Endpoint
from .owner import ObjectMeta

KIND = "AIFactory"
PLURAL = "aifactories"
SINGLETON = "default"


class Mirrors(Model):
    """Base URLs of mirrors that hold the same as the public address of a kind of source."""

    hugging_face: Endpoint | None = Field(default=None, description="In the place of https://huggingface.co.")
    s3: Endpoint | None = Field(
        default=None, description="In the place of Amazon S3. Buckets have the same names and objects there."
    )
    oci: Endpoint | None = Field(
        default=None, description="In the place of the registry of every reference, whose repository path is kept."
    )
    ngc: Endpoint | None = Field(default=None, description="In the place of https://api.ngc.nvidia.com.")

    def of(self, source: CacheSource) -> str | None:
        """The mirror for a source, None where its kind has none."""
        if source.hugging_face:
            return self.hugging_face
        if source.s3:
            return self.s3
        return self.oci if source.oci else self.ngc


NO_MIRRORS = Mirrors()


class Accelerator(CheckedModel):
    """What a kind of GPU costs and draws."""

    checks = (
        Check(
            cel="has(self.pricePerGPUHour) || has(self.wattsPerGPU)",
            holds=lambda entry: entry.price_per_gpu_hour is not None or entry.watts_per_gpu is not None,
            message="is required, or wattsPerGPU: an entry without either says nothing",
            field="pricePerGPUHour",
        ),
    )
    product: Annotated[LabelValue, Field(min_length=1)] = Field(
        description="Value of the node label nvidia.com/gpu.product, as spec.accelerator.product of a service has it, "
        "such as NVIDIA-H100-80GB-HBM3."
    )
    price_per_gpu_hour: Money | None = Field(
        default=None,
        alias="pricePerGPUHour",
        description='What one of them costs an hour, in any currency, the same for all entries, such as "2.50". '
        "Parts of a GPU (MIG, time slices) have a product label, and so a price, of their own.",
    )
    watts_per_gpu: int | None = Field(
        default=None,
        ge=1,
        le=100_000,
        alias="wattsPerGPU",
        description="Rated power of the board in watts. It stands in where Prometheus has no measured power.",
    )


class AIFactorySpec(Model):
    """What an administrator asks for."""

    mirrors: Mirrors = Field(
        default=NO_MIRRORS,
        description="Where ModelCaches that name no endpoint fetch from. Only download pods connect to it. A complete "
        "cache is left as it is when a mirror changes; a download that is not is begun anew.",
    )
    accelerators: Annotated[list[Accelerator], Field(max_length=64), Unique("product")] | None = Field(
        default=None,
        description="Kinds of GPUs: from them come status.cost and, unmeasured, status.energy of services.",
    )

    def accelerator(self, product: str) -> Accelerator | None:
        """The entry of a product."""
        return next((entry for entry in self.accelerators or () if entry.product == product), None)


NOTHING = AIFactorySpec()


class AIFactory(CheckedModel):
    """An object as read from the API server or a manifest. It has no status: it asks for nothing by itself.

    Raises:
        pydantic.ValidationError: from `model_validate`, with the path of each wrong field.
    """

    metadata: ObjectMeta
    spec: AIFactorySpec

    checks = (
        Check(
            cel=f"self.metadata.name == '{SINGLETON}'",
            holds=lambda factory: factory.metadata.name == SINGLETON,
            message=f"must be {SINGLETON}: a cluster has one AIFactory",
            field="metadata.name",
        ),
    )
