"""What the processes of a group use, read from ``/proc``; Linux only."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Usage", "busy_cores", "usage"]


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds so far, in steps of 10 ms, and resident bytes now."""

    cpu: float
    resident: int


def usage(group: int) -> Usage:
    """That of all processes in the group `group`, and of those that have ended and were waited for."""
    ticks = pages = 0
    for place in Path("/proc").glob("[0-9]*"):
        try:
            fields = (place / "stat").read_text().rsplit(")", 1)[1].split()
            if int(fields[2]) == group:
                ticks += sum(map(int, fields[11:15]))
                pages += int(fields[21])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return Usage(ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE"))


def busy_cores(seconds: float = 2.0) -> float:
    """How many cores all processes keep busy, over `seconds`."""
    before = _busy()
    time.sleep(seconds)
    return (_busy() - before) / seconds


def _busy() -> float:
    """CPU seconds of all processes since the machine has started."""
    user, nice, system, _, _, irq, softirq = map(int, Path("/proc/stat").read_text().split(maxsplit=8)[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")
