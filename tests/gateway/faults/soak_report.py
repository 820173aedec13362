"""What is left of many requests, and what should not be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

__all__ = ["FAULTY", "LEAVES", "SPARE", "STAYS", "Report"]

STAYS, LEAVES, FAULTY = "stays", "leaves", "faulty"
"""The API keys of requests that wait for their whole answer, that may be cut short, that meet a fault."""

GROWTH = 0.10
"""By how much of itself the process may grow after a quarter of the requests: caches are full then, leaks go on."""

SPARE = 8
"""Files that a process may have open which has worked, over one that has not: the database's, for example."""

MEGABYTE = 2**20

Look = dict[str, Any]
"""As `watched.look` has it."""


@dataclass
class Report:
    """What came out.

    `outcomes` counts by the kind of request and what became of it. `looks` into the process come after so many
    requests; the first and the last are of a process that rests. Tokens by key: `booked` by the gateway, `counted` by
    the upstream, `received` by the clients with their bills; `held` are still reserved.
    """

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    looks: list[tuple[int, Look]] = field(default_factory=list)
    booked: dict[str, int] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)
    received: Counter[str] = field(default_factory=Counter)
    held: int = 0
    internal_errors: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def wrong(self) -> list[str]:
        """What should not be; empty if all is well."""
        return [*self._unanswered(), *self._grown(), *self._left(), *self._misbooked(), *self.internal_errors[:5]]

    def _unanswered(self) -> Iterator[str]:
        for (kind, said), count in self.outcomes.items():
            if said == "EMPTY" or said == "HANGS" or said.startswith("UNTYPED") or "Error(" in said:
                yield f"{count} requests ({kind}) ended in {said}"

    def _grown(self) -> Iterator[str]:
        early = max(look["rss"] for _, look in self.looks[: 1 + len(self.looks) // 4])
        late = self.looks[-1][1]["rss"]
        if late > early * (1 + GROWTH):
            yield f"the process grew from {early / MEGABYTE:.1f} to {late / MEGABYTE:.1f} MB"

    def _left(self) -> Iterator[str]:
        first, last = self.looks[0][1], self.looks[-1][1]
        if last["tasks"] != first["tasks"]:
            yield f"tasks are left: {Counter(last['tasks']) - Counter(first['tasks'])}"
        if last["files"] > first["files"] + SPARE:
            yield f"{last['files']} files are open, {first['files']} were before"
        for what in ("used connections", "slots", "waiting", "runs"):
            if last[what]:
                yield f"{what}: {last[what]} are left"
        if set(last["breakers"].values()) != {"closed"}:
            yield f"the breaker is not closed: {last['breakers']}"
        if self.held:
            yield f"{self.held} tokens are still reserved"

    def _misbooked(self) -> Iterator[str]:
        booked, counted = self.booked.get(STAYS), self.counted.get(STAYS)
        if not booked == counted == self.received[STAYS]:
            yield f"booked {booked}, the upstream counted {counted}, clients were told of {self.received[STAYS]} tokens"
        if not self.received[LEAVES] <= self.booked.get(LEAVES, 0) <= self.counted.get(LEAVES, 0):
            yield (
                f"cut short: booked {self.booked.get(LEAVES)}, the upstream counted {self.counted.get(LEAVES)}, "
                f"clients were told of {self.received[LEAVES]} tokens"
            )

    def table(self) -> str:
        """All of it, to be read."""
        kinds = sorted({kind for kind, _ in self.outcomes})
        lines = [f"{sum(self.outcomes.values())} requests in {self.seconds:.0f} s"]
        for kind in kinds:
            found = sorted(((count, said) for (of, said), count in self.outcomes.items() if of == kind), reverse=True)
            lines.append(f"  {kind}: " + ", ".join(f"{said} {count}" for count, said in found))
        lines.append("memory: " + ", ".join(f"{at}: {look['rss'] / MEGABYTE:.1f} MB" for at, look in self.looks))
        lines.append(f"left: {self.looks[-1][1]}")
        for key in (STAYS, LEAVES, FAULTY):
            booked, counted = self.booked.get(key, 0), self.counted.get(key, 0)
            lines.append(f"{key}: booked {booked:,}, counted {counted:,}, received {self.received[key]:,} tokens")
        return "\n".join(lines)
