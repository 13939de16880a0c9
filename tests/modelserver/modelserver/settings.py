"""What a simulated server is made of: a preset, then MODELSERVER_* variables, then flags or the engine's own contract.

Every field of `Settings` but those of the engine's own contract can be set by the variable MODELSERVER_<FIELD> and by
the flag --<field> of `python3 -m modelserver`.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from aifactory.simulate.engine.batching import Limits, Timing
from aifactory.simulate.engine.models import ENGINES

from .surface import SURFACES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_DEMO, _VLLM_CPU = ENGINES["demo"], ENGINES["vllm-cpu"]
DIALECTS = ("auto", *SURFACES)
PREFIX = "MODELSERVER_"


class SettingsError(ValueError):
    """A setting cannot be used; the message names it and says what would do."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One server. Durations are seconds, powers are watts, sizes are tokens or sequences.

    `dialect` auto means nim2 where NIM_* variables are set and vllm elsewhere. Metrics and health
    are on the API's port unless `metrics_port` and `health_port` are set. `adapters` are names that requests may ask
    for beside the model. `edges` are those of the histograms of first_token, interval and latency, in seconds, that are
    not the engine's own. With several `nodes` the one of `rank` 0
    serves and the others work for it; they find it at `leader` and `rendezvous_port`.
    """

    dialect: str = "auto"
    model: str = "simulated"
    host: str = "0.0.0.0"
    port: int = 8000
    startup_seconds: float = 3.0
    shutdown_timeout: float = 0.0
    base_seconds: float = _DEMO.timing.base
    decode_seconds: float = _DEMO.timing.per_decode
    prefill_seconds: float = _DEMO.timing.per_prefill_token
    kv_seconds: float = _DEMO.timing.per_kv_token
    max_num_seqs: int = _DEMO.limits.max_num_seqs
    max_num_batched_tokens: int = _DEMO.limits.max_num_batched_tokens
    kv_tokens: int = _DEMO.limits.kv_tokens
    block_size: int = _DEMO.limits.block_size
    answer_tokens: int = 128
    gpus: int = 1
    idle_watts: float = 90.0
    full_watts: float = 700.0
    faults: bool = False
    cache_path: str = ""
    profile: str = ""
    metrics_port: int = 0
    health_port: int = 0
    adapters: tuple[str, ...] = ()
    edges: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    nodes: int = 1
    rank: int = 0
    leader: str = ""
    rendezvous_port: int = 29501

    @property
    def timing(self) -> Timing:
        return Timing(self.base_seconds, self.decode_seconds, self.prefill_seconds, self.kv_seconds)

    @property
    def limits(self) -> Limits:
        return Limits(self.max_num_seqs, self.max_num_batched_tokens, self.kv_tokens, self.block_size)


SPEEDS: dict[str, dict[str, Any]] = {
    "demo": {},
    "instant": {
        "startup_seconds": 0.0, "base_seconds": 0.001, "decode_seconds": 0.0, "prefill_seconds": 0.0, "kv_seconds": 0.0,
    },
    "vllm-cpu": {
        "base_seconds": _VLLM_CPU.timing.base,
        "decode_seconds": _VLLM_CPU.timing.per_decode,
        "prefill_seconds": _VLLM_CPU.timing.per_prefill_token,
        "kv_seconds": _VLLM_CPU.timing.per_kv_token,
        "max_num_seqs": _VLLM_CPU.limits.max_num_seqs,
        "max_num_batched_tokens": _VLLM_CPU.limits.max_num_batched_tokens,
        "kv_tokens": _VLLM_CPU.limits.kv_tokens,
    },
}  # fmt: skip
"""Named speeds. `demo`, the default, serves 5 requests/s of 64 prompt and 32 output tokens within 500 ms and 50 ms."""

CONTRACT = frozenset({
    "model", "port", "cache_path", "profile", "metrics_port", "health_port", "adapters", "edges",
    "nodes", "rank", "leader", "rendezvous_port",
})  # fmt: skip
"""Fields that have one source, the engine's own command line or variables, and no MODELSERVER_ variable."""

