"""What the kernel counts for a process."""

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU time in seconds since the start, and the largest resident memory in bytes."""

    cpu: float
    peak_memory: int


def usage(pid: int) -> Usage:
    """Of a running process."""
    folder = Path("/proc") / str(pid)
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    peak = next(line for line in (folder / "status").read_text().splitlines() if line.startswith("VmHWM"))
    return Usage((int(fields[11]) + int(fields[12])) / _TICKS, int(peak.split()[1]) * 1024)
