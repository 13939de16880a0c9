"""What the operator chose, for `status.resolved`."""

from collections.abc import Iterable

from aifactory.api.accelerator import AcceleratorSpec
from aifactory.api.meta import format_duration
from aifactory.api.status import ResolvedStatus
from aifactory.runtimes import Role
from aifactory.signals.objectives import Objective

from .monitoring import metrics_path


def resolved(role: Role, objectives: Iterable[Objective]) -> ResolvedStatus:
    """Every derived value; `objectives` are those in force."""
    server, within = role.server, role.spec.slo.may_take
    offline = {} if within is None else {"completeWithin": format_duration(within)}
    return ResolvedStatus(
        image=server.image,
        command=[*server.command, *server.args],
        precision=server.precision,
        profile=server.profile,
        accelerator=_accelerator(role.spec.accelerator) if role.accelerated else None,
        probes={"startup": server.startup_path, "readiness": server.readiness_path, "liveness": server.liveness_path},
        metrics_path=metrics_path(role),
        objectives={objective.signal.value: objective.text for objective in objectives} | offline,
    )


def _accelerator(accelerator: AcceleratorSpec) -> str:
    name = accelerator.resource_claim_template
    source = f"ResourceClaimTemplate {name}" if name else accelerator.resource_name
    pods = f" on each of {accelerator.nodes} nodes" if accelerator.nodes > 1 else ""
    return f"{source}: {accelerator.count}{pods}"