POSITIVE = ("max_num_seqs", "max_num_batched_tokens", "kv_tokens", "block_size", "answer_tokens", "gpus")


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Read MODELSERVER_* variables. Raises SettingsError on an unknown one or a value of the wrong kind.

    Variables that Kubernetes injects for a Service called `modelserver` (..._SERVICE_..., ..._PORT...) are passed over.
    """
    texts = {
        name.removeprefix(PREFIX).lower(): text
        for name, text in environment.items()
        if name.startswith(PREFIX) and "_SERVICE_" not in name and "_PORT" not in name
    }
    speed = texts.pop("speed", "demo")
    return checked(_assign(_at_speed(speed), texts, lambda field: f"{PREFIX}{field.upper()}"))


def from_flags(settings: Settings, arguments: Iterable[str]) -> Settings:
    """Lay the flags of `python3 -m modelserver` over the settings. Exits with usage on an unknown flag."""
    parser = argparse.ArgumentParser(prog="modelserver", allow_abbrev=False, description=__doc__)
    parser.add_argument("--speed", choices=sorted(SPEEDS), help="a preset that the other flags refine")
    for one in (one for one in fields(Settings) if one.name not in {"adapters", "edges"}):
        parser.add_argument(f"--{one.name.replace('_', '-')}", metavar="VALUE", help=f"default {one.default!r}")
    texts = {name: text for name, text in vars(parser.parse_args(list(arguments))).items() if text is not None}
    if speed := texts.pop("speed", None):
        settings = replace(settings, **SPEEDS[speed])
    return checked(_assign(settings, texts, lambda field: f"--{field.replace('_', '-')}", frozenset()))


def checked(settings: Settings) -> Settings:
    """The same settings, or SettingsError naming the first field out of range."""
    if settings.dialect not in DIALECTS:
        raise SettingsError(f"dialect {settings.dialect!r} is unknown: use one of {', '.join(DIALECTS)}")
    for name in POSITIVE:
        if getattr(settings, name) < 1:
            raise SettingsError(f"{name} must be at least 1, not {getattr(settings, name)}")
    if settings.rank >= settings.nodes:
        raise SettingsError(f"rank must be below nodes, {settings.nodes}, not {settings.rank}")
    if settings.nodes > 1 and not settings.leader:
        raise SettingsError("several nodes need the address of the first one")
    for one in fields(Settings):
        if one.type == "float" and getattr(settings, one.name) < 0:
            raise SettingsError(f"{one.name} must not be negative, not {getattr(settings, one.name)}")
    return settings


def _at_speed(speed: str) -> Settings:
    if speed not in SPEEDS:
        raise SettingsError(f"{PREFIX}SPEED {speed!r} is unknown: use one of {', '.join(sorted(SPEEDS))}")
    return replace(Settings(), **SPEEDS[speed])


def _assign(
    settings: Settings, texts: Mapping[str, str], spell: Callable[[str], str], contract: frozenset[str] = CONTRACT
) -> Settings:
    kinds = {one.name: one.type for one in fields(Settings) if one.name not in contract}
    changes: dict[str, Any] = {}
    for name, text in texts.items():
        if name not in kinds:
            raise SettingsError(f"{spell(name)} is not a setting: use one of {', '.join(sorted(kinds))}")
        changes[name] = _parse(spell(name), str(kinds[name]), text)
    return replace(settings, **changes)


def _parse(spelling: str, kind: str, text: str) -> object:
    if kind == "bool":
        if text.lower() not in {"0", "1", "true", "false"}:
            raise SettingsError(f"{spelling} must be 0 or 1, not {text!r}")
        return text.lower() in {"1", "true"}
    parse = {"int": int, "float": float, "str": str}[kind]
    try:
        return parse(text)
    except ValueError as error:
        raise SettingsError(f"{spelling} must be a number ({kind}), not {text!r}") from error
