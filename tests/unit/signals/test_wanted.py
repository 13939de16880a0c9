from dataclasses import replace

from aifactory.api.engine import Engine
from aifactory.runtimes import RUNTIMES
from aifactory.signals.objectives import Objective, Signal
from aifactory.signals.wanted import EVERYTHING, both, wanted

VLLM = RUNTIMES[Engine.VLLM].dialects[0]
OWN = replace(VLLM, running="my_running")
TTFT = Objective(Signal.TTFT, 0.5, 95)
TOKENS = Objective(Signal.THROUGHPUT, 1000)
CHAT, CODE = ("a", "chat"), ("b", "code")


def test_latencies_are_those_of_all_objectives() -> None:
    found = wanted([(CHAT, [TTFT, TOKENS], [VLLM]), (CODE, [replace(TTFT, signal=Signal.E2E)], [VLLM])])
    assert found.latencies == {Signal.TTFT, Signal.E2E}


def test_an_engine_is_read_for_all_services_at_once() -> None:
    assert wanted([(CHAT, [TTFT], [VLLM]), (CODE, [TTFT], [VLLM])]).dialects == {VLLM: None}


def test_names_from_specs_belong_to_the_services_that_brought_them() -> None:
    found = wanted([(CHAT, [TTFT], [OWN]), (CODE, [TTFT], [OWN])])
    assert found.dialects == {OWN: frozenset({CHAT, CODE})}


def test_everything_has_every_engine_and_keeps_what_specs_bring() -> None:
    found = both(EVERYTHING, wanted([(CHAT, [TTFT], [OWN])]))
    assert found.latencies == {Signal.TTFT, Signal.ITL, Signal.E2E}
    assert found.dialects[OWN] == frozenset({CHAT})
    assert all(dialect in found.dialects for runtime in RUNTIMES.values() for dialect in runtime.dialects)
