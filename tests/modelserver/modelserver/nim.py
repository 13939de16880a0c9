"""The container contract of NIM for LLMs: NIM_* variables in, a written cache out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .settings import SettingsError, checked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .settings import Settings

MARKERS = ("NIM_SERVED_MODEL_NAME", "NIM_MODEL_NAME", "NIM_CACHE_PATH", "NIM_SERVER_PORT", "NIM_HTTP_API_PORT")


def is_nim(environment: Mapping[str, str]) -> bool:
    """Whether the variables are those of a NIM container."""
    return any(name in environment for name in MARKERS)


def from_environment(settings: Settings, environment: Mapping[str, str]) -> Settings:
    """Lay NIM_* variables over the settings. NIM_SERVER_PORT wins over its 1.x name NIM_HTTP_API_PORT."""
    model = environment.get("NIM_SERVED_MODEL_NAME") or environment.get("NIM_MODEL_NAME") or settings.model
    parallel = _integer(environment, "NIM_TENSOR_PARALLEL_SIZE", 1) * _integer(
        environment, "NIM_PIPELINE_PARALLEL_SIZE", 1
    )
    return checked(
        replace(
            settings,
            dialect="nim2" if settings.dialect == "auto" else settings.dialect,
            model=model.split(",")[0],
            port=_integer(environment, "NIM_SERVER_PORT", _integer(environment, "NIM_HTTP_API_PORT", 8000)),
            gpus=parallel,
            cache_path=environment.get("NIM_CACHE_PATH", "/opt/nim/.cache"),
            profile=environment.get("NIM_MODEL_PROFILE", "auto"),
            health_port=_integer(environment, "NIM_HEALTH_PORT", 0),
            adapters=_adapters(environment.get("NIM_PEFT_SOURCE", "")),
        )
    )


def write_cache(settings: Settings) -> None:
    """Leave the chosen profile in the cache, as a download would. Raises SettingsError if that fails."""
    path = Path(settings.cache_path) / "modelserver.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"model": settings.model, "profile": settings.profile}), encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"NIM_CACHE_PATH {settings.cache_path} cannot be written ({error.strerror}): "
            "mount a volume there that the container's user owns"
        ) from error


def _adapters(folder: str) -> tuple[str, ...]:
    """Every folder in it is an adapter."""
    return tuple(sorted(path.name for path in Path(folder).iterdir() if path.is_dir())) if folder else ()


def _integer(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name)
    if not text:
        return default
    if not text.isdecimal() or int(text) < 1:
        raise SettingsError(f"{name} must be a positive integer, not {text!r}")
    return int(text)
