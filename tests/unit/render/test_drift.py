"""What others changed on a child is undone when it is ours, and left alone when it is theirs."""

import copy
import json
from typing import Any

import pytest
from aifactory.api.inferenceservice import InferenceService
from aifactory.api.role import RoleName
from aifactory.render import OPTIONAL, render
from aifactory.render.drift import HASH_ANNOTATION, differences, holds, replacement, stamp
from hypothesis import given
from hypothesis import strategies as st


def service(**spec: Any) -> InferenceService:
    return InferenceService.model_validate(
        {
            "metadata": {"name": "llama", "namespace": "chat", "uid": "uid-1"},
            "spec": {"model": {"name": "meta/llama"}, "runtime": {"engine": "vllm"}, **spec},
        }
    )


def children(**spec: Any) -> dict[str, dict[str, Any]]:
    return {
        child["kind"]: stamp(child) for child in render(service(**spec), {RoleName.MODEL_SERVER: 2}, served=OPTIONAL)
    }


@pytest.fixture
def rendered() -> dict[str, dict[str, Any]]:
    return children()


@pytest.fixture
def live(rendered) -> dict[str, dict[str, Any]]:
    """The children as the API server returns them."""
    stored = copy.deepcopy(rendered)
    for child in stored.values():
        child["metadata"] |= {"uid": "x", "resourceVersion": "7", "creationTimestamp": "2026-01-01T00:00:00Z"}
    stored["Service"]["spec"] |= {
        "clusterIP": "10.96.0.7",
        "sessionAffinity": "None",
        "internalTrafficPolicy": "Cluster",
    }
    pod = stored["Deployment"]["spec"]["template"]["spec"]
    pod |= {"dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "schedulerName": "default-scheduler"}
    pod["containers"][0]["terminationMessagePath"] = "/dev/termination-log"
    pod["containers"][0]["livenessProbe"]["successThreshold"] = 1
    stored["Deployment"]["status"] = {"replicas": 2}
    return stored


def pod_of(child: dict[str, Any]) -> dict[str, Any]:
    return child["spec"]["template"]["spec"]


def test_what_the_api_server_adds_is_no_drift(rendered, live):
    for kind, child in rendered.items():
        assert holds(live[kind], child), kind


FOREIGN = {
    "a label": lambda live: live["Deployment"]["metadata"]["labels"].update(team="chat"),
    "an annotation": lambda live: live["Deployment"]["metadata"]["annotations"].update(note="hello"),
    "a pod label": lambda live: live["Deployment"]["spec"]["template"]["metadata"]["labels"].update(team="chat"),
    "a container": lambda live: pod_of(live["Deployment"])["containers"].insert(0, {"name": "sidecar", "image": "x"}),
    "a variable": lambda live: pod_of(live["Deployment"])["containers"][0]["env"].insert(
        0, {"name": "A", "value": "b"}
    ),
    "a volume": lambda live: pod_of(live["Deployment"])["volumes"].append({"name": "certificates"}),
    "a mount": lambda live: pod_of(live["Deployment"])["containers"][0]["volumeMounts"].append(
        {"name": "aifactory-shared-memory", "mountPath": "/second"}
    ),
    "a container port": lambda live: pod_of(live["Deployment"])["containers"][0]["ports"].insert(
        0, {"name": "debug", "containerPort": 9999, "protocol": "TCP"}
    ),
    "a service port": lambda live: live["Service"]["spec"]["ports"].insert(0, {"port": 81, "protocol": "TCP"}),
    "a second owner": lambda live: live["Deployment"]["metadata"]["ownerReferences"].append(
        {"kind": "Application", "name": "llama", "uid": "uid-2"}
    ),
}


@pytest.mark.parametrize("change", FOREIGN.values(), ids=FOREIGN.keys())
def test_what_others_add_beside_ours_survives(rendered, live, change):
    change(live)
    assert all(holds(live[kind], child) for kind, child in rendered.items())


OURS = {
    "an edited image": ("Deployment", lambda child: pod_of(child)["containers"][0].update(image="other")),
    "a removed probe": ("Deployment", lambda child: pod_of(child)["containers"][0].pop("livenessProbe")),
    "an edited probe": (
        "Deployment",
        lambda child: pod_of(child)["containers"][0]["livenessProbe"].update(periodSeconds=1),
    ),
    "an edited argument": ("Deployment", lambda child: pod_of(child)["containers"][0]["args"].append("--trust")),
    "a reordered command": ("Deployment", lambda child: pod_of(child)["containers"][0]["command"].reverse()),
    "a removed variable": ("Deployment", lambda child: pod_of(child)["containers"][0]["env"].pop()),
    "an edited variable": ("Deployment", lambda child: pod_of(child)["containers"][0]["env"][0].update(value="no")),
    "a removed mount": ("Deployment", lambda child: pod_of(child)["containers"][0]["volumeMounts"].pop()),
    "a removed container": ("Deployment", lambda child: pod_of(child).update(containers=[])),
    "one more capability": (
        "Deployment",
        lambda child: pod_of(child)["containers"][0]["securityContext"]["capabilities"]["drop"].append("NONE"),
    ),
    "one more toleration": ("Deployment", lambda child: pod_of(child)["tolerations"].append({"operator": "Exists"})),
    "a removed label": ("Deployment", lambda child: child["metadata"]["labels"].pop("app.kubernetes.io/name")),
    "an edited owner": ("Deployment", lambda child: child["metadata"]["ownerReferences"][0].update(controller=False)),
    "a removed owner": ("Deployment", lambda child: child["metadata"].pop("ownerReferences")),
    "a removed fingerprint": ("Deployment", lambda child: child["metadata"].pop("annotations")),
    "an edited service port": ("Service", lambda child: child["spec"]["ports"][0].update(port=8080)),
    "a narrower service selector": ("Service", lambda child: child["spec"]["selector"].update(version="2")),
    "a narrower policy": (
        "NetworkPolicy",
        lambda child: child["spec"]["podSelector"]["matchLabels"].update(version="2"),
    ),
    "one more open port": (
        "NetworkPolicy",
        lambda child: child["spec"]["ingress"][0]["ports"].append({"port": 22, "protocol": "TCP"}),
    ),
    "one more policy rule": ("NetworkPolicy", lambda child: child["spec"]["ingress"].append({})),
    "an edited budget": ("PodDisruptionBudget", lambda child: child["spec"].update(maxUnavailable=0)),
    "a mounted token": ("ServiceAccount", lambda child: child.update(automountServiceAccountToken=True)),
    "one more scrape target": (
        "PodMonitor",
        lambda child: child["spec"]["podMetricsEndpoints"].append({"port": "http", "path": "/other"}),
    ),
}


@pytest.mark.parametrize(("kind", "change"), OURS.values(), ids=OURS.keys())
def test_a_change_of_what_is_ours_is_seen(rendered, live, kind, change):
    change(live[kind])
    assert not holds(live[kind], rendered[kind])


def test_a_field_that_is_no_longer_asked_for_is_seen(live):
    before = children(podTemplate={"nodeSelector": {"zone": "a"}, "priorityClassName": "high"})["Deployment"]
    assert holds(before, before)
    assert not holds(before, children()["Deployment"])


def test_the_fingerprint_leaves_the_number_of_replicas_out():
    one, two = (
        stamp(child) for child in (render(service(), {RoleName.MODEL_SERVER: n}, served=())[-1] for n in (1, 2))
    )
    assert one["metadata"] == two["metadata"]
    assert one["spec"]["replicas"] != two["spec"]["replicas"]


def test_the_fingerprint_is_the_same_for_the_same_object(rendered):
    assert children() == rendered


def test_the_fingerprint_keeps_other_annotations():
    stamped = stamp({"kind": "Service", "metadata": {"name": "x", "annotations": {"a": "b"}}})
    assert stamped["metadata"]["annotations"].keys() == {"a", HASH_ANNOTATION}


NAMES = st.sampled_from(["a", "b", "env", "ports", "containers", "selector", "name", "args"])
ATOMS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "x", "y"])
KEYS = {"env": "name", "containers": "name", "ports": "port"}


