"""Every error that Ponder raises on purpose.

    PonderError
    ├── UsageError                 what was asked for cannot be done; nothing was sent
    │   ├── UnknownName            no strategy, model or verifier of that name
    │   ├── InvalidOption          a value out of range or in the wrong unit
    │   ├── InvalidProblem         the question is empty, too large, or no text
    │   ├── MissingCapability      the strategy needs what the backend cannot do
    │   └── BudgetTooSmall         not even one call fits
    ├── WeightsError               model weights cannot be fetched, verified or loaded
    ├── BackendError               a model call failed
    │   ├── Unreachable            no connection, or a 5xx              (retried)
    │   ├── RateLimited            429                                   (retried)
    │   ├── CallTimeout            no answer in time                     (retried)
    │   ├── BrokenReply            half a JSON, a stream that closed     (retried)
    │   ├── PartlyFailed           some choices of a call failed         (those are retried)
    │   └── Rejected               401, 403, 404, 400: asking again will not help
    ├── BudgetExhausted            told to a strategy when a limit is reached
    ├── StrategyError              the strategy itself is wrong
    │   ├── ForeignAwait           it awaits what is no Session operation; also a TypeError
    │   ├── SessionMisused         a Session is used after its run, or by somebody else than its strategy
    │   └── StrategyStuck          it computes without end, or acts without end
    ├── VerifierError              a verifier does not work, or gives no score
    ├── StoreError                 the run store cannot be read or written
    │   └── RunBusy                another process works on the run
    └── TraceError                 a recorded trace cannot be read, or contradicts itself

``exit_code`` is what the shell command ends with: 2 for something to correct first, 1 for a run that failed.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ponder.core.text.quoting import quoted

if TYPE_CHECKING:
    from ponder.core.bill import Bill
    from ponder.core.completion import Choice, Usage

__all__ = [
    "BackendError",
    "BrokenReply",
    "BudgetExhausted",
    "BudgetTooSmall",
    "CallTimeout",
    "ForeignAwait",
    "InvalidOption",
    "InvalidProblem",
    "MissingCapability",
    "PartlyFailed",
    "PonderError",
    "PonderWarning",
    "Portable",
    "RateLimited",
    "Rejected",
    "RunBusy",
    "SessionMisused",
    "StoreError",
    "StrategyError",
    "StrategyStuck",
    "TooFewBranches",
    "TraceError",
    "UnknownName",
    "Unreachable",
    "UsageError",
    "VerifierError",
    "WeightsError",
    "describe",
    "near",
]


NEAR = 0.6
"""How alike two names are, by difflib, of which one may be meant by the other: three letters of four, or of five."""


class Portable(Exception):
    """Pickles and copies as it is, whatever its ``__init__`` takes: errors cross processes."""

    def __reduce__(self) -> tuple[Any, ...]:
        """How to make it again: its text first, then its fields."""
        return _again, (type(self), self.args), self.__dict__


class PonderError(Portable):
    """Base of all errors below. Its text is one line, written for the person who reads it."""

    exit_code = 1
    bill: Bill | None = None
    """What the run had spent when it failed; None if nothing was sent."""


class PonderWarning(UserWarning):
    """What was asked for was done, but not in the way that was expected. The shell command prints it, once."""


class UsageError(PonderError):
    """What was asked for cannot be done. Nothing was sent, nothing was spent."""

    exit_code = 2


class UnknownName(UsageError):
    """No `kind` has this name; the text offers the nearest one."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        close = near(name, names)
        hint = f"did you mean {close!r}?" if close else f"known: {', '.join(names)}"
        super().__init__(f"unknown {kind} {quoted(name)}; {hint}")


class InvalidOption(UsageError):
    """An option has a value out of range, of the wrong type or in the wrong unit."""


class TooFewBranches(InvalidOption):
    """A method is told to open more branches than were recorded."""


class InvalidProblem(UsageError):
    """The question is empty, too large, or not text."""


class MissingCapability(UsageError):
    """The strategy needs something that the backend cannot do."""


