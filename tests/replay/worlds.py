"""Small traces: written by hand, by chance, and the recorded ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

import ponder.controllers
from ponder.core.methods.controller import ControllerPlan, registered_controllers
from ponder.replay.load import load_trace
from ponder.replay.traces.trace import RecordedBranch, RecordedQuestion, Trace, build
from tests.shared_data import shared_data

__all__ = [
    "BRANCHES",
    "GENERATED",
    "KINDS",
    "QWEN",
    "SHIPPED",
    "branch",
    "figures",
    "questions",
    "recorded",
    "recorded_file",
    "renamed",
    "trace",
]

QWEN = ("Qwen3-0.6B/aime24", "Qwen3-1.7B/aime24", "Qwen3-4B/aime24", "Qwen3-8B/aime24")
"""The published traces, which lie beside the repository."""

GENERATED = "Generated/sums"
"""The one that is part of it, in the same form."""


def figures(name: str) -> Path:
    """The figures expected on this trace and others."""
    return Path(__file__).parent / "generated/expected.json" if name == GENERATED else shared_data(_PUBLISHED)


_PUBLISHED = "replay/expected-aime24.json"


def recorded_file(name: str) -> Path:
    """The file of this trace."""
    folder = Path(__file__).parent / "generated/traces" if name == GENERATED else shared_data("replay/qwen3")
    return folder / f"{name.replace('/', '.')}.json.zst"


@cache
def recorded(name: str) -> Trace:
    """`GENERATED`, or one of `QWEN`."""
    return load_trace(recorded_file(name))


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

KINDS = 16

questions = st.lists(_branches(), min_size=KINDS, max_size=KINDS).map(lambda kinds: kinds * (BRANCHES // KINDS))
"""The branches of one question; each comes several times, because to draw one takes longer than to play it."""


def renamed(branches: list[RecordedBranch], name: Callable[[Any], Any]) -> list[RecordedBranch]:
    """The same with other names for the answers."""
    return [RecordedBranch([name(probe) for probe in one.probes], one.length, name(one.final)) for one in branches]
