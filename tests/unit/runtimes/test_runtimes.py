"""Every engine of the API has a runtime."""

from aifactory.api.engine import Engine
from aifactory.runtimes import RUNTIMES


def test_every_engine_can_be_rendered_and_read():
    assert RUNTIMES.keys() == set(Engine)
    assert all(runtime.dialects for engine, runtime in RUNTIMES.items() if engine is not Engine.CUSTOM)
