"""How far downloads are, from answers of Prometheus."""

import pytest
from aifactory.signals.downloads import DownloadReading, build, numbers, readings

KEY = ("chat", "weights")


def sample(value: str, **labels: str) -> dict[str, object]:
    return {"metric": {"namespace": "chat", "modelcache": "weights", **labels}, "value": [0, value]}


def test_all_downloads_are_asked_for_at_once_and_never_by_name() -> None:
    asked = build(60)
    assert asked["bytes"] == 'max by (namespace, modelcache) (aifactory_download_bytes{modelcache!=""})'
    assert "rate(aifactory_download_bytes" in asked["speed"]
    assert "[60s]" in asked["speed"]


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-1", "many"])
def test_what_is_no_count_is_not_known(value: str) -> None:
    assert numbers([sample(value)]) == {}


def test_samples_without_their_labels_are_left_out() -> None:
    assert numbers([{"metric": {}, "value": [0, "1"]}, {"value": [0, "1"]}, sample("5")]) == {KEY: 5.0}


def test_something_else_than_a_vector_is_an_error() -> None:
    with pytest.raises(ValueError, match="list of samples"):
        numbers({"a": 1})


def test_a_reading_holds_what_is_known() -> None:
    found = readings({"bytes": {KEY: 10.0}, "speed": {("chat", "other"): 2.5}})
    assert found == {KEY: DownloadReading(bytes=10), ("chat", "other"): DownloadReading(speed=2.5)}
