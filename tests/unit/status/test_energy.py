"""What a status says of power, and of what a watt gives."""

from typing import Any

from aifactory.api.coststatus import EnergyStatus
from aifactory.api.factory import NOTHING
from aifactory.signals.readings import Reading, State
from aifactory.status.report import dump, steady

from tests.unit.factory.scene import CATALOGUE, GPU, H100
from tests.unit.status.scene import Life, pod, readings, serving, workload

SERVICE = {"accelerator": {"product": H100, "count": 2}}
HELD = {"devices": ((GPU, 2),), "product": H100}


def rates(prompt: float, output: float) -> Any:
    return readings(prompt_tokens=Reading(prompt, State.OK), generation_tokens=Reading(output, State.OK))


def seen(life: Life, *pods: Any, **more: Any) -> EnergyStatus | None:
    return life.look(workload(1), *(pods or serving(**HELD)), **({"factory": CATALOGUE} | more)).energy


def test_measured_power_and_tokens_for_each_watt() -> None:
    found = seen(Life(**SERVICE), readings=rates(2000.0, 500.0), watts={"llama-1": 1250.4})
    assert dump(found) == {"basis": "Measured", "watts": "1250", "tokensPerWatt": "2.00"}


def test_rated_power_where_nobody_measures() -> None:
    found = seen(Life(**SERVICE), readings=rates(2000.0, 500.0))
    assert dump(found) == {"basis": "Rated", "watts": "1400", "tokensPerWatt": "1.79"}


def test_gpus_that_load_or_idle_draw_power_for_no_token() -> None:
    for pods, read in (((pod(**HELD),), rates(2000.0, 500.0)), ((), rates(0.0, 0.0))):
        found = seen(Life(**SERVICE), *pods, readings=read, watts={"llama-1": 180.0})
        assert dump(found) == {"basis": "Measured", "watts": "180"}


def test_power_that_nobody_knows_is_not_shown() -> None:
    assert seen(Life(), readings=rates(2000.0, 500.0), factory=NOTHING) is None


def test_noise_writes_nothing_and_a_change_is_written() -> None:
    life = Life(**SERVICE)
    before = seen(life, readings=rates(2000.0, 500.0), watts={"llama-1": 1250.0})
    assert seen(life, readings=rates(2010.0, 500.0), watts={"llama-1": 1210.0}) == before
    after = seen(life, readings=rates(2010.0, 500.0), watts={"llama-1": 1000.0})
    assert dump(after) == {"basis": "Measured", "watts": "1000", "tokensPerWatt": "2.51"}


def test_power_that_begins_to_be_measured_is_what_is_measured() -> None:
    life = Life(**SERVICE)
    seen(life, readings=rates(0.0, 0.0))
    found = seen(life, readings=rates(0.0, 0.0), watts={"llama-1": 1390.0})
    assert dump(found) == {"basis": "Measured", "watts": "1390"}


def test_a_restart_of_the_operator_keeps_what_was_measured() -> None:
    life = Life(**SERVICE)
    before = seen(life, readings=rates(2000.0, 500.0), watts={"llama-1": 1250.0})
    assert seen(life) == before


def test_energy_is_a_live_number() -> None:
    life = Life(**SERVICE)
    seen(life, readings=rates(2000.0, 500.0), watts={"llama-1": 1250.0})
    before = steady(dump(life.status))
    seen(life, readings=rates(2000.0, 500.0), watts={"llama-1": 800.0})
    assert steady(dump(life.status)) == before
