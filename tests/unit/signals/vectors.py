"""Instant vectors as Prometheus answers them."""

from typing import Any


def sample(value: str, **labels: str) -> dict[str, Any]:
    """One sample of service chat/llama unless labels say otherwise."""
    return {"metric": {"namespace": "chat", "inferenceservice": "llama", **labels}, "value": [1700000000.0, value]}


def buckets(counts: dict[str, str], **labels: str) -> list[dict[str, Any]]:
    return [sample(count, le=le, **labels) for le, count in counts.items()]
