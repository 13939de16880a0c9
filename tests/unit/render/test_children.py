"""What the caller of render decides, and what nobody can override."""

import pytest
from aifactory.api.role import RoleName
from aifactory.render import OPTIONAL, render, resolved, url
from aifactory.runtimes import roles
from aifactory.signals.objectives import resolve


def deployment(service, replicas=1):
    return next(
        child
        for child in render(service, {RoleName.MODEL_SERVER: replicas}, served=())
        if child["kind"] == "Deployment"
    )


def pod_labels(service):
    return deployment(service)["spec"]["template"]["metadata"]["labels"]


@pytest.mark.parametrize("replicas", [0, 1, 7])
def test_replicas_are_the_callers(service, replicas):
    assert deployment(service(replicas=3), replicas)["spec"]["replicas"] == replicas


def test_pod_monitor_only_where_the_cluster_serves_it(service):
    with_monitor = render(service(), {}, served=OPTIONAL)
    without = render(service(), {}, served=())
    assert [child["kind"] for child in with_monitor if child not in without] == ["PodMonitor"]


def test_an_offline_manifest_has_no_owner(service):
    assert all("ownerReferences" not in child["metadata"] for child in render(service(uid=""), {}, served=OPTIONAL))


def test_users_labels_are_added_but_never_override(service):
    own = pod_labels(service())
    users = {key: "mine" for key in own if not key.startswith("aifactory.dev/")} | {"team": "search"}
    assert pod_labels(service(podTemplate={"labels": users})) == own | {"team": "search"}


def test_users_node_selector_does_not_change_the_product(service):
    chosen = service(
        accelerator={"product": "NVIDIA-H100"},
        podTemplate={"nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-A100", "pool": "gpu"}},
    )
    selector = deployment(chosen)["spec"]["template"]["spec"]["nodeSelector"]
    assert selector == {"nvidia.com/gpu.product": "NVIDIA-H100", "pool": "gpu"}


def test_no_node_is_ruled_out_unless_the_user_says_so(service):
    assert "nodeSelector" not in deployment(service())["spec"]["template"]["spec"]


def test_selector_does_not_depend_on_the_spec(service):
    selectors = [
        deployment(made)["spec"]["selector"]
        for made in (service(), service("nim"), service(podTemplate={"labels": {"a": "b"}}))
    ]
    assert selectors == [selectors[0]] * 3


@pytest.mark.parametrize(("engine", "path"), [("vllm", "/home/vllm"), ("vllm", "/tmp"), ("nim", "/opt/nim/.cache")])
def test_users_volume_takes_the_place_of_one_at_the_same_path(service, engine, path):
    claim = {"name": "mine", "mountPath": path, "persistentVolumeClaim": {"claimName": "mine"}}
    pod = deployment(service(engine, podTemplate={"volumes": [claim]}))["spec"]["template"]["spec"]
    (mount,) = (m for m in pod["containers"][0]["volumeMounts"] if m["mountPath"] == path)
    assert mount["name"] == "mine"
    assert len(pod["volumes"]) == len(pod["containers"][0]["volumeMounts"])


def test_users_variable_takes_the_place_of_the_engines(service):
    made = service(runtime={"env": [{"name": "HF_HOME", "value": "/mine"}]})
    variables = deployment(made)["spec"]["template"]["spec"]["containers"][0]["env"]
    assert [v["value"] for v in variables if v["name"] == "HF_HOME"] == ["/mine"]


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("vllm", "Always"),
        ("vllm:latest", "Always"),
        ("registry:5000/vllm", "Always"),
        ("registry:5000/vllm:v1", "IfNotPresent"),
        ("vllm@sha256:0123", "IfNotPresent"),
    ],
)
def test_only_moving_tags_are_pulled_each_time(service, image, policy):
    container = deployment(service(runtime={"image": image}))["spec"]["template"]["spec"]["containers"][0]
    assert (container["image"], container["imagePullPolicy"]) == (image, policy)


def test_a_single_replica_does_not_block_the_drain_of_its_node(service):
    budget = next(c for c in render(service(replicas=1), {}, served=()) if c["kind"] == "PodDisruptionBudget")
    assert budget["spec"]["maxUnavailable"] == 1
    assert "minAvailable" not in budget["spec"]
    assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_pods_may_call_out_to_fetch_models(service):
    policy = next(c for c in render(service(), {}, served=()) if c["kind"] == "NetworkPolicy")
    assert policy["spec"]["policyTypes"] == ["Ingress"]
    assert "egress" not in policy["spec"]


def test_url_is_that_of_the_rendered_service(service):
    found = next(child for child in render(service(), {}, served=()) if child["kind"] == "Service")
    assert url(service()) == f"http://{found['metadata']['name']}.{found['metadata']['namespace']}.svc"
    assert found["spec"]["ports"][0]["port"] == 80


def test_resolved_values_are_those_of_the_rendered_container(service):
    made = service("nim", runtime={"nimProfile": "abc"}, accelerator={"count": 2})
    container = deployment(made)["spec"]["template"]["spec"]["containers"][0]
    values = resolved(*roles(made), resolve(made.spec.slo))
    assert values.image == container["image"]
    assert values.command == []
    assert values.profile == "abc"
    assert values.accelerator == "nvidia.com/gpu: 2"
    assert values.probes == {
        name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "readiness", "liveness")
    }
    assert values.metrics_path == "/v1/metrics"
    assert values.objectives == {"timeToFirstToken": "p95 <= 500ms", "interTokenLatency": "p95 <= 50ms"}


def test_resolved_values_say_how_long_requests_of_an_offline_service_may_take(service):
    made = service(slo={"workload": "offline"})
    assert resolved(*roles(made), resolve(made.spec.slo)).objectives == {"completeWithin": "10m"}


def test_resolved_command_is_the_whole_command_line(service):
    made = service(model={"name": "meta/llama", "precision": "fp8"})
    container = deployment(made)["spec"]["template"]["spec"]["containers"][0]
    values = resolved(*roles(made), ())
    assert values.command == [*container["command"], *container["args"]]
    assert values.precision == "fp8"
