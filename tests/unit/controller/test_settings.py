"""The operator is configured by environment variables."""

import pytest
from aifactory.cli import app
from aifactory.settings import Settings
from pydantic import ValidationError
from typer.testing import CliRunner


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(f"AIFACTORY_{name.upper()}", raising=False)


def test_all_namespaces_are_served_unless_some_are_named():
    assert Settings().namespaces == ()


def test_namespaces_are_separated_by_commas(monkeypatch):
    monkeypatch.setenv("AIFACTORY_NAMESPACES", "chat, agents,")
    assert Settings().namespaces == ("chat", "agents")


def test_labels_of_pod_monitors_are_pairs_separated_by_commas(monkeypatch):
    monkeypatch.setenv("AIFACTORY_MONITOR_LABELS", "release=prometheus, example.com/team=ml,")
    assert Settings().monitor_labels == {"release": "prometheus", "example.com/team": "ml"}


@pytest.mark.parametrize(
    ("text", "says"), [("release", "write key=value"), ("a b=c", "monitor_labels.a b"), ("a=b/", "monitor_labels.a")]
)
def test_what_is_no_label_is_refused_by_name(monkeypatch, text, says):
    monkeypatch.setenv("AIFACTORY_MONITOR_LABELS", text)
    with pytest.raises(ValidationError, match=says):
        Settings()


def test_numbers_are_read(monkeypatch):
    monkeypatch.setenv("AIFACTORY_TICK", "2.5")
    assert Settings().tick == 2.5


def test_a_value_out_of_bounds_is_refused_by_name(monkeypatch):
    monkeypatch.setenv("AIFACTORY_WORKERS", "0")
    with pytest.raises(ValidationError, match="workers"):
        Settings()


def test_a_wrong_log_level_is_refused_by_name(monkeypatch):
    monkeypatch.setenv("AIFACTORY_LOG_LEVEL", "LOUD")
    with pytest.raises(ValidationError, match="log_level"):
        Settings()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("TICK", "often", "must be a valid number, unable to parse string as a number, not 'often'"),
        ("WORKERS", "0", "must be greater than or equal to 1, not '0'"),
        ("MONITOR_LABELS", "release", "'release' is not a label; write key=value, with commas between several"),
    ],
)
def test_a_wrong_setting_ends_a_command_with_its_name_and_trouble(monkeypatch, name, text, said):
    monkeypatch.setenv(f"AIFACTORY_{name}", text)
    result = CliRunner().invoke(app, ["run"])
    assert (result.exit_code, result.output) == (2, f"error: AIFACTORY_{name}: {said}\n")
