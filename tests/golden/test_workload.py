"""What a user of any service can rely on."""

import re

import pytest
from aifactory.render.quantity import canonical


def test_children_come_in_the_order_to_apply_them(case):
    found = ["Service", "Role", "RoleBinding"] if case.role.discovery else []
    whole = ["Service", *found] if case.first else []
    kinds = [*whole, "ServiceAccount", "NetworkPolicy", "PodDisruptionBudget", "Deployment", "PodMonitor"]
    expose = case.service.spec.expose if case.first else None
    way_in = [] if expose is None else ["HTTPRoute" if expose.gateway else "Ingress"]
    identity = ["ServiceAccount", "Role", "RoleBinding"]
    picker = [*identity, "NetworkPolicy", "Service", "Deployment", "PodMonitor", "InferencePool"]
    pool = picker if case.service.spec.runtime.engine == "llmd" else []
    own = case.children if pool else case.own
    assert [child["kind"] for child in own] == kinds + pool + way_in


def test_a_way_in_leads_to_the_service_under_its_host(case):
    expose, (port,) = case.service.spec.expose, case.entry["spec"]["ports"]
    if expose is None:
        return
    way_in = case.children[-1]["spec"]
    (rule,) = way_in["rules"]
    if expose.gateway:
        (backend,) = rule["backendRefs"]
        assert (way_in["hostnames"], backend["name"]) == ([expose.host], case.service.metadata.name)
        assert backend["kind"] == "InferencePool" or backend["port"] == port["port"]
    else:
        backend = rule["http"]["paths"][0]["backend"]["service"]
        assert (rule["host"], backend["name"], backend["port"]["name"]) == (
            expose.host,
            case.service.metadata.name,
            port["name"],
        )


def test_gpus_are_limited_to_what_is_requested_or_come_from_a_claim(case):
    accelerator, resources = case.service.spec.accelerator, case.container.get("resources", {})
    name, count = accelerator.resource_name, str(accelerator.count)
    if not case.role.accelerated:
        assert name not in str(resources)
    elif accelerator.resource_claim_template:
        claim = {"name": "gpus", "resourceClaimTemplateName": accelerator.resource_claim_template}
        assert case.pod["resourceClaims"] == [claim]
        assert resources["claims"] == [{"name": "gpus"}]
        assert name not in resources["limits"]
    else:
        assert resources["requests"][name] == resources["limits"][name] == count


def test_memory_is_limited_to_what_is_requested(case):
    resources = case.container.get("resources", {})
    assert resources.get("requests", {}).get("memory") == resources.get("limits", {}).get("memory")


def test_shared_memory_grows_with_the_gpus_unless_the_user_sizes_it(case):
    found = [volume["emptyDir"] for volume in case.pod["volumes"] if volume["name"] == "aifactory-shared-memory"]
    assert len(found) == case.role.accelerated
    if not found:
        return
    (shared,) = found
    template = case.service.spec.pod_template
    size = (template and template.shared_memory) or f"{2 * case.service.spec.accelerator.count}Gi"
    assert shared == {"medium": "Memory", "sizeLimit": canonical(size)}


def test_pods_accept_the_taint_of_gpu_nodes_once(case):
    taint = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    assert case.pod.get("tolerations", []).count(taint) == case.role.accelerated


def test_services_of_the_namespace_do_not_leak_into_the_environment(case):
    # A Service called vllm would set VLLM_PORT, which vLLM reads as its own.
    assert case.pod["enableServiceLinks"] is False