class BudgetTooSmall(UsageError):
    """The budget does not cover a single call."""


class WeightsError(PonderError):
    """Model weights cannot be fetched, verified or loaded."""

    exit_code = 2


class BackendError(PonderError):
    """A model call failed.

    `retryable` says whether the same call may succeed later; `sent` is false for one that was not even made.
    """

    exit_code = 2
    retryable = False
    sent = True


class Unreachable(BackendError):
    """No connection, or the server answered with a 5xx `status`, which is None if there was no connection."""

    retryable = True

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class RateLimited(BackendError):
    """The server answered 429. `retry_after` is its own wish in seconds, if it gave one."""

    retryable = True

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class CallTimeout(BackendError):
    """The server did not answer in time."""

    retryable = True


class BrokenReply(BackendError):
    """The reply was cut off or is not what the wire promises."""

    retryable = True


class PartlyFailed(BackendError):
    """Some of a call's choices failed; `choices` are the others, by their place in the request.

    `cause` is what became of the failed ones, and `usage` what the whole call is charged for.
    """

    def __init__(
        self,
        message: str,
        choices: Mapping[int, Choice] | None = None,
        usage: Usage | None = None,
        cause: BackendError | BudgetExhausted | None = None,
    ) -> None:
        super().__init__(message)
        self.choices = dict(choices or {})
        self.usage = usage
        self.cause = cause or BackendError(message)
        self.retryable = isinstance(self.cause, BackendError) and self.cause.retryable


class Rejected(BackendError):
    """The server refused the call (401, 403, 404, 400 ...): asking again will not help.

    `status` is what it answered, None if it did not get so far; `said` is all that it said, not for a person's eyes.
    """

    def __init__(self, message: str, status: int | None = None, said: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.said = said


class BudgetExhausted(PonderError):
    """A limit is reached; raised inside the strategy, which should answer with what it has.

    `limit` names the limit (``"tokens"``, ``"usd"``, ``"calls"``, ``"seconds"``). `refundable` is true while calls
    under way hold part of the budget and may give some back. `inner` is true for a limit that the strategy set itself.
    """

    def __init__(self, message: str, limit: str, refundable: bool = False, inner: bool = False) -> None:
        super().__init__(message)
        self.limit = limit
        self.refundable = refundable
        self.inner = inner


class StrategyError(PonderError):
    """The strategy raised, or returned something that is no Answer."""


class ForeignAwait(StrategyError, TypeError):
    """The strategy awaited something that is no operation of its Session."""


class SessionMisused(StrategyError):
    """A Session is used after the end of its run, or by somebody else than its strategy."""


class StrategyStuck(StrategyError):
    """The strategy computes, or acts, without end."""


class VerifierError(PonderError):
    """A verifier raised, gave something that is no score, or cannot be started."""


class StoreError(PonderError):
    """The run store cannot be read or written."""

    exit_code = 2


class RunBusy(StoreError):
    """Another process works on the run."""

    def __init__(self, run: str) -> None:
        super().__init__(f"run {run} is being worked on by another process; wait for it to end")


class TraceError(PonderError):
    """A recorded trace cannot be read, or contradicts itself."""

    exit_code = 2


def near(name: str, known: Iterable[str], alike: float = NEAR) -> str | None:
    """The one of `known` that somebody who wrote `name` may have meant; None if none is `alike` (by difflib)."""
    names = list(known)
    if len(name) > (2 / alike - 1) * max(map(len, names), default=0):  # so much longer that it is like none
        return None
    close = difflib.get_close_matches(name, names, n=1, cutoff=alike)
    return close[0] if close else None


def describe(error: BaseException) -> str:
    """One line for any exception, whether Ponder raised it or not."""
    if isinstance(error, PonderError):
        return str(error)
    try:
        text = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - it is somebody else's class
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _again(kind: type[Portable], arguments: tuple[Any, ...]) -> Portable:
    """An error of this kind without its fields, which follow."""
    return kind.__new__(kind, *arguments)
