"""What manifests/monitoring asks of Prometheus."""

import json
import re
from pathlib import Path
from typing import Any

import yaml
from aifactory.telemetry.metrics import Metrics

MONITORING = Path(__file__).parents[3] / "manifests" / "monitoring"
_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}
_NOT_A_NAME = re.compile(r'"[^"]*"|\{[^}]*\}|\[[^]]*\]|\b(?:by|on|without|ignoring|group_left|group_right) *\([^)]*\)')
_NAME = re.compile(r"(?<![\w:.])[a-zA-Z_:][\w:]*(?! *\()\b(?![\w:]| *\()")
_OPERATORS = {"and", "or", "unless"}


def rule_groups() -> list[dict[str, Any]]:
    """The groups of the PrometheusRule."""
    return list(yaml.safe_load((MONITORING / "prometheusrule.yaml").read_text())["spec"]["groups"])


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana imports it."""
    return dict(json.loads((MONITORING / "dashboard.json").read_text()))


def dashboard_queries() -> list[str]:
    """Each query once, with Grafana's interval filled in."""
    found = [target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", [])]
    return [expr.replace("$__rate_interval", "5m") for expr in dict.fromkeys(found)]


def metrics_in(expr: str) -> set[str]:
    """Names of the metrics that a query reads."""
    return set(_NAME.findall(_NOT_A_NAME.sub("", expr))) - _OPERATORS


def exported() -> set[str]:
    """Names of all series that the operator exports."""
    metrics = Metrics()
    metrics.watch_queue(lambda: 0, lambda: 0.0)
    metrics.watch_services(dict)
    metrics.watch_caches(dict)
    return {family.name + suffix for family in metrics.registry.collect() for suffix in _SUFFIXES[family.type]}