def objects(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Mappings in which lists that are merged by key have items with distinct keys."""

    def field(name: str) -> st.SearchStrategy[Any]:
        if name not in KEYS:
            return st.lists(ATOMS, max_size=3) | values | ATOMS
        items = st.dictionaries(st.sampled_from(["a", "b"]), values | ATOMS, max_size=2)
        keyed = st.tuples(st.integers(0, 5), items).map(lambda pair: {**pair[1], KEYS[name]: pair[0]})
        return st.lists(keyed, max_size=3, unique_by=lambda item: item[KEYS[name]])

    return st.lists(NAMES, unique=True, max_size=4).flatmap(
        lambda names: st.fixed_dictionaries({n: field(n) for n in names})
    )


OBJECTS = st.recursive(st.just({}), objects, max_leaves=6)


def with_additions(data: st.DataObject, value: Any, name: str = "") -> Any:
    """The value with more keys in its mappings and more items in its keyed lists, where others may add some."""
    if isinstance(value, dict) and name != "selector":
        more = {"foreign": data.draw(ATOMS)} if data.draw(st.booleans()) else {}
        return {**more, **{key: with_additions(data, item, key) for key, item in value.items()}}
    if isinstance(value, list) and name in KEYS:
        more = [{KEYS[name]: "foreign"}] if data.draw(st.booleans()) else []
        return data.draw(st.permutations([*more, *(with_additions(data, item) for item in value)]))
    return value


@given(OBJECTS)
def test_every_object_holds_itself(value):
    assert holds(copy.deepcopy(value), value)


@given(st.data(), OBJECTS)
def test_additions_never_count_as_drift(data, value):
    assert holds(with_additions(data, value), value)


@given(st.data(), OBJECTS.filter(bool))
def test_a_removed_field_always_counts_as_drift(data, value):
    removed = data.draw(st.sampled_from(sorted(value)))
    assert not holds({name: item for name, item in value.items() if name != removed}, value)


def test_differences_name_the_field_and_both_values(rendered, live):
    container = pod_of(live["Deployment"])["containers"][0]
    container["image"] = "old"
    del container["readinessProbe"]
    live["Deployment"]["spec"]["selector"]["matchLabels"]["more"] = "x"
    found = {item.path: (item.live, item.rendered) for item in differences(live["Deployment"], rendered["Deployment"])}
    name = "spec.template.spec.containers[model-server]"
    assert found.keys() == {f"{name}.image", f"{name}.readinessProbe", "spec.selector"}
    assert found[f"{name}.image"][0] == "old"
    assert found[f"{name}.readinessProbe"][0] is None


def merged(value: Any, patch: Any) -> Any:
    """A JSON merge patch as RFC 7386 has it."""
    if not isinstance(patch, dict):
        return patch
    result = dict(value) if isinstance(value, dict) else {}
    for name, item in patch.items():
        if item is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), item)
    return result


# A merge patch has no word for null, which nothing that is rendered contains.
RENDERED = OBJECTS.filter(lambda value: "null" not in json.dumps(value))


@given(st.data(), RENDERED, OBJECTS)
def test_a_replacement_leaves_what_was_rendered_and_nothing_that_others_added(data, value, other):
    live = with_additions(data, value)
    assert merged(live, replacement(live, value)) == value
    assert merged(other, replacement(other, value)) == value
