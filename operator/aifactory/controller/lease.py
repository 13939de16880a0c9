"""One active operator at a time, by a Lease."""

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.leaderelection.electionconfig import Config
from kubernetes.aio.leaderelection.leaderelection import LeaderElection
from kubernetes.aio.leaderelection.resourcelock.leaselock import LeaseLock

from aifactory.cluster.client import ApiError, Client
from aifactory.cluster.kinds import Resource

LEASE = Resource("coordination.k8s.io", "v1", "leases")
NAME = "aifactory-operator"
logger = logging.getLogger(__name__)


class LeaseLostError(Exception):
    """Another operator may be active now; this process must end."""


class _PatientLock(LeaseLock):
    """A lock that treats an API server that cannot be reached as 'not now' instead of failing the process."""

    async def get(self, name: str, namespace: str) -> Any:
        try:
            return await super().get(name, namespace)
        except (aiohttp.ClientError, TimeoutError) as error:
            return False, ApiException(status=0, reason=str(error))

    async def update(self, name: str, namespace: str, updated_record: Any) -> bool:
        try:
            return bool(await super().update(name, namespace, updated_record))
        except (aiohttp.ClientError, TimeoutError):
            return False


async def lead(client: Client, namespace: str, duration: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Wait for the Lease, do the work while holding it, and give it back at the end.

    Raises:
        LeaseLostError: if the Lease could not be renewed in time.
    """
    outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def work_once() -> None:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - handed over to whoever waits for the outcome
            outcome.set_exception(error)
        else:
            outcome.set_result(None)

    lock = _PatientLock(NAME, namespace, os.environ.get("HOSTNAME", f"pid-{os.getpid()}"), client.api_client)
    election = LeaderElection(
        Config(
            lock,
            lease_duration=int(duration),
            renew_deadline=duration * 2 / 3,
            retry_period=max(1.0, duration / 7.5),
            onstarted_leading=work_once,
            onstopped_leading=_nothing,
        )
    )
    running = asyncio.create_task(election.run())
    await asyncio.wait((running, outcome), return_when=asyncio.FIRST_COMPLETED)
    if not outcome.done():
        running.result()
        raise LeaseLostError("the Lease could not be renewed")
    running.cancel()
    await _release(client, namespace)
    outcome.result()


async def _nothing() -> None:
    return None


async def _release(client: Client, namespace: str) -> None:
    try:
        await client.request(
            "PATCH",
            LEASE.path(namespace, NAME),
            LEASE.plural,
            body={"spec": {"holderIdentity": None}},
            content_type="application/merge-patch+json",
        )
    except ApiError as error:
        logger.warning("could not give the Lease back: %s", error)
