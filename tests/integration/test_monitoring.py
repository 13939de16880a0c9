"""Prometheus itself accepts the alert rules and every query of the dashboard, and the alerts fire when they should."""

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.e2e.waiting import PATIENCE
from tests.kind import binaries
from tests.kind.paths import ROOT
from tests.unit.manifests.monitoring import dashboard_queries, rule_groups

RULE_TESTS = Path(__file__).parent / "monitoring" / "rules_test.yaml"


@pytest.fixture(scope="module")
def promtool() -> Path:
    return binaries.ensure_prometheus("promtool")


def run(*command: str | Path) -> tuple[int, str]:
    """Exit status and everything that was said."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=PATIENCE)
    return done.returncode, done.stdout + done.stderr


def write(path: Path, groups: list[dict]) -> Path:
    path.write_text(yaml.safe_dump({"groups": groups}))
    return path


def test_prometheus_accepts_the_rules(promtool: Path, tmp_path: Path) -> None:
    rules = write(tmp_path / "rules.yaml", rule_groups())
    status, said = run(promtool, "check", "rules", "--lint=all", "--lint-fatal", rules)
    assert status == 0, said


def test_prometheus_accepts_the_configuration_that_is_installed(promtool: Path) -> None:
    status, said = run(promtool, "check", "config", "--syntax-only", ROOT / "manifests/prometheus/prometheus.yml")
    assert status == 0, said


def test_alerts_fire_when_they_should_and_only_then(promtool: Path, tmp_path: Path) -> None:
    """Annotations are left out: promtool would have them repeated word for word."""
    groups = rule_groups()
    for rule in (rule for group in groups for rule in group["rules"]):
        rule.pop("annotations", None)
    write(tmp_path / "rules.yaml", groups)
    (tmp_path / RULE_TESTS.name).write_text(RULE_TESTS.read_text())
    status, said = run(promtool, "test", "rules", tmp_path / RULE_TESTS.name)
    assert status == 0, said


def test_every_alert_is_seen_firing() -> None:
    tests = yaml.safe_load(RULE_TESTS.read_text())["tests"]
    fired = {each["alertname"] for test in tests for each in test["alert_rule_test"] if each["exp_alerts"]}
    assert fired == {rule["alert"] for group in rule_groups() for rule in group["rules"] if "alert" in rule}


def test_prometheus_understands_every_query_of_the_dashboard(promtool: Path, tmp_path: Path) -> None:
    queries = [{"record": f"query:{number}", "expr": expr} for number, expr in enumerate(dashboard_queries())]
    rules = write(tmp_path / "dashboard.yaml", [{"name": "dashboard", "rules": queries}])
    status, said = run(promtool, "check", "rules", "--lint=none", rules)
    assert status == 0, said
    assert f"{len(queries)} rules found" in said
