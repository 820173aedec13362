"""One step of a strategy's coroutine, the same for every driver."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from ponder.core.actions import Action, Gather, Race
from ponder.core.answer import Answer
from ponder.core.errors import ForeignAwait, PonderError, StrategyError, describe
from ponder.engine.calls import Cut

__all__ = ["Returned", "abandon", "advance", "checked", "close"]

Guard = Callable[..., Any]

CLOSES = 100
"""How often a coroutine is told to end."""


@dataclass(frozen=True, slots=True)
class Returned:
    """The coroutine has ended with this value."""

    value: Any


def _plainly(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


def advance(
    name: str,
    program: Coroutine[Any, Any, Any],
    value: Any,
    error: Exception | None,
    guard: Guard = _plainly,
) -> Action | Returned:
    """Send a result, or throw an error, into the coroutine; returns what it asks for next.

    Raises:
        ForeignAwait: it awaited something that is no Session operation.
        StrategyStuck: `guard` stopped it.
        StrategyError: it raised.
        PonderError: it let one of Ponder's own errors pass.
    """
    try:
        asked = guard(program.send, value) if error is None else guard(program.throw, error)
        if isinstance(asked, Action):
            return asked
        # Thrown at the await itself, so that the traceback shows the strategy's line.
        guard(program.throw, ForeignAwait(_foreign(name, asked)))
        raise ForeignAwait(_foreign(name, asked))
    except StopIteration as end:
        return Returned(end.value)
    except (PonderError, Cut):
        raise
    except (Exception, SystemExit) as mistake:
        raise StrategyError(f"strategy {name} raised {_where(mistake)}") from mistake


def close(program: Coroutine[Any, Any, Any], guard: Guard = _plainly) -> None:
    """End a coroutine that is no longer wanted, whatever its ``finally`` blocks do about it."""
    for _ in range(CLOSES):
        try:
            guard(program.close)
        except RuntimeError:  # it went on to await something; it is asked again from there
            continue
        except Exception:  # noqa: BLE001 - why the run ends is more to the point
            return
        return


def abandon(action: Action) -> None:
    """End the children of an action that was not carried out, or failed."""
    if isinstance(action, Gather | Race):
        for child in filter(inspect.iscoroutine, action.children):
            close(child)


def checked(name: str, answer: Any) -> Answer:
    """What a strategy returned, if it is an Answer with what belongs there."""
    if not isinstance(answer, Answer):
        raise StrategyError(f"strategy {name} returned {answer!r:.60}, which is no Answer")
    if not (answer.value is None or isinstance(answer.value, str)):
        raise StrategyError(f"strategy {name} returned an Answer whose value is no text but {answer.value!r:.60}")
    sure = answer.confidence
    if not (sure is None or (isinstance(sure, int | float) and 0 <= sure <= 1)):
        raise StrategyError(f"strategy {name} returned an Answer whose confidence is not in [0, 1] but {sure!r:.60}")
    if not isinstance(answer.votes, Mapping):
        raise StrategyError(f"strategy {name} returned an Answer whose votes are no mapping but {answer.votes!r:.60}")
    return answer


def _foreign(name: str, asked: object) -> str:
    return (
        f"strategy {name} awaited something that is no Session operation ({type(asked).__name__}); "
        "a strategy may only await methods of its Session"
    )


def _where(mistake: BaseException) -> str:
    """The exception and the line of the strategy that it came from."""
    frames = traceback.extract_tb(mistake.__traceback__)
    frame = next((frame for frame in reversed(frames) if "/ponder/engine/" not in frame.filename), frames[-1])
    return f"{describe(mistake)} ({frame.filename}:{frame.lineno})"
