"""What this machine has to offer to a model."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path

__all__ = ["cores", "free_memory"]

_CGROUP = Path("/sys/fs/cgroup")


def cores() -> int:
    """Physical cores that this process may use: its affinity and its container's quota, hyper-threads counted once.

    Matrix products keep a core's arithmetic units busy, so that a second thread on the same core only gets in the way.
    """
    if hasattr(os, "sched_getaffinity"):
        found = len({_core(cpu) for cpu in os.sched_getaffinity(0)})
    else:
        found = os.cpu_count() or 1
    with suppress(OSError, ValueError):  # "max" is no quota
        quota, period = (_CGROUP / "cpu.max").read_text().split()
        found = min(found, math.ceil(int(quota) / int(period)))
    return max(1, found)


def _core(cpu: int) -> tuple[str, str]:
    """Package and core of a logical processor."""
    topology = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology")
    try:
        return (topology / "physical_package_id").read_text(), (topology / "core_id").read_text()
    except OSError:
        return "", str(cpu)


def free_memory() -> int:
    """Bytes that can be used without swapping."""
    free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = 1024 * int(next(line for line in lines if line.startswith("MemAvailable")).split()[1])
    with suppress(OSError, ValueError):  # a container's own limit
        limit = int((_CGROUP / "memory.max").read_text())
        free = min(free, limit - int((_CGROUP / "memory.current").read_text()))
    return max(0, free)
