"""Services of engine dynamo, whole and split."""

from typing import Any

from tests.bad_objects import Bad

from .specs import of_engine

_DISAGGREGATED: dict[str, Any] = {"topology": {"disaggregated": {}}}

DYNAMO = (
    Bad(
        "Dynamo's parts with vLLM", {"runtime": {"dynamo": {}}}, path="spec.runtime.dynamo", says="only runtime.engine"
    ),
    Bad("vLLM split in two", _DISAGGREGATED, path="spec.topology.disaggregated", says="only runtime.engine dynamo"),
    Bad(
        "an unknown backend",
        of_engine("dynamo", runtime={"dynamo": {"backend": "tgi"}}),
        path="spec.runtime.dynamo.backend",
        says="'trtllm' or 'mocker'",
        server_says='"trtllm", "mocker"',
    ),
    Bad(
        "no frontend",
        of_engine("dynamo", runtime={"dynamo": {"frontendReplicas": 0}}),
        path="spec.runtime.dynamo.frontendReplicas",
        says="greater than or equal to 1",
    ),
    Bad(
        "replicas of a service that is split",
        of_engine("dynamo", replicas=2, **_DISAGGREGATED),
        path="spec.topology.disaggregated",
        says="not of the service",
    ),
    Bad(
        "scaling of a service that is split",
        of_engine("dynamo", scaling={"maxReplicas": 2}, **_DISAGGREGATED),
        path="spec.topology.disaggregated",
        says="not of the service",
    ),
    Bad(
        "replicas and scaling of decode",
        of_engine("dynamo", topology={"disaggregated": {"decode": {"replicas": 2, "scaling": {"maxReplicas": 4}}}}),
        path="spec.topology.disaggregated.decode.replicas",
        says="not both",
    ),
    Bad(
        "no prefill",
        of_engine("dynamo", topology={"disaggregated": {"prefill": {"replicas": 0}}}),
        path="spec.topology.disaggregated.prefill.replicas",
        says="greater than or equal to 1",
    ),
    Bad(
        "prefill across nodes",
        of_engine("dynamo", topology={"disaggregated": {"prefill": {"accelerator": {"nodes": 2}}}}),
        path="spec.topology.disaggregated.prefill.accelerator",
        says="GPUs of one node",
    ),
    Bad(
        "two models with Dynamo",
        of_engine("dynamo", runtime={"args": ["--model-path=/other"]}),
        path="spec.runtime.args",
        says="follow",
    ),
    *(
        Bad(
            f"{part} that does something else",
            of_engine("dynamo", topology={"disaggregated": {part: {"args": ["--disaggregation-mode", "agg"]}}}),
            path=f"spec.topology.disaggregated.{part}.args",
            says="follow",
        )
        for part in ("prefill", "decode")
    ),
    Bad(
        "a canary of Dynamo",
        of_engine("dynamo", rollout={"canary": {"steps": ["50%"]}}),
        path="spec.rollout.canary",
        says="only runtime.engine",
    ),
    Bad(
        "another place to look for workers",
        of_engine("dynamo", runtime={"env": [{"name": "DYN_DISCOVERY_BACKEND", "value": "etcd"}]}),
        path="spec.runtime.env",
        says="must not set",
    ),
)
