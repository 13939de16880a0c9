"""One active operator at a time, by a Lease."""

import asyncio
import json
import logging
import os
import uuid
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.leaderelection.electionconfig import Config
from kubernetes.aio.leaderelection.leaderelection import LeaderElection
from kubernetes.aio.leaderelection.leaderelectionrecord import LeaderElectionRecord
from kubernetes.aio.leaderelection.resourcelock.baselock import BaseLock

from aifactory.cluster.client import ApiError, Client
from aifactory.cluster.kinds import Resource

LEASE = Resource("coordination.k8s.io", "v1", "leases")
NAME = "aifactory-operator"
logger = logging.getLogger(__name__)


class LeaseLostError(Exception):
    """Another operator may be active now; this process must end."""


class _Lock(BaseLock):
    """The Lease as the election library sees it; no answer within `timeout` seconds counts as 'not now'."""

    def __init__(self, client: Client, namespace: str, timeout: float) -> None:
        super().__init__(NAME, namespace, f"{os.environ.get('HOSTNAME', 'operator')}_{uuid.uuid4().hex[:8]}")
        self._client = client
        self._timeout = timeout
        self._lease: dict[str, Any] = {}

    async def get(self, name: str, namespace: str) -> Any:
        try:
            self._lease = await self._request("GET", LEASE.path(namespace, name))
        except ApiError as error:
            failure = ApiException(status=error.status, reason=str(error))
            failure.body = json.dumps({"code": error.status})
            return False, failure
        spec = self._lease.get("spec") or {}
        fields = ("holderIdentity", "leaseDurationSeconds", "acquireTime", "renewTime")
        return True, LeaderElectionRecord(*(spec.get(field) for field in fields))

    async def create(self, name: str, namespace: str, election_record: LeaderElectionRecord) -> bool:
        self._lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}}
        return await self._write("POST", LEASE.collection(namespace), election_record)

    async def update(self, name: str, namespace: str, updated_record: LeaderElectionRecord) -> bool:
        return await self._write("PUT", LEASE.path(namespace, name), updated_record)

    async def _write(self, method: str, path: str, record: LeaderElectionRecord) -> bool:
        spec = {
            "holderIdentity": record.holder_identity,
            "leaseDurationSeconds": int(record.lease_duration or 0),
            "acquireTime": _micro_time(record.acquire_time),
            "renewTime": _micro_time(record.renew_time),
        }
        try:
            await self._request(method, path, {**self._lease, "spec": spec})
        except ApiError as error:
            logger.warning("the Lease could not be written: %s", error)
            return False
        return True

    async def _request(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._client.request(method, path, LEASE.plural, body=body)
        except TimeoutError as error:
            raise ApiError(0, "NoAnswer", f"no answer within {self._timeout:g} s") from error


def _micro_time(text: str | None) -> str:
    """A time of the library, local where it has no zone, as the API server spells it."""
    return datetime.fromisoformat(text or "1970-01-01").astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def lead(client: Client, namespace: str, duration: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Wait for the Lease, do the work while holding it, and give it back at the end.

    It is renewed apart from the work, which may wait for answers on every connection that there is.

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

    apart = client.apart()
    lock = _Lock(apart, namespace, duration / 3)
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
    try:
        await asyncio.wait((running, outcome), return_when=asyncio.FIRST_COMPLETED)
    finally:
        running.cancel()
        await apart.close()
    if not outcome.done():
        running.result()
        raise LeaseLostError("the Lease could not be renewed")
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
