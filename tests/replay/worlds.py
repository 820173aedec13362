"""Small traces: written by hand, by chance, and the recorded ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

import ponder.controllers
from ponder.core.controller import ControllerPlan, registered_controllers
from ponder.replay.trace import RecordedBranch, RecordedQuestion, Trace, build

__all__ = ["AIME", "BRANCHES", "SHIPPED", "branch", "needs_recorded", "questions", "renamed", "trace"]

AIME = Path(__file__).parents[3] / "shared/data/replay"
needs_recorded = pytest.mark.skipif(not AIME.is_dir(), reason=f"the recorded traces are not at {AIME}")

EFFORTS = (0.0, 1.0)


def small(name: str) -> Iterator[ControllerPlan]:
    """A shipped controller at several efforts."""
    yield from (registered_controllers()[name].plan(effort) for effort in EFFORTS)


SHIPPED = [plan for name in ponder.controllers.SHIPPED for plan in small(name)]

INTERVAL = 10


def branch(probes: str, length: int, final: str | None) -> RecordedBranch:
    """``branch("ABB", 35, "B")``: one letter a probe, ``.`` abstains."""
    return RecordedBranch([None if letter == "." else letter for letter in probes], length, final)


def trace(*branches: RecordedBranch, reference: str | None = "A") -> Trace:
    """One question."""
    return build("test", INTERVAL, [RecordedQuestion("?", reference, branches)])


@st.composite
def _branches(draw: st.DrawFn) -> RecordedBranch:
    probes = draw(st.text("ABC.", max_size=8))
    # Recorded lengths and numbers of probes do not always agree.
    length = max(0, INTERVAL * len(probes) + draw(st.integers(-INTERVAL, 3 * INTERVAL)))
    return branch(probes, length, draw(st.sampled_from(["A", "B", "C", None])))


BRANCHES = 128
"""As many as the most generous method opens."""

questions = st.lists(_branches(), min_size=BRANCHES, max_size=BRANCHES)
"""The branches of one question."""


def renamed(branches: list[RecordedBranch], name: Callable[[Any], Any]) -> list[RecordedBranch]:
    """The same with other names for the answers."""
    return [RecordedBranch([name(probe) for probe in one.probes], one.length, name(one.final)) for one in branches]
