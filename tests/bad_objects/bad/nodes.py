"""Replicas of several pods."""

from typing import Any

from tests.bad_objects import Bad

from .specs import of_engine


def _nodes(nodes: int = 2, **accelerator: Any) -> dict[str, Any]:
    return {"accelerator": {"nodes": nodes, **accelerator}}


GROUPS = (
    Bad("no node", _nodes(0), path="spec.accelerator.nodes", says="greater than or equal to 1"),
    Bad("65 nodes", _nodes(65), path="spec.accelerator.nodes", says="less than or equal to 64"),
    *(
        Bad(
            f"two nodes for {engine}",
            of_engine(engine, **_nodes()),
            path="spec.accelerator.nodes",
            says="only runtime.engine vllm, sglang or custom can span nodes",
        )
        for engine in ("nim", "trtllm", "triton", "llamacpp", "dynamo")
    ),
    Bad(
        "a long name for a replica of two pods",
        _nodes(),
        name="a" * 39,
        path="metadata.name",
        says="at most 38 characters",
    ),
    Bad(
        "a rack for one pod",
        _nodes(1, topology={"key": "nvidia.com/gpu.clique"}),
        path="spec.accelerator.topology",
        says="set nodes above 1",
    ),
    Bad(
        "a rack without a key",
        _nodes(topology={}),
        path="spec.accelerator.topology.key",
        says="required",
        server_says="Required",
    ),
    Bad(
        "a rack by a label with a space",
        _nodes(topology={"key": "my rack"}),
        path="spec.accelerator.topology.key",
        says="must match pattern",
        server_says="should match",
    ),
    Bad(
        "an NVLink domain for one pod",
        _nodes(1, computeDomain={"resourceClaimTemplate": "channel"}),
        path="spec.accelerator.computeDomain",
        says="set nodes above 1",
    ),
    Bad(
        "an NVLink domain without a template",
        _nodes(computeDomain={}),
        path="spec.accelerator.computeDomain.resourceClaimTemplate",
        says="required",
        server_says="Required",
    ),
    Bad(
        "three groups on two nodes of two GPUs",
        _nodes(count=2, parallelism={"pipeline": 3}),
        path="spec.accelerator.count",
        says="count x nodes must be a multiple",
    ),
    Bad(
        "data parallelism across nodes with SGLang",
        of_engine("sglang", **_nodes(parallelism={"data": 2})),
        path="spec.accelerator.parallelism.data",
        says="no data parallelism across nodes",
    ),
    Bad(
        "a canary of two pods",
        {**_nodes(), "rollout": {"canary": {"steps": ["25%"]}}},
        path="spec.rollout.canary",
        says="with replicas of one pod only",
    ),
    Bad("a second rank for vLLM", {"runtime": {"args": ["--node-rank", "1"]}}, path="spec.runtime.args", says="follow"),
    Bad(
        "a second leader for SGLang",
        of_engine("sglang", runtime={"args": ["--dist-init-addr=10.0.0.1:5000"]}),
        path="spec.runtime.args",
        says="follow",
    ),
    Bad(
        "a variable of the group",
        {"runtime": {"env": [{"name": "AIFACTORY_NODE_RANK", "value": "0"}]}},
        path="spec.runtime.env",
        says="follow other fields",
    ),
)
