"""A plan carried out as far as the API server lets it: one write that is refused keeps no other from being made."""

from collections.abc import Awaitable, Iterable, Mapping
from typing import Any, NamedTuple

from aifactory.cluster.client import ApiError
from aifactory.cluster.writer import NameTakenError, Writer
from aifactory.decide import Plan
from aifactory.observed import ChildId, Observed, child_id
from aifactory.render.needs import carries, waits

Child = Mapping[str, Any]
# Pods of a replica that has failed hold no request that could still be finished; an engine frees GPU memory meanwhile.
RESTART_GRACE_SECONDS = 30


class Refused(NamedTuple):
    """A write that the API server, or the owner of the name, did not let happen."""

    what: str
    error: NameTakenError | ApiError


class Attempts:
    """Writes that are tried one after the other, and those that were refused.

    Something that serves, or is needed for it, may be `lacking`, or what tells who is to leave.
    """

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.refused: list[Refused] = []
        self.lacking = False

    async def make(self, what: str, write: Awaitable[object]) -> bool:
        """Whether it was made.

        Raises:
            ApiError: if no answer came, as none would to others.
        """
        try:
            await write
        except (NameTakenError, ApiError) as error:
            if isinstance(error, ApiError) and not error.status:
                raise
            self.refused.append(Refused(what, error))
            return False
        return True

    async def apply(self, children: Iterable[Child], there: Mapping[ChildId, Child]) -> None:
        """Apply children, some of which are `there`; others wait for what they build on."""
        lacking: list[Child] = []
        for child in children:
            known = there.get(child_id(child))
            if known is None and waits(child, lacking):
                continue
            wanted = _no_fewer(child, known) if self.lacking and known else child
            if await self.make(" ".join(child_id(child)), self.writer.apply(wanted, known)):
                continue
            self.lacking |= carries(child)
            if known is None:
                lacking.append(child)

    async def delete(self, children: Iterable[Child]) -> None:
        """Delete children."""
        for child in children:
            await self.make(" ".join(child_id(child)), self.writer.delete(child))


async def execute(writer: Writer, namespace: str, observed: Observed, todo: Plan) -> list[Refused]:
    """Carry out a plan; the result is what was refused. Nothing is taken away as long as something is lacking.

    How many replicas there should be during a canary is written before the Deployments of either track are resized:
    whoever goes on from there could not tell from these.

    Raises:
        ApiError: if no answer came.
    """
    attempts = Attempts(writer)
    for name, count in todo.both.items():
        await attempts.make(f"Deployment {name}", writer.set_both(namespace, name, count))
    for pod, cost in todo.deletion_costs.items():
        attempts.lacking |= not await attempts.make(f"Pod {pod}", writer.set_deletion_cost(namespace, pod, cost))
    await attempts.apply(todo.apply, observed.children)
    if not attempts.lacking:
        await attempts.delete(todo.delete)
    for (kind, name), count in todo.replicas.items():
        if not attempts.lacking or count > observed.children[kind, name]["spec"].get("replicas", 1):
            await attempts.make(f"{kind} {name}", writer.scale(kind, namespace, name, count))
    for pod, uid in todo.restart.items():
        await attempts.make(f"Pod {pod}", writer.delete_pod(namespace, pod, uid, RESTART_GRACE_SECONDS))
    return attempts.refused


def _no_fewer(child: Child, known: Child) -> Child:
    """With the replicas that there are, if fewer are wanted: what was refused may be what was to stand in for them."""
    count, live = child.get("spec", {}).get("replicas"), known.get("spec", {}).get("replicas", 1)
    return child if count is None or count >= live else {**child, "spec": {**child["spec"], "replicas": live}}
