"""What a user of replicas with several pods can rely on."""

MEMBERS = {"aifactory.dev/inferenceservice", "aifactory.dev/member-of"}


def labels(template):
    return template["metadata"]["labels"]


def is_worker(template):
    return "aifactory.dev/role" not in labels(template)


def test_requests_and_metrics_reach_leaders_only(several):
    selectors = [
        several.child("Service")["spec"]["selector"]
        if len([child for child in several.children if child["kind"] == "Service"]) == 1
        else several.children[0]["spec"]["selector"],
        several.child("PodMonitor")["spec"]["selector"]["matchLabels"],
    ]
    for template in several.templates:
        for selector in selectors:
            assert (selector.items() <= labels(template).items()) is not is_worker(template)


def test_only_leaders_are_probed(several):
    for template in several.templates:
        (container,) = template["spec"]["containers"]
        probed = {"startupProbe", "readinessProbe", "livenessProbe"} & container.keys()
        assert (probed == set()) is is_worker(template)
        assert ("ports" in container) is not is_worker(template)


def test_leader_and_workers_find_each_other(several):
    for template in several.templates:
        (container,) = template["spec"]["containers"]
        names = [variable["name"] for variable in container["env"]]
        assert names[:3] == ["AIFACTORY_LEADER_ADDRESS", "AIFACTORY_NODE_RANK", "AIFACTORY_NODES"]
    (policy,) = (
        c for c in several.children if c["kind"] == "NetworkPolicy" and c["metadata"]["name"].endswith("-nodes")
    )
    (rule,) = policy["spec"]["ingress"]
    assert "ports" not in rule
    for template in several.templates:
        assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels(template).items()
        assert rule["from"][0]["podSelector"]["matchLabels"].items() <= labels(template).items()


def test_a_drain_takes_one_replica_at_a_time_whichever_of_its_pods_it_meets(several):
    selector = several.child("PodDisruptionBudget")["spec"]["selector"]["matchLabels"]
    assert selector.keys() == MEMBERS
    assert all(selector.items() <= labels(template).items() for template in several.templates)


def test_all_pods_of_a_replica_are_in_one_domain(several):
    topology = several.service.spec.accelerator.topology
    for template in several.templates:
        affinity = template["spec"].get("affinity", {}).get("podAffinity", {})
        terms = [
            term
            for term in affinity.get("requiredDuringSchedulingIgnoredDuringExecution", [])
            if term["labelSelector"]["matchLabels"].keys() == MEMBERS
        ]
        assert [term["topologyKey"] for term in terms] == ([topology.key] if topology else [])
        assert "preferredDuringSchedulingIgnoredDuringExecution" not in affinity
        for term in terms:
            (key,) = term["matchLabelKeys"]
            assert key in ("aifactory.dev/replica", "leaderworkerset.sigs.k8s.io/group-key")


def test_every_pod_claims_a_channel_of_the_compute_domain(several):
    domain = several.service.spec.accelerator.compute_domain
    for template in several.templates:
        claims = {claim["name"]: claim for claim in template["spec"].get("resourceClaims", [])}
        (container,) = template["spec"]["containers"]
        assert ("compute-domain" in claims) is (domain is not None)
        assert [claim["name"] for claim in container["resources"].get("claims", [])] == list(claims)


def test_workers_outlive_the_requests_of_their_leader(by_stateful_sets):
    """A LeaderWorkerSet deletes workers after their leader; StatefulSets know nothing of each other."""
    sets = [child for child in by_stateful_sets.children if child["kind"] == "StatefulSet"]
    by_worker = {is_worker(one["spec"]["template"]): one["spec"]["template"]["spec"] for one in sets}
    lingers = by_worker[True]["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    leader_stops = by_worker[False]["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert lingers >= max(leader_stops, by_stateful_sets.service.spec.drain.timeout.total_seconds())
    assert by_worker[True]["terminationGracePeriodSeconds"] >= lingers + 10


def test_ranks_are_counted_through(several):
    for one in (child["spec"] for child in several.children if child["kind"] == "StatefulSet"):
        first = one.get("ordinals", {"start": 0})["start"]
        assert (first, one["replicas"]) == ((1, several.service.spec.accelerator.nodes - 1) if first else (0, 1))


def test_names_leave_room_for_what_kubernetes_appends(several):
    assert all(len(child["metadata"]["name"]) <= 52 for child in several.children)
