"""`spec.runtime.dynamo`: what engine dynamo is made of."""

from enum import StrEnum

from pydantic import Field

from .meta import Model


class Backend(StrEnum):
    """The program that computes, behind Dynamo's frontend."""

    VLLM = "vllm"
    SGLANG = "sglang"
    TRTLLM = "trtllm"
    MOCKER = "mocker"


class Router(StrEnum):
    """How a frontend chooses a worker."""

    ROUND_ROBIN = "round-robin"
    RANDOM = "random"
    LEAST_LOADED = "least-loaded"
    KV = "kv"


class DynamoSpec(Model):
    """Frontends and workers of NVIDIA Dynamo."""

    backend: Backend = Field(
        default=Backend.VLLM,
        description="Program of the workers. mocker computes nothing and answers at a model's pace: to try a topology.",
    )
    router: Router = Field(
        default=Router.ROUND_ROBIN,
        description="How a worker is chosen; kv: the one that has most of the prompt in its cache and least to do.",
    )
    frontend_replicas: int = Field(default=1, ge=1, le=64, description="Pods that take requests; they need no GPU.")
