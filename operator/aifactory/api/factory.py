"""The kind `AIFactory`: what all of a cluster has in common. There is one, named `default`."""

from pydantic import Field

from .checks import Check
from .meta import CheckedModel, Model
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


class AIFactorySpec(Model):
    """What an administrator asks for."""

    mirrors: Mirrors = Field(
        default=NO_MIRRORS,
        description="Where ModelCaches that name no endpoint fetch from. Only download pods connect to it. A complete "
        "cache is left as it is when a mirror changes; a download that is not is begun anew.",
    )


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
