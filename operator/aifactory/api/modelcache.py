"""The kind `ModelCache`: weights fetched once into a volume that services share."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from .cachestatus import ModelCacheStatus
from .checks import Check, Unique, count_set
from .egress import EgressSpec
from .meta import LABEL_KEYS, CheckedModel, LabelValue, Model, ObjectName, Quantity, UserId
from .model import HubRepository
from .owner import Owner, name_check
from .podtemplate import Toleration

KIND = "ModelCache"
PLURAL = "modelcaches"
FilePattern = Annotated[str, StringConstraints(pattern=r"^[-A-Za-z0-9_.*?/\[\]]+$", max_length=253)]
FilePatterns = Annotated[list[FilePattern], Field(min_length=1, max_length=32), Unique()]
ImageName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][-A-Za-z0-9_.:/]*(@sha256:[0-9a-f]{64})?$", max_length=512)
]
Endpoint = Annotated[
    str, StringConstraints(pattern=r"^https?://[-A-Za-z0-9.:\[\]]+(/[-A-Za-z0-9_./]*)?$", max_length=512)
]


def cache_claim(name: str) -> str:
    """Name of the PersistentVolumeClaim of a cache."""
    return f"{name}-weights"


class HuggingFaceFiles(Model):
    """A model repository of the Hugging Face Hub."""

    repo: HubRepository = Field(description="Repository, such as meta-llama/Llama-3.1-8B-Instruct.")
    revision: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][-A-Za-z0-9_./]*$", max_length=253)] = Field(
        default="main", description="Branch, tag or commit. A branch is resolved to its commit once, when fetched."
    )
    token_secret: ObjectName | None = Field(default=None, description="Secret with the key HF_TOKEN.")
    include: FilePatterns | None = Field(
        default=None, description="Only files that match one of these, such as *.safetensors. * matches / as well."
    )
    exclude: FilePatterns | None = Field(default=None, description="No files that match one of these.")


class S3Files(Model):
    """Objects of a bucket of Amazon S3 or anything that speaks its protocol."""

    bucket: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][-a-z0-9.]{1,61}[a-z0-9]$", max_length=63)] = Field(
        description="Bucket."
    )
    prefix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][-A-Za-z0-9_./=+@ ]*$", max_length=512)] | None = (
        Field(default=None, description="Folder in the bucket, such as models/llama. Default: all of the bucket.")
    )
    region: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][-a-z0-9]*$", max_length=63)] = Field(
        default="us-east-1", description="Region of the bucket."
    )
    credentials_secret: ObjectName | None = Field(
        default=None,
        description="Secret with the keys AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, of temporary ones, "
        "AWS_SESSION_TOKEN. Without it requests are anonymous.",
    )


class OCIFiles(Model):
    """An artifact in an OCI registry whose layers are files, as `oras push` and ModelPack make it."""

    reference: Annotated[
        str,
        StringConstraints(
            pattern=r"^[a-zA-Z0-9.-]+(:[0-9]+)?/[a-z0-9][-a-z0-9_./]*(:[A-Za-z0-9_][-A-Za-z0-9_.]{0,127})?"
            r"(@sha256:[0-9a-f]{64})?$",
            max_length=512,
        ),
    ] = Field(description="Registry, repository, and tag or digest, such as registry.example.com/models/llama:v1.")
    pull_secret: ObjectName | None = Field(
        default=None, description="Secret of type kubernetes.io/dockerconfigjson for the registry."
    )


class NGCFiles(Model):
    """A model version of NVIDIA NGC."""

    model: Annotated[
        str,
        StringConstraints(
            pattern=r"^[A-Za-z0-9][-A-Za-z0-9_.]*(/[-A-Za-z0-9_.]+){1,2}:[-A-Za-z0-9_.]+$", max_length=253
        ),
    ] = Field(description="Organisation, team if there is one, name and version, such as nvidia/nemo/model:1.0.")
    auth_secret: ObjectName | None = Field(default=None, description="Secret with the key NGC_API_KEY.")


class CacheSource(CheckedModel):
    """Where the weights come from; exactly one."""

    checks = (
        Check(
            cel="[has(self.huggingFace), has(self.s3), has(self.oci), has(self.ngc)].filter(x, x).size() == 1",
            holds=lambda source: count_set(source.hugging_face, source.s3, source.oci, source.ngc) == 1,
            message="set exactly one of huggingFace, s3, oci or ngc",
        ),
    )
    hugging_face: HuggingFaceFiles | None = Field(default=None, description="Hugging Face Hub.")
    s3: S3Files | None = Field(default=None, description="Amazon S3 and what speaks its protocol.")
    oci: OCIFiles | None = Field(default=None, description="OCI registry.")
    ngc: NGCFiles | None = Field(default=None, description="NVIDIA NGC.")

    def __str__(self) -> str:
        """As people name it."""
        if self.hugging_face:
            return f"{self.hugging_face.repo}@{self.hugging_face.revision}"
        if self.s3:
            return f"s3://{self.s3.bucket}/{self.s3.prefix or ''}"
        return f"oci://{self.oci.reference}" if self.oci else f"ngc://{self.ngc.model if self.ngc else ''}"


class AccessMode(StrEnum):
    """Who may mount the volume at the same time."""

    READ_WRITE_MANY = "ReadWriteMany"
    READ_WRITE_ONCE = "ReadWriteOnce"


class StorageSpec(Model):
    """The volume."""

    size: Quantity = Field(
        description="Size of the claim, such as 20Gi. It can grow where the storage class allows it."
    )
    storage_class_name: ObjectName | None = Field(default=None, description="Default: that of the cluster.")
    access_mode: AccessMode = Field(
        default=AccessMode.READ_WRITE_MANY,
        description="ReadWriteMany: pods of all nodes. ReadWriteOnce: pods of one node; every storage class has it.",
    )


class DownloadResources(Model):
    """CPU and memory of the download."""

    cpu: Quantity = Field(default="500m", description="CPU request.")
    memory: Quantity = Field(default="512Mi", description="Memory request and limit.")


class DownloadSpec(Model):
    """The pod that downloads."""

    image: ImageName | None = Field(default=None, description="Default: the operator's own image.")
    image_pull_secrets: Annotated[list[ObjectName], Field(max_length=8), Unique()] | None = Field(
        default=None, description="Secrets for the registry of the image."
    )
    connections: Annotated[int, Field(ge=1, le=32)] = Field(default=4, description="Files fetched at the same time.")
    egress: EgressSpec | None = Field(default=None, description="Proxy and certificates.")
    resources: DownloadResources = Field(default=DownloadResources(), description="CPU and memory.")
    node_selector: Annotated[dict[str, LabelValue], Field(max_length=16), LABEL_KEYS] | None = Field(
        default=None, description="Node labels that the pod needs."
    )
    tolerations: Annotated[list[Toleration], Field(max_length=16)] | None = Field(
        default=None, description="Taints that the pod accepts."
    )
    run_as_user: UserId = Field(default=65532, description="User and group of the pod; the files can be read by all.")


class ModelCacheSpec(Model):
    """What a user asks for."""

    source: CacheSource = Field(description="Where the weights come from. A change is fetched beside what is there.")
    endpoint: Endpoint | None = Field(
        default=None,
        description="Base URL of a mirror in the place of the source's public address; an OCI registry keeps its "
        "repository path. Only the download pod connects to it. Default: the AIFactory's mirror, if any.",
    )
    storage: StorageSpec = Field(description="The volume.")
    download: DownloadSpec = Field(default=DownloadSpec(), description="The pod that downloads.")


class ModelCache(Owner):
    """An object as read from the API server or a manifest.

    Raises:
        pydantic.ValidationError: from `model_validate`, with the path of each wrong field.
    """

    kind: ClassVar[str] = KIND
    spec: ModelCacheSpec
    status: ModelCacheStatus = ModelCacheStatus()

    checks = (name_check("Jobs and pods"),)
