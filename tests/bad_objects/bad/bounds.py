"""Numbers, sizes and times that are too small, too large or no such thing."""

from tests.bad_objects import Bad

from .specs import APART, apart, canary, objectives, scaling, schedule

BOUNDS = (
    Bad("no GPU", {"accelerator": {"count": 0}}, path="spec.accelerator.count", says="greater than or equal to 1"),
    Bad("17 GPUs", {"accelerator": {"count": 17}}, path="spec.accelerator.count", says="less than or equal to 16"),
    Bad("negative replicas", {"replicas": -1}, path="spec.replicas", says="greater than or equal to 0"),
    Bad("a privileged port", {"runtime": {"port": 80}}, path="spec.runtime.port", says="greater than or equal to 1024"),
    Bad(
        "an affinity that counts too much",
        apart(weight=101, topologyKey="zone"),
        path=f"{APART}.weight",
        says="less than or equal to 100",
    ),
    Bad("a latency of 0", objectives(target="0s"), path="spec.slo.objectives.timeToFirstToken.target", says="from 1ms"),
    Bad(
        "a latency of 10 h", objectives(target="10h"), path="spec.slo.objectives.timeToFirstToken.target", says="to 1h"
    ),
    Bad(
        "a latency beyond all clocks",
        objectives(target="999999999h"),
        path="spec.slo.objectives.timeToFirstToken.target",
        says="to 1h",
        server_says="Invalid value",
    ),
    Bad(
        "a latency in days",
        objectives(target="1d"),
        path="spec.slo.objectives.timeToFirstToken.target",
        says="is not a duration",
        server_says="should match",
    ),
    Bad(
        "the 100th percentile",
        objectives(target="1s", percentile=100),
        path="spec.slo.objectives.timeToFirstToken.percentile",
        says="less than or equal to 99",
    ),
    Bad(
        "an attainment of 101%",
        {"slo": {"attainment": "101%"}},
        path="spec.slo.attainment",
        says="is not a percentage",
        server_says="should match",
    ),
    Bad(
        "an attainment that leaves no error budget",
        {"slo": {"attainment": "100%"}},
        path="spec.slo.attainment",
        says="to 99.999%",
    ),
    Bad(
        "requests that wait for days",
        {"slo": {"workload": "offline", "completeWithin": "48h"}},
        path="spec.slo.completeWithin",
        says="to 24h",
    ),
    Bad(
        "a start-up in a second",
        {"runtime": {"startupTimeout": "1s"}},
        path="spec.runtime.startupTimeout",
        says="from 1m to 24h",
    ),
    Bad("a drain of two hours", {"drain": {"timeout": "2h"}}, path="spec.drain.timeout", says="to 1h"),
    Bad(
        "a minimum below no replicas",
        scaling(minReplicas=-1),
        path="spec.scaling.minReplicas",
        says="greater than or equal to 0",
    ),
    Bad(
        "a last replica that goes at once",
        scaling(minReplicas=0, scaleToZero={"after": "0s"}),
        path="spec.scaling.scaleToZero.after",
        says="from 1s to 24h",
    ),
    Bad(
        "a request that waits for two hours",
        scaling(minReplicas=0, scaleToZero={"maxHoldTime": "2h"}),
        path="spec.scaling.scaleToZero.maxHoldTime",
        says="from 1s to 1h",
    ),
    Bad(
        "no request that may wait",
        scaling(minReplicas=0, scaleToZero={"maxHeldRequests": 0}),
        path="spec.scaling.scaleToZero.maxHeldRequests",
        says="greater than or equal to 1",
    ),
    Bad(
        "a schedule that changes nothing",
        schedule(minReplicas=None),
        path="spec.scaling.schedules[0].minReplicas",
        says="without either changes nothing",
    ),
    Bad(
        "a schedule on the Moon",
        schedule(timeZone="Moon/Tranquility"),
        path="spec.scaling.schedules[0].timeZone",
        says="must be a time zone of the IANA database",
    ),
    Bad(
        "a schedule by the clock of whoever reads it",
        schedule(timeZone="Local"),
        path="spec.scaling.schedules[0].timeZone",
        says="must be a time zone of the IANA database",
    ),
    Bad(
        "a time zone that leads elsewhere",
        schedule(timeZone="../../etc/passwd"),
        path="spec.scaling.schedules[0].timeZone",
        says="pattern",
        server_says="should match",
    ),
    Bad(
        "a schedule in twelve hours",
        schedule(start="8:00 am"),
        path="spec.scaling.schedules[0].start",
        says="at most 5",
        server_says="Too long",
    ),
    Bad(
        "a schedule to the 25th hour",
        schedule(end="25:00"),
        path="spec.scaling.schedules[0].end",
        says="pattern",
        server_says="should match",
    ),
    Bad(
        "a schedule on an eighth day",
        schedule(days=["Mon", "Funday"]),
        path="spec.scaling.schedules[0].days[1]",
        says="must be 'Mon'",
        server_says="Unsupported value",
    ),
    Bad(
        "a schedule on no day",
        schedule(days=[]),
        path="spec.scaling.schedules[0].days",
        says="at least 1",
    ),
    Bad(
        "a day twice",
        schedule(days=["Mon", "Mon"]),
        path="spec.scaling.schedules[0].days",
        says="must differ",
        server_says="Duplicate",
    ),
    Bad(
        "two schedules of one name",
        scaling(schedules=[{"name": "day", "start": "08:00", "end": "20:00", "minReplicas": 2}] * 2),
        path="spec.scaling.schedules",
        says="must differ in name",
        server_says="Duplicate",
    ),
    Bad(
        "a budget of nothing",
        scaling(budget={}),
        path="spec.scaling.budget.gpus",
        says="without either limits nothing",
    ),
    Bad(
        "GPUs for free",
        scaling(budget={"costPerHour": "40", "gpuCostPerHour": "0"}),
        path="spec.scaling.budget.gpuCostPerHour",
        says="must be above 0",
    ),
    Bad(
        "a budget that is a float",
        scaling(budget={"costPerHour": 12.5, "gpuCostPerHour": "2.50"}),
        path="spec.scaling.budget.costPerHour",
        says="write a number in quotes",
        server_says="must be of type string",
    ),
    Bad(
        "a period of nothing",
        scaling(behavior={"scaleUp": {"period": "0s"}}),
        path="spec.scaling.behavior.scaleUp.period",
        says="from 1s to 1h",
    ),
    Bad(
        "an average over an hour",
        scaling(behavior={"averagingWindow": "1h"}),
        path="spec.scaling.behavior.averagingWindow",
        says="from 1s to 10m",
    ),
    Bad(
        "a stabilization of a day",
        scaling(behavior={"scaleDown": {"stabilizationWindow": "24h"}}),
        path="spec.scaling.behavior.scaleDown.stabilizationWindow",
        says="from 0s to 1h",
    ),
    Bad(
        "a fallback at once",
        scaling(fallback={"replicas": 2, "after": "0s"}),
        path="spec.scaling.fallback.after",
        says="from 1s to 24h",
    ),
    Bad(
        "a cache that is full at 0%",
        scaling(behavior={"kvCacheUsage": "0%"}),
        path="spec.scaling.behavior.kvCacheUsage",
        says="from 1% to 100%",
    ),
    Bad("65 arguments", {"runtime": {"args": ["--verbose"] * 65}}, path="spec.runtime.args", says="64"),
    Bad(
        "65 variables", {"runtime": {"env": [{"name": f"V{n}"} for n in range(65)]}}, path="spec.runtime.env", says="64"
    ),
    Bad(
        "an argument of 5,000 characters", {"runtime": {"args": ["-" * 5000]}}, path="spec.runtime.args[0]", says="4096"
    ),
    Bad(
        "33 labels",
        {"podTemplate": {"labels": {f"l{n}": "x" for n in range(33)}}},
        path="spec.podTemplate.labels",
        says="32",
    ),
    Bad(
        "a canary of all replicas",
        canary(steps=["10%", "100%"]),
        path="spec.rollout.canary.steps[1]",
        says="must be from 1% to 99%",
    ),
    Bad(
        "a canary without a step",
        canary(steps=[]),
        path="spec.rollout.canary.steps",
        says="at least 1",
        server_says="should have at least 1",
    ),
    Bad(
        "a canary judged after a second",
        canary(stepDuration="1s"),
        path="spec.rollout.canary.stepDuration",
        says="must be from 15s to 24h",
    ),
    Bad(
        "a canary that may miss everything",
        canary(tolerance="60%"),
        path="spec.rollout.canary.tolerance",
        says="must be from 0% to 50%",
    ),
    Bad("a canary judged by nothing", canary(minRequests=0), path="spec.rollout.canary.minRequests", says="1"),
    Bad(
        "surge beyond 100%",
        {"rollout": {"maxSurge": "200%"}},
        path="spec.rollout.maxSurge",
        says="200%",
        server_says="should match",
    ),
)
