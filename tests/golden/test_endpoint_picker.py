"""What a user of a service with an endpoint picker can rely on."""


def labels_of(deployment):
    return deployment["spec"]["template"]["metadata"]["labels"]


def test_the_pool_holds_the_model_servers_and_nothing_else(pooled):
    selector = pooled.child("InferencePool")["spec"]["selector"]["matchLabels"]
    assert selector.items() <= labels_of(pooled.child("Deployment")).items()
    assert not selector.items() <= labels_of(pooled.of_picker("Deployment")).items()


def test_the_pool_leads_to_the_port_of_the_model_servers(pooled):
    ports = {port["name"]: port["containerPort"] for port in pooled.container["ports"]}
    assert pooled.child("InferencePool")["spec"]["targetPorts"] == [{"number": ports["http"]}]


def test_the_pool_names_the_picker_and_does_without_one_that_is_down(pooled):
    reference, service = pooled.child("InferencePool")["spec"]["endpointPickerRef"], pooled.of_picker("Service")
    assert (reference["name"], reference["port"]["number"]) == (
        service["metadata"]["name"],
        service["spec"]["ports"][0]["port"],
    )
    assert reference["failureMode"] == "FailOpen"


def test_the_service_leads_to_the_model_servers_and_the_pickers_to_the_picker(pooled):
    for child, other in ((pooled.child, pooled.of_picker), (pooled.of_picker, pooled.child)):
        selector = child("Service")["spec"]["selector"]
        assert selector.items() <= labels_of(child("Deployment")).items()
        assert not selector.items() <= labels_of(other("Deployment")).items()


def test_a_gateway_chooses_from_the_pool(pooled):
    routes = [child for child in pooled.children if child["kind"] == "HTTPRoute"]
    for route in routes:
        (backend,) = route["spec"]["rules"][0]["backendRefs"]
        pool = pooled.child("InferencePool")
        assert f"{backend['group']}/v1" == pool["apiVersion"]
        assert (backend["kind"], backend["name"]) == (pool["kind"], pool["metadata"]["name"])


def test_the_picker_asks_for_its_own_pool(pooled):
    pool = pooled.child("InferencePool")["metadata"]
    (container,) = pooled.of_picker("Deployment")["spec"]["template"]["spec"]["containers"]
    text = " ".join(container["args"])
    assert f"--pool-name {pool['name']} --pool-namespace {pool['namespace']}" in text


def test_the_picker_may_only_read_and_no_secret(pooled):
    rules = pooled.of_picker("Role")["rules"]
    assert {verb for rule in rules for verb in rule["verbs"]} == {"get", "list", "watch"}
    assert not {"secrets", "*"} & {resource for rule in rules for resource in rule["resources"]}
    binding, pod = pooled.of_picker("RoleBinding"), pooled.of_picker("Deployment")["spec"]["template"]["spec"]
    assert binding["roleRef"]["name"] == pooled.of_picker("Role")["metadata"]["name"]
    assert [subject["name"] for subject in binding["subjects"]] == [pod["serviceAccountName"]]


def test_the_picker_gets_no_gpu(pooled):
    pod = pooled.of_picker("Deployment")["spec"]["template"]["spec"]
    assert pod["containers"][0]["resources"]["requests"].keys() == {"cpu", "memory"}
    assert "resourceClaims" not in pod


def test_a_leaving_picker_has_time_for_the_longest_answer(pooled):
    pod, drain = pooled.of_picker("Deployment")["spec"]["template"]["spec"], pooled.service.spec.drain.timeout
    assert pod["terminationGracePeriodSeconds"] >= drain.total_seconds() + 10
    assert pooled.of_picker("Deployment")["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
