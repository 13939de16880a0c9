from collections.abc import Callable
from typing import Any

import pytest
from aifactory.api.inferenceservice import InferenceService


@pytest.fixture
def service() -> Callable[..., InferenceService]:
    """Build a service from fields of its spec."""

    def build(engine: str = "vllm", uid: str = "uid-1", runtime: Any = None, **spec: Any) -> InferenceService:
        return InferenceService.model_validate(
            {
                "metadata": {"name": "llama", "namespace": "chat", "uid": uid},
                "spec": {"model": {"name": "meta/llama"}, "runtime": {"engine": engine, **(runtime or {})}, **spec},
            }
        )

    return build
