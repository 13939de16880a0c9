"""What holds for the whole process: signals, and how much memory and time Python takes."""

import asyncio
import gc
import signal
from asyncio import sslproto
from collections.abc import Callable

_TLS_BUFFER_BYTES = 32 * 1024


def at_signals(told: Callable[[], object]) -> None:
    """Process 1 of a container is not ended by a signal that it does not handle."""
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, told)


def spare_the_collector() -> None:
    """Answers of Prometheus and watches are many small containers without cycles.

    At Python's default, looking for cycles among them takes two thirds of the time of a reading. Higher values than
    these gain nothing and cost memory.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 50, 100)


def spare_tls_buffers() -> None:
    """Every TLS connection of asyncio has a buffer to read into, of 256 KiB (CPython, asyncio/sslproto.py).

    With a connection for each watched kind these were 7 MiB.
    """
    sslproto.SSLProtocol.max_size = _TLS_BUFFER_BYTES
