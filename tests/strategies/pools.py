"""Recorded samples for strategy tests: by hand for golden traces, by hypothesis for properties."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from ponder.core.answer import Answer
from ponder.core.problem import Problem
from ponder.core.settings import Settings
from ponder.engine.methods import parse_spec
from ponder.engine.simulation import drive
from ponder.replay.play.recorded_branches import Pool, Recorded

QUESTION = Problem.of("Which letter?")
LONG = Settings(max_tokens=10_000)


def samples(text: str) -> list[Recorded]:
    """``"A10 B20 -30 A40:0.9"``: an answer (- abstains), a length in tokens, and a score if there is a colon."""
    made = []
    for word in text.split():
        head, _, score = word.partition(":")
        made.append(
            Recorded(
                answer=None if head[0] == "-" else head[0], tokens=int(head[1:]), score=float(score) if score else None
            )
        )
    return made


def run(spec: str, recorded: Sequence[Recorded]) -> Answer:
    """Drive a strategy over recorded samples."""
    return drive(parse_spec(spec), QUESTION, Pool(recorded), settings=LONG)


recorded_samples = st.lists(
    st.builds(
        Recorded,
        answer=st.sampled_from(["A", "B", "C", None]),
        tokens=st.integers(1, 500),
        score=st.floats(0, 1),
    ),
    min_size=64,
    max_size=64,
)
