"""One step of a strategy's coroutine, the same for every driver."""

from __future__ import annotations

import inspect
import reprlib
import traceback
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from ponder.core.actions import Action, Fork, Gather, Race, Sample
from ponder.core.answer import Answer
from ponder.core.completion import Choice
from ponder.core.errors import (
    BudgetExhausted,
    ForeignAwait,
    PonderError,
    Portable,
    StrategyError,
    describe,
)

__all__ = [
    "Cut",
    "Escaped",
    "Returned",
    "abandon",
    "advance",
    "blame",
    "check_children",
    "checked",
    "close",
    "shown",
    "weight",
]

Guard = Callable[..., Any]

CLOSES = 100
"""How often a coroutine is told to end."""


@dataclass(frozen=True, slots=True)
class Returned:
    """The coroutine has ended with this value."""

    value: Any


class Escaped(Portable):
    """Carries what a strategy raised that is no `Exception` through the tasks of a run, which would break on it.

    It ends the run, and is raised at its end as it is.
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__(describe(error))
        self.error = error


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
        Escaped: it raised what is no `Exception`: KeyboardInterrupt, SystemExit, GeneratorExit, a cancellation.
    """
    try:
        asked = guard(program.send, value) if error is None else guard(program.throw, error)
        if isinstance(asked, Action):
            return asked
        # Thrown at the await itself, so that the traceback shows the strategy's line.
        abandon(guard(program.throw, ForeignAwait(_foreign(name, asked))))
        raise ForeignAwait(_foreign(name, asked))
    except StopIteration as end:
        return Returned(end.value)
    except (PonderError, Cut):
        raise
    except Exception as mistake:
        raise blame(name, mistake) from mistake
    except BaseException as end:  # noqa: BLE001 - the driver raises it
        raise Escaped(end) from None


def blame(name: str, mistake: BaseException) -> StrategyError:
    """What to say of a strategy that raised `mistake`."""
    return StrategyError(f"strategy {name} raised {_where(mistake)}")


def close(program: Coroutine[Any, Any, Any], guard: Guard = _plainly) -> BaseException | None:
    """End a coroutine that is no longer wanted, whatever its ``finally`` blocks do about it.

    Returns what it raised meanwhile that is no `Exception`.
    """
    for _ in range(CLOSES):
        try:
            guard(program.close)
        except RuntimeError:  # it went on to await something; it is asked again from there
            continue
        except Exception:  # noqa: BLE001 - why the run ends is more to the point
            return None
        except BaseException as end:  # noqa: BLE001 - the driver raises it
            return end
        return None
    return None


def weight(action: Action) -> int:
    """As how many actions it counts: as many as it opens branches, or lanes."""
    match action:
        case Sample() | Fork():
            return action.n
        case Gather() | Race():
            return max(1, len(action.children))
        case _:
            return 1


def check_children(name: str, action: Gather | Race) -> None:
    """See that what a strategy gathers can run.

    Raises:
        StrategyError: it is no coroutine.
    """
    for child in action.children:
        if not inspect.iscoroutine(child):
            raise StrategyError(
                f"strategy {name} gathers {shown(child)}, which is no coroutine; write s.gather(*coroutines)"
            )


def abandon(action: object) -> None:
    """End the children of an action that was not carried out, or failed."""
    if isinstance(action, Gather | Race):
        for child in filter(inspect.iscoroutine, action.children):
            close(child)


def checked(name: str, answer: Any) -> Answer:
    """What a strategy returned, if it is an Answer with what belongs there."""
    if not isinstance(answer, Answer):
        raise StrategyError(f"strategy {name} returned {shown(answer)}, which is no Answer")
    sure = answer.confidence
    for part, right, wants in (
        ("value", answer.value is None or isinstance(answer.value, str), "is no text"),
        ("confidence", sure is None or (_is_number(sure) and 0 <= sure <= 1), "is not in [0, 1]"),
        ("votes", _are_votes(answer.votes), "are no mapping of texts to numbers"),
        ("text", isinstance(answer.text, str), "is no text"),
        ("stopped_because", isinstance(answer.stopped_because, str), "is no text"),
        ("branch", answer.branch is None or isinstance(answer.branch, str), "is no id"),
        ("notes", _are_texts(answer.notes), "are no tuple of texts"),
    ):
        if not right:
            given = shown(getattr(answer, part))
            raise StrategyError(f"strategy {name} returned an Answer whose {part} {wants} but {given}")
    return answer


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def _are_votes(votes: object) -> bool:
    return isinstance(votes, Mapping) and _are_texts(tuple(votes)) and all(map(_is_number, votes.values()))


def _are_texts(texts: object) -> bool:
    return isinstance(texts, tuple) and all(isinstance(text, str) for text in texts)


_repr = reprlib.Repr()
_repr.maxother = _repr.maxstring = _repr.maxlong = 60


def shown(value: object) -> str:
    """At most a few words of what a strategy gave, however large, and whatever its class makes of it."""
    return f"{_repr.repr(value):.60}"


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


class Cut(Portable):
    """The call ended before it was complete. `choices` is what it had produced.

    With a `limit` it was out of time. Without one an earlier life of the run had cancelled it here, and so ends the
    lane: no strategy sees it, as none sees a cancellation.
    """

    def __init__(self, choices: tuple[Choice, ...] = (), limit: BudgetExhausted | None = None) -> None:
        self.choices = choices
        self.limit = limit
