"""Alerts and the dashboard read series that exist, and say what to do."""

from itertools import combinations
from typing import Any

import pytest
import yaml
from aifactory.api.conditions import ConditionType, Reason
from aifactory.signals.objectives import LATENCIES, Signal

from tests.unit.manifests.monitoring import (
    MONITORING,
    dashboard,
    dashboard_queries,
    exported,
    metrics_in,
    rule_groups,
)

RULES = [rule for group in rule_groups() for rule in group["rules"]]
ALERTS = [rule for rule in RULES if "alert" in rule]
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
PANELS = dashboard()["panels"]
CHARTS = [panel for panel in PANELS if panel["type"] != "row"]
EXPRESSIONS = [*(rule["expr"] for rule in RULES), *dashboard_queries()]


def named(label: str, expr: str) -> set[str]:
    """Values of a label that a query asks for."""
    parts = [part.strip() for part in expr.replace("{", ",").replace("}", ",").split(",")]
    texts = [part.partition("=")[2].lstrip("~").strip('"') for part in parts if part.startswith(f"{label}=")]
    return {value for text in texts for value in text.split("|")}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_says_how_bad_it_is_what_is_and_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"critical", "warning"}
    assert {"summary", "description", "action"} == set(alert["annotations"])
    assert all(len(text) > 15 for text in alert["annotations"].values())
    assert alert["for"]


@pytest.mark.parametrize("expr", EXPRESSIONS)
def test_a_query_reads_only_series_that_exist(expr: str) -> None:
    assert metrics_in(expr)
    assert metrics_in(expr) <= exported() | RECORDED


@pytest.mark.parametrize("expr", EXPRESSIONS)
def test_a_query_asks_only_for_conditions_reasons_and_objectives_that_exist(expr: str) -> None:
    assert named("condition", expr) <= set(ConditionType)
    assert named("reason", expr) <= set(Reason)
    assert named("objective", expr) <= set(Signal)


def test_the_gauges_of_a_service_are_all_shown() -> None:
    gauges = {name for name in exported() if name.startswith("aifactory_service_")}
    shown = {name for expr in dashboard_queries() for name in metrics_in(expr)}
    assert gauges <= shown


SIDE_BY_SIDE = [
    *(("objective_observed", "objective_target", f'objective="{name}"') for name in (*LATENCIES, Signal.THROUGHPUT)),
    *(("slo_attainment", "slo_goal", f'window="{window}"') for window in ("5m", "1h")),
    ("signal_ratio", "signal_threshold", ""),
    ("signal_value", "signal_target", 'signal="backlog"'),
    ("requests", "signal_target", 'signal="waitingRequests"'),
    ("kv_cache_usage", "signal_target", 'signal="kvCacheUsage"'),
    ("load_tokens_per_second", "capacity_tokens_per_second", ""),
    ("load_tokens_per_second", "forecast_tokens_per_second", 'bound="upper"'),
]


@pytest.mark.parametrize(("seen", "target", "labels"), SIDE_BY_SIDE)
def test_what_is_seen_stands_in_one_panel_with_what_it_is_held_against(seen: str, target: str, labels: str) -> None:
    both = {f"aifactory_service_{seen}", f"aifactory_service_{target}"}
    queries = [[query["expr"] for query in panel["targets"]] for panel in CHARTS]
    found = [exprs for exprs in queries if both <= {name for expr in exprs for name in metrics_in(expr)}]
    assert any(labels in expr for exprs in found for expr in exprs)


@pytest.mark.parametrize("state", ["desired", "ready", "pending", "unschedulable"])
def test_replicas_of_every_state_are_in_one_panel(state: str) -> None:
    (panel,) = (panel for panel in CHARTS if panel["title"] == "Replicas")
    assert any(f'state="{state}"' in target["expr"] for target in panel["targets"])


def test_panels_have_ids_of_their_own() -> None:
    ids = [panel["id"] for panel in PANELS]
    assert len(set(ids)) == len(ids)


def test_panels_lie_side_by_side_within_the_page() -> None:
    places = [panel["gridPos"] for panel in PANELS]
    assert all(place["x"] >= 0 and place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above


@pytest.mark.parametrize("panel", CHARTS, ids=lambda panel: panel["title"])
def test_a_panel_explains_itself_and_reads_the_chosen_prometheus(panel: dict[str, Any]) -> None:
    assert panel["description"]
    sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
    assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)


def test_the_dashboard_can_be_narrowed_to_a_service() -> None:
    assert dashboard()["schemaVersion"] >= 39
    variables = {variable["name"] for variable in dashboard()["templating"]["list"]}
    assert variables == {"datasource", "namespace", "service"}
    for expr in dashboard_queries():
        if "aifactory_service_" in expr:
            assert 'namespace=~"$namespace", inferenceservice=~"$service"' in expr


def test_the_labels_of_a_service_are_not_those_of_the_operators_pod() -> None:
    (endpoint,) = yaml.safe_load((MONITORING / "podmonitor.yaml").read_text())["spec"]["podMetricsEndpoints"]
    scrapes = yaml.safe_load((MONITORING.parent / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    (job,) = [scrape for scrape in scrapes if scrape["job_name"] == "aifactory-operator"]
    assert endpoint["honorLabels"] is True
    assert job["honor_labels"] is True