def test_selectors_find_the_pods(case):
    labels = case.child("Deployment")["spec"]["template"]["metadata"]["labels"]
    selectors = [
        case.child("Deployment")["spec"]["selector"]["matchLabels"],
        *([case.entry["spec"]["selector"]] if case.first else []),
        case.child("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        case.child("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        case.child("PodMonitor")["spec"]["selector"]["matchLabels"],
    ]
    for selector in selectors:
        assert selector
        assert selector.items() <= labels.items()


def test_children_and_pods_name_their_service(case):
    pods = case.child("Deployment")["spec"]["template"]
    for item in [*case.children, pods]:
        assert item["metadata"]["labels"]["aifactory.dev/inferenceservice"] == case.service.metadata.name


def test_children_are_owned_by_the_service(case):
    for child in case.children:
        (owner,) = child["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["uid"], owner["controller"]) == (
            "InferenceService",
            case.service.metadata.uid,
            True,
        )
        assert child["metadata"]["namespace"] == case.service.metadata.namespace


def test_grace_period_outlasts_propagation_drain_and_teardown(case):
    drain = case.service.spec.drain.timeout.total_seconds()
    pre_stop = case.container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pre_stop >= 5
    assert case.pod["terminationGracePeriodSeconds"] >= max(pre_stop, drain) + 10


def test_an_engine_that_cuts_requests_at_sigterm_serves_on_for_the_drain_timeout(case):
    drain = case.service.spec.drain.timeout.total_seconds()
    serves_on = case.container["lifecycle"]["preStop"]["sleep"]["seconds"] >= drain
    engine = case.service.spec.runtime.engine
    finishes = engine in ("vllm", "llmd", "sglang", "trtllm", "triton") or case.role.name == "frontend"
    assert serves_on or finishes


def test_an_engine_that_is_told_how_long_to_drain_gets_that_long(case):
    variables = [f"{item['name']}={item.get('value')}" for item in case.container["env"]]
    words = " ".join([*case.container.get("args", []), *variables])
    told = re.search(r"(?:--(?:shutdown|exit)-timeout(?:-secs)?|SHUTDOWN_TIMEOUT_SECS)[ =](\d+)", words)
    pre_stop = case.container["lifecycle"]["preStop"]["sleep"]["seconds"]
    if told:
        assert int(told[1]) >= case.service.spec.drain.timeout.total_seconds()
        assert case.pod["terminationGracePeriodSeconds"] >= pre_stop + int(told[1]) + 10
    else:
        assert case.service.spec.runtime.engine not in ("vllm", "llmd", "triton")
        assert case.role.name != "frontend"


def test_startup_probe_waits_as_long_as_the_user_says(case):
    probe, budget = case.container["startupProbe"], case.service.spec.runtime.startup_timeout.total_seconds()
    assert budget <= probe["periodSeconds"] * probe["failureThreshold"] < budget + probe["periodSeconds"]


def test_a_rollout_may_take_longer_than_loading(case):
    deadline = case.child("Deployment")["spec"]["progressDeadlineSeconds"]
    assert deadline > case.service.spec.runtime.startup_timeout.total_seconds()


@pytest.mark.parametrize("probe", ["startupProbe", "readinessProbe", "livenessProbe"])
def test_probes_give_a_busy_server_time(case, probe):
    assert case.container[probe]["timeoutSeconds"] >= 5
    port = "health" if case.service.spec.runtime.health_port else "http"
    assert case.container[probe]["httpGet"]["port"] == port
    assert port in {each["name"] for each in case.container["ports"]}


def test_all_ways_in_lead_to_the_serving_port(case):
    ports = {port["name"]: port["containerPort"] for port in case.container["ports"]}
    (service_port,) = case.entry["spec"]["ports"]
    rule, *peers = case.child("NetworkPolicy")["spec"]["ingress"]
    assert ports["http"] == case.service.spec.runtime.port
    assert service_port["targetPort"] == "http"
    reached = [number for name, number in ports.items() if name != "health"]  # the kubelet is let in anyway
    assert rule == {"ports": [{"port": port, "protocol": "TCP"} for port in reached]}
    own = {"podSelector": {"matchLabels": {"aifactory.dev/inferenceservice": case.service.metadata.name}}}
    assert peers == ([{"from": [own]}] if case.role.discovery else [])


def test_pods_that_find_each_other_may_do_nothing_else(case):
    if not case.role.discovery:
        return
    children = {(child["kind"], child["metadata"]["name"]): child for child in case.children}
    name = f"{case.service.metadata.name}-discovery"
    binding, access, service = (children[kind, name] for kind in ("RoleBinding", "Role", "Service"))
    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    account = {"kind": "ServiceAccount", "name": case.pod["serviceAccountName"]}
    assert account | {"namespace": case.service.metadata.namespace} in binding["subjects"]
    assert {resource for rule in access["rules"] for resource in rule["resources"]} == {
        "endpointslices",
        "dynamoworkermetadatas",
    }
    labels = case.child("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()


def test_prometheus_finds_the_metrics_with_either_configuration(case):
    annotations = case.child("Deployment")["spec"]["template"]["metadata"]["annotations"]
    (endpoint,) = case.child("PodMonitor")["spec"]["podMetricsEndpoints"]
    assert endpoint["path"] == annotations["aifactory.dev/metrics-path"]
    assert endpoint["port"] == annotations["aifactory.dev/metrics-port"]
    assert endpoint["port"] in {port["name"] for port in case.container["ports"]}
    assert {rule["targetLabel"] for rule in endpoint["relabelings"]} == {
        "namespace",
        "pod",
        "inferenceservice",
        "track",
        "pod_template_hash",
    }


def test_the_engine_may_write_where_it_caches(case):
    writable = {mount["mountPath"] for mount in case.container["volumeMounts"] if not mount.get("readOnly")}
    assert "/dev/shm" in writable or not case.role.accelerated
    engine = case.service.spec.runtime.engine
    if engine == "nim":
        assert "/opt/nim/.cache" in writable
        return
    assert "/tmp" in writable
    homes = {variable["value"] for variable in case.container["env"] if variable["name"] == "HOME"}
    assert homes <= writable
    assert homes or engine == "custom"


def test_a_configuration_file_is_carried_by_the_pod(case):
    annotations = case.child("Deployment")["spec"]["template"]["metadata"]["annotations"]
    (volume,) = [volume for volume in case.pod["volumes"] if "downwardAPI" in volume] or [None]
    if volume is None:
        assert "aifactory.dev/engine-config" not in annotations
        return
    (item,) = volume["downwardAPI"]["items"]
    (mount,) = [mount for mount in case.container["volumeMounts"] if mount["name"] == volume["name"]]
    assert item["fieldRef"]["fieldPath"] == "metadata.annotations['aifactory.dev/engine-config']"
    assert f"{mount['mountPath']}/{item['path']}" in case.container["args"]
    assert annotations["aifactory.dev/engine-config"]


def test_a_worker_is_replaced_once_its_successor_was_found(case):
    seconds = case.child("Deployment")["spec"].get("minReadySeconds", 0)
    assert (seconds >= 5) == (case.role.discovery is not None and case.role.accelerated)
