"""What a change would do can be read before it is made: in `status.plan`, and from `aifactory diff`."""

from pathlib import Path

import yaml

from .commands import aifactory
from .service import CHILDREN, Object, Service


def diff(kubeconfig: Path, manifest: Object, file: Path) -> tuple[int, str]:
    """Exit code and output of `aifactory diff` for a manifest."""
    file.write_text(yaml.safe_dump(manifest))
    return aifactory(kubeconfig, "diff", "-f", str(file))


def test_a_planned_service_lists_what_it_would_add(service: Service) -> None:
    service.apply({"mode": "Plan", "replicas": 2, "accelerator": {"count": 4}})
    plan = service.wait("a plan", lambda: service.status().get("plan"))
    assert {change["action"] for change in plan["changes"]} == {"Add"}
    assert len(plan["changes"]) == len(CHILDREN)
    assert (plan["replicas"], plan["gpus"]) == ({"from": 0, "to": 2}, {"from": 0, "to": 8})


def test_a_change_in_mode_plan_is_listed_and_made_in_mode_active(service: Service) -> None:
    service.become_ready()
    before = service.deployment()["metadata"]["resourceVersion"]
    service.apply({"mode": "Plan", "replicas": 3, "runtime": {"image": "vllm/vllm-openai:next"}})
    plan = service.wait("a plan", lambda: service.status().get("plan"))
    (change,) = plan["changes"]
    assert (change["action"], change["object"]) == ("Change", f"Deployment/{service.name}")
    assert any(field.endswith(" -> vllm/vllm-openai:next") for field in change["fields"])
    assert plan["replicas"] == {"from": 1, "to": 3}
    assert service.deployment()["metadata"]["resourceVersion"] == before

    service.apply({"replicas": 3, "runtime": {"image": "vllm/vllm-openai:next"}})
    service.wait("the change is made", lambda: service.container()["image"] == "vllm/vllm-openai:next")
    service.wait("the plan is gone", lambda: "plan" not in service.status())


def test_diff_shows_what_applying_would_change_and_nothing_after_it(
    service: Service, kubeconfig: Path, tmp_path: Path
) -> None:
    new = diff(kubeconfig, service.manifest(), tmp_path / "chat.yaml")
    assert new[0] == 1, new
    assert f"+ Deployment/{service.name}" in new[1]
    assert "replicas 0 -> 1, GPUs 0 -> 1" in new[1]

    service.become_ready()
    title = f"InferenceService {service.namespace}/{service.name}"
    assert diff(kubeconfig, service.manifest(), tmp_path / "chat.yaml") == (0, f"{title}: no changes\n")

    code, shown = diff(kubeconfig, service.manifest({"accelerator": {"count": 2}}), tmp_path / "chat.yaml")
    assert code == 1
    assert f"~ Deployment/{service.name}" in shown
    assert "resources.limits.nvidia.com/gpu: 1 -> 2" in shown
    assert "GPUs 1 -> 2" in shown


def test_diff_without_a_cluster_says_what_to_set(service: Service, tmp_path: Path) -> None:
    code, shown = diff(tmp_path / "none", service.manifest(), tmp_path / "chat.yaml")
    assert code == 2, shown
    assert "set KUBECONFIG" in shown
