"""What is measured. Every scenario has a control plane of its own, so that all of them start from the same state."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.kind.controlplane import ControlPlane
from tests.kind.paths import CRDS
from tests.kind.processes import free_ports
from tests.operator_process import OperatorProcess

from . import audit, services
from .audit import Audit
from .load import Api, at_rate, connect, side_by_side
from .process import usage
from .prometheus import FakePrometheus, serve

TICK = 15
WINDOW = 60
_QUIET_SECONDS = 8
_PATIENCE_SECONDS = 900
_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Creation:
    """`services` created at once. Delays are seconds from the service's existence to its Deployment's."""

    services: int
    rate: float
    p50: float
    p99: float
    writes: dict[str, int]
    cpu_ms: float
    peak_mib: float

    @property
    def writes_per_service(self) -> float:
        """All writes of the operator but those to its Lease."""
        return sum(self.writes.values()) / self.services


@dataclass(frozen=True)
class Restart:
    """A new process over services that are as they should be."""

    seconds: float
    cpu: float
    peak_mib: float
    child_writes: int
    status_writes: int


@dataclass(frozen=True)
class Rest:
    """Nothing happens."""

    writes_per_second: float
    cpu_share: float


@dataclass(frozen=True)
class Tick:
    """One reading of the signals and a decision for every service, seconds of CPU; `busy` writes new numbers.

    `reference` is what counting to ten million takes meanwhile: CPU time on a shared machine varies, up to twofold.
    """

    reference: float
    quiet_cpu: float
    busy_cpu: float
    busy_writes_per_second: float


def limit(count: int) -> float:
    """Services per second that the control plane takes, created with all their children by a client without logic."""
    with _plane() as plane:
        log = Audit(plane.audit_log)

        async def run() -> None:
            async with connect(plane) as api:
                await side_by_side(api.create_with_children, map(services.fixed, services.names(count)))

        asyncio.run(run())
        return count / audit.span(log.news())


def creation(count: int) -> Creation:
    """Create all services over 32 connections while the operator runs."""
    with _plane() as plane, _operator(plane) as operator:
        return asyncio.run(_create(plane, operator, count))


def life(count: int, rest_seconds: float) -> tuple[Creation, Restart, Rest]:
    """Create, restart, rest."""
    with _plane() as plane, _operator(plane) as operator:
        created = asyncio.run(_create(plane, operator, count))
        log = Audit(plane.audit_log)
        log.news()
        operator.stop()
        restarted = asyncio.run(_restarted(operator, log, count))
        asyncio.run(_quiet(log, _QUIET_SECONDS))
        rested = asyncio.run(_rest(operator, log, rest_seconds))
        return created, restarted, rested


def offered(per_second: float, seconds: float) -> Creation:
    """Create services at a steady rate."""
    with _plane() as plane, _operator(plane) as operator:
        return asyncio.run(_create(plane, operator, round(per_second * seconds), per_second))


def tick(count: int, ticks: int) -> Tick:
    """Scaled services with one ready replica each and a Prometheus that answers for all of them."""
    with _plane() as plane:
        log = Audit(plane.audit_log)
        names = services.names(count)
        asyncio.run(_with(plane, lambda api: side_by_side(api.create_with_children, map(services.scaled, names))))
        pods = asyncio.run(_with(plane, _start_pods(count)))
        prometheus = FakePrometheus(pods)
        with serve(prometheus) as url, _operator(plane, url) as operator:
            asyncio.run(_quiet(log, TICK + _QUIET_SECONDS))
            quiet, reference, _ = asyncio.run(_ticks(operator, log, ticks))
            prometheus.vary = True
            busy, _, writes = asyncio.run(_ticks(operator, log, ticks))
            return Tick(reference, quiet, busy, writes)


@contextmanager
def _plane() -> Iterator[ControlPlane]:
    with ControlPlane(audit=True, crds=CRDS, users={audit.OPERATOR: ["system:masters"]}) as plane:
        yield plane


@contextmanager
def _operator(plane: ControlPlane, prometheus: str = "http://127.0.0.1:9") -> Iterator[OperatorProcess]:
    settings = {
        "AIFACTORY_PROMETHEUS_URL": prometheus,
        "AIFACTORY_TICK": str(TICK),
        "AIFACTORY_METRICS_WINDOW": str(WINDOW),
        "AIFACTORY_LEASE_NAMESPACE": services.NAMESPACE,
    }
    with OperatorProcess(plane.kubeconfig_for(audit.OPERATOR), free_ports(1)[0], settings) as operator:
        yield operator


async def _with(plane: ControlPlane, work: Callable[[Api], Awaitable[services.Object]]) -> services.Object:
    async with connect(plane) as api:
        return await work(api)


def _start_pods(count: int) -> Callable[[Api], Awaitable[dict[str, str]]]:
    async def start(api: Api) -> dict[str, str]:
        await _until(count, api.count_pods)
        return await api.start_pods()

    return start


async def _create(
    plane: ControlPlane, operator: OperatorProcess, count: int, per_second: float | None = None
) -> Creation:
    log = Audit(plane.audit_log)
    offers = map(services.fixed, services.names(count))
    async with connect(plane) as api:
        await _leading(operator)
        before = usage(operator.pid)
        if per_second is None:
            await side_by_side(api.create_service, offers)
        else:
            await at_rate(api.create_service, offers, per_second)
        await _until(count, api.count_deployments)
        writes = await _quiet(log, _QUIET_SECONDS)
    after = usage(operator.pid)
    waits = audit.delays(writes)
    return Creation(
        services=count,
        rate=count / audit.span(writes),
        p50=statistics.median(waits),
        p99=audit.percentile(waits, 0.99),
        writes=audit.counts(audit.by_operator(writes)),
        cpu_ms=(after.cpu - before.cpu) / count * 1000,
        peak_mib=after.peak_memory / 2**20,
    )


async def _leading(operator: OperatorProcess) -> None:
    """Wait until the operator has the Lease and a moment longer, in which it fills its store."""

    async def leaders() -> float:
        return float("aifactory_leading 1.0" in operator.metrics())

    await _until(1, leaders)
    await asyncio.sleep(3)


async def _until(count: float, so_far: Callable[[], Awaitable[float]]) -> None:
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while await so_far() < count:  # noqa: ASYNC110 - what is waited for happens in other processes
            await asyncio.sleep(_POLL_SECONDS)


async def _quiet(log: Audit, seconds: float) -> list[audit.Write]:
    """Wait until the operator has written nothing for a while; the result is all that was written until then."""
    seen: list[audit.Write] = log.news()
    waited = 0.0
    while waited < seconds:
        await asyncio.sleep(_POLL_SECONDS)
        news = log.news()
        seen += news
        waited = 0.0 if audit.by_operator(news) else waited + _POLL_SECONDS
    return seen


async def _restarted(operator: OperatorProcess, log: Audit, count: int) -> Restart:
    clock = asyncio.get_running_loop()
    started = clock.time()
    operator.start()

    async def reconciled() -> float:
        return _reconciled(operator.metrics())

    await _until(count, reconciled)
    seconds, used = clock.time() - started, usage(operator.pid)
    kinds = audit.counts(audit.by_operator(await _quiet(log, _QUIET_SECONDS)))
    status = kinds.pop("inferenceservices/status", 0)
    return Restart(seconds, used.cpu, used.peak_memory / 2**20, sum(kinds.values()), status)


def _reconciled(metrics: str) -> float:
    lines = (line for line in metrics.splitlines() if line.startswith("aifactory_reconcile_duration_seconds_count"))
    return sum(float(line.rpartition(" ")[2]) for line in lines)


async def _rest(operator: OperatorProcess, log: Audit, seconds: float) -> Rest:
    log.news()
    before = usage(operator.pid)
    await asyncio.sleep(seconds)
    after = usage(operator.pid)
    return Rest(len(audit.by_operator(log.news())) / seconds, (after.cpu - before.cpu) / seconds)


async def _ticks(operator: OperatorProcess, log: Audit, ticks: int) -> tuple[float, float, float]:
    """CPU seconds per tick, of the reference, and writes per second."""
    log.news()
    references = []
    before = usage(operator.pid)
    for _ in range(ticks):
        await asyncio.sleep(TICK)
        references.append(_reference())
    after = usage(operator.pid)
    writes = len(audit.by_operator(log.news())) / (ticks * TICK)
    return (after.cpu - before.cpu) / ticks, statistics.mean(references), writes


def _reference() -> float:
    """CPU seconds of counting to ten million."""
    started = time.process_time()
    sum(range(10_000_000))
    return time.process_time() - started
