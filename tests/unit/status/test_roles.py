"""A service of several roles: the one that is furthest from what is asked for counts, and each has its own report."""

import dataclasses

from aifactory.api.role import RoleName
from aifactory.api.status import InferenceServiceStatus
from aifactory.autoscale.decision import Decision
from aifactory.observed import Group, Observed
from aifactory.render import resolved
from aifactory.runtimes import roles
from aifactory.signals.readings import ServiceReadings
from aifactory.status.facts import Facts, RoleFacts
from aifactory.status.report import report, steady

from tests.unit.status.scene import (
    NOON,
    SCALING,
    condition,
    decision,
    pod,
    readings,
    service,
    serving,
    stuck,
    without_node,
    workload,
)

FRONTEND, PREFILL, DECODE = RoleName.FRONTEND, RoleName.PREFILL, RoleName.DECODE
ALL_SERVE = {
    FRONTEND: Group(workload(1), serving("front")),
    PREFILL: Group(workload(2), serving("p1", "p2")),
    DECODE: Group(workload(1), serving("d1")),
}


def look(
    groups: dict[RoleName, Group],
    before: InferenceServiceStatus | None = None,
    decided: Decision | None = None,
    read: ServiceReadings | None = None,
) -> InferenceServiceStatus:
    """Report on a frontend, prefill and decode workers; prefill scales. `read` is what each role's signals say."""
    asked = service(**SCALING)
    (whole,) = roles(asked)
    fixed = service()
    parts = (
        dataclasses.replace(whole, name=FRONTEND, accelerated=False, service=fixed),
        dataclasses.replace(whole, name=PREFILL),
        dataclasses.replace(whole, name=DECODE, service=fixed),
    )
    facts = tuple(
        RoleFacts(
            part, resolved(part, ()), groups.get(part.name, Group()), decided if part.name is PREFILL else None, read
        )
        for part in parts
    )
    return report(Facts(asked, facts, Observed({}, groups), before or InferenceServiceStatus(), NOON))


def ready(status: InferenceServiceStatus) -> tuple[str, str, str]:
    found = condition(status, "Ready")
    assert found is not None
    return found.status, found.reason, found.message


def test_a_service_is_ready_when_every_role_is():
    assert ready(look(ALL_SERVE))[:2] == ("True", "Available")


def test_one_role_that_loads_makes_the_service_wait_and_is_named():
    status, reason, message = ready(look({**ALL_SERVE, DECODE: Group(workload(1, available=0), (pod("d1"),))}))
    assert (status, reason) == ("Unknown", "ModelLoading")
    assert message.startswith("decode: 0 of 1")


def test_a_role_that_fails_counts_more_than_one_that_loads():
    failing = Group(workload(1, available=0), (stuck("ImagePullBackOff", "no such image", name="d1"),))
    loading = Group(workload(1, available=0), (pod("front"),))
    found = look({**ALL_SERVE, FRONTEND: loading, DECODE: failing})
    assert ready(found)[:2] == ("False", "ImagePullFailed")
    assert ready(found)[2].startswith("decode: ")
    stalled = condition(found, "Stalled")
    assert stalled is not None
    assert stalled.reason == "ImagePullFailed"


def test_a_role_without_a_workload_is_being_created():
    groups = {role: group for role, group in ALL_SERVE.items() if role is not PREFILL}
    assert ready(look(groups))[:2] == ("Unknown", "Creating")


def test_the_model_is_ready_once_every_role_serves():
    answers = condition(look(ALL_SERVE), "ModelReady")
    waits = condition(look({**ALL_SERVE, PREFILL: Group(workload(1, available=0), (pod("p1"),))}), "ModelReady")
    assert answers is not None
    assert waits is not None
    assert (answers.status, waits.status, waits.message) == (
        "True",
        "False",
        "prefill: no replica has the model loaded yet",
    )


def test_a_role_that_waits_for_gpus_is_named():
    short = {**ALL_SERVE, DECODE: Group(workload(1, available=0), (without_node("d1"),))}
    shortage = condition(look(short), "GPUShortage")
    assert shortage is not None
    assert shortage.message.startswith("decode: 0/3 nodes")


def test_replicas_count_pods_that_hold_the_model_and_each_role_has_its_own():
    status = look(ALL_SERVE)
    assert status.replicas is not None
    assert (status.replicas.desired, status.replicas.ready) == (3, 3)
    assert [(role.name, role.replicas.ready) for role in status.roles] == [
        ("frontend", 1),
        ("prefill", 2),
        ("decode", 1),
    ]


def test_a_role_tells_what_it_is_made_of_and_only_some_have_gpus():
    frontend, prefill, _ = look(ALL_SERVE).roles
    assert (frontend.resolved.accelerator, prefill.resolved.accelerator) == (None, "nvidia.com/gpu: 1")


def test_the_decision_about_a_role_stands_with_that_role():
    status = look(ALL_SERVE, decided=decision(2, 3))
    assert status.scaling is None
    told = {role.name: role.scaling and role.scaling.history[0].to for role in status.roles}
    assert told == {"frontend": None, "prefill": 3, "decode": None}


def test_a_role_remembers_what_it_decided():
    before = look(ALL_SERVE, decided=decision(2, 3))
    after = look(ALL_SERVE, before, decided=decision(3, 4))
    (prefill,) = [role for role in after.roles if role.name == "prefill"]
    assert prefill.scaling is not None
    assert [entry.to for entry in prefill.scaling.history] == [4, 3]


def test_live_numbers_of_a_role_are_no_news_and_a_change_of_replicas_is():
    quiet = look(ALL_SERVE, decided=decision(2, 2, message="one"))
    still = look(ALL_SERVE, quiet, decided=decision(2, 2, message="two"))
    grown = look(ALL_SERVE, quiet, decided=decision(2, 3))
    texts = [steady(status.model_dump(mode="json", by_alias=True)) for status in (quiet, still, grown)]
    assert texts[0] == texts[1] != texts[2]


def test_a_pod_of_any_role_that_nobody_scrapes_is_named():
    status = look(ALL_SERVE, read=readings(pods=("front", "p1", "d1")))
    metrics = condition(status, "MetricsAvailable")
    assert metrics is not None
    assert (metrics.status, metrics.reason) == ("False", "PodsNotScraped")
    assert metrics.message.endswith("fresh sample of p2")


def test_the_role_that_does_not_follow_its_signals_is_named():
    read = readings(error="timeout", pods=("p1", "p2"))
    found = condition(look(ALL_SERVE, decided=decision(2, 2), read=read), "ScalingActive")
    assert found.message == "prefill: signals are missing: replicas are held, never lowered"


def test_each_lost_workload_keeps_its_own_number() -> None:
    before = look(ALL_SERVE)
    lost = look({FRONTEND: ALL_SERVE[FRONTEND], DECODE: ALL_SERVE[DECODE]}, before)
    assert lost.replicas is not None
    assert lost.replicas.desired == 3
    assert [role.replicas.desired for role in lost.roles] == [1, 2, 1]
