"""What holds requests while a service has no replica, and the way that they go."""

from aifactory.render.drift import differences

SERVICE, DIRECT = ("Service", "night-owl"), ("Service", "night-owl-direct")
ACTIVATOR, MODEL = ("Deployment", "night-owl-activator"), ("Deployment", "night-owl")


def pods_of(children, deployment):
    return children[deployment]["spec"]["template"]["metadata"]["labels"]


def selected(children, service, deployment):
    selector = children[service]["spec"]["selector"]
    return bool(selector) and selector.items() <= pods_of(children, deployment).items()


def test_clients_reach_replicas_while_there_are_some_and_else_the_activator(sleeper):
    assert selected(sleeper.awake, SERVICE, MODEL)
    assert not selected(sleeper.awake, SERVICE, ACTIVATOR)
    assert selected(sleeper.asleep, SERVICE, ACTIVATOR)
    assert not selected(sleeper.asleep, SERVICE, MODEL)


def test_the_activator_reaches_replicas_and_nobody_while_they_sleep(sleeper):
    """All of the pods behind a Service may be about to end: it still sends requests there."""
    assert selected(sleeper.awake, DIRECT, MODEL)
    for deployment in (MODEL, ACTIVATOR):
        assert sleeper.asleep[DIRECT]["spec"]["selector"]
        assert not selected(sleeper.asleep, DIRECT, deployment)


def test_nothing_else_changes_when_a_service_falls_asleep(sleeper):
    assert sleeper.awake.keys() == sleeper.asleep.keys()
    changed = {
        (*child_id, difference.path)
        for child_id, child in sleeper.asleep.items()
        for difference in differences(sleeper.awake[child_id], child)
    }
    expected = {(*SERVICE, "spec.selector"), (*DIRECT, "spec.selector"), (*MODEL, "spec.replicas")}
    assert changed == expected


def test_services_lead_to_ports_of_the_activator_and_no_other_port_is_open(sleeper):
    (container,) = sleeper.awake[ACTIVATOR]["spec"]["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    (port,) = sleeper.asleep[SERVICE]["spec"]["ports"]
    assert port["targetPort"] in ports
    (rule,) = sleeper.awake["NetworkPolicy", "night-owl-activator"]["spec"]["ingress"]
    assert {one["port"] for one in rule["ports"]} == set(ports.values())
    (scraped,) = sleeper.awake["PodMonitor", "night-owl-activator"]["spec"]["podMetricsEndpoints"]
    assert scraped["port"] in ports


def test_an_activator_needs_no_gpu_and_no_node_that_has_some(sleeper):
    pod = sleeper.awake[ACTIVATOR]["spec"]["template"]["spec"]
    assert not {"nodeSelector", "tolerations", "affinity"} & pod.keys()
    assert "nvidia.com/gpu" not in str(pod)
    assert pod["automountServiceAccountToken"] is False
    assert pod["imagePullSecrets"] == [{"name": "registry"}]


def test_a_leaving_activator_may_hold_and_stream_as_long_as_it_said(sleeper):
    pod = sleeper.awake[ACTIVATOR]["spec"]["template"]["spec"]
    hold = sleeper.service.spec.scaling.scale_to_zero.max_hold_time.total_seconds()
    drain = sleeper.service.spec.drain.timeout.total_seconds()
    (container,) = pod["containers"]
    pre_stop = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pre_stop >= 5
    assert pod["terminationGracePeriodSeconds"] > pre_stop + hold + drain
    assert sleeper.awake[ACTIVATOR]["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
