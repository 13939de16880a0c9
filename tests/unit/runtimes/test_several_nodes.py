"""What engines are told when a replica has several pods."""

from collections.abc import Callable, Sequence
from typing import Any

import modelserver.commands
import modelserver.vllm
import pytest
from aifactory.api.engine import Engine
from aifactory.api.spec import InferenceServiceSpec
from aifactory.runtimes import RUNTIMES, ModelServer
from modelserver.settings import Settings, SettingsError

Parse = Callable[[Settings, Sequence[str]], Settings]
ENGINES = {"vllm": modelserver.vllm.serve, "sglang": modelserver.commands.sglang}
SIXTEEN = {"count": 8, "nodes": 2}


def server(engine: str, **accelerator: Any) -> ModelServer:
    spec = {"model": {"name": "served"}, "runtime": {"engine": engine}, "accelerator": accelerator}
    return RUNTIMES[Engine(engine)].server(InferenceServiceSpec.model_validate(spec))


def words(container: ModelServer, rank: int) -> list[str]:
    """The arguments of a pod once the kubelet has filled in its variables."""
    variables = {"$(AIFACTORY_LEADER_ADDRESS)": "chat-0-0.chat-nodes.team.svc", "$(AIFACTORY_NODE_RANK)": str(rank)}
    model = container.command[2:] if container.command[0] == "vllm" else ()
    filled = [*model, *container.args, *(container.worker_args if rank else ())]
    for name, value in variables.items():
        filled = [word.replace(name, value) for word in filled]
    return filled


@pytest.mark.parametrize(("engine", "parse"), ENGINES.items(), ids=ENGINES)
@pytest.mark.parametrize("rank", [0, 1])
def test_each_pod_knows_its_place_and_its_leader(engine: str, parse: Parse, rank: int) -> None:
    settings = parse(Settings(), words(server(engine, **SIXTEEN), rank))
    assert (settings.nodes, settings.rank, settings.gpus) == (2, rank, 8)
    assert (settings.leader, settings.rendezvous_port) == ("chat-0-0.chat-nodes.team.svc", 29500)


@pytest.mark.parametrize(("engine", "flag"), [("vllm", "--tensor-parallel-size"), ("sglang", "--tp-size")])
def test_all_gpus_of_a_replica_are_shared_out(engine: str, flag: str) -> None:
    assert f"{flag} 16" in " ".join(server(engine, **SIXTEEN).args)
    across = server(engine, **SIXTEEN, parallelism={"pipeline": 2, "expert": True})
    assert f"{flag} 8" in " ".join(across.args)


@pytest.mark.parametrize("engine", ENGINES)
def test_one_pod_alone_is_told_of_no_others(engine: str) -> None:
    assert not {"--nnodes", "--node-rank", "--headless"} & set(server(engine, count=8).args)


def test_a_worker_of_vllm_that_would_serve_as_well_is_refused_by_it() -> None:
    with pytest.raises(SettingsError, match="--headless"):
        modelserver.vllm.serve(
            Settings(), [word for word in words(server("vllm", **SIXTEEN), 1) if word != "--headless"]
        )
