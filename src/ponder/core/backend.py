"""The seam between the engine and a model: one method, plain data in and out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from ponder.core.bill import Price
from ponder.core.completion import Completion
from ponder.core.settings import LimitName, Thinking

__all__ = ["Backend", "Batches", "Capability", "Message", "Prepares", "Progress", "Request"]


class Capability(StrEnum):
    """What a backend may be able to do; strategies name the ones they need."""

    SAMPLE = "sample"  # complete a chat
    CONTINUE = "continue"  # go on from partial assistant text (`Request.prefix`)
    LOGPROBS = "logprobs"  # report log-probabilities
    CANCEL = "cancel"  # stop the work when the caller cancels, and charge no more than was produced
    SEED = "seed"  # the same seed gives the same text
    N = "n"  # several completions of one prompt in one call, the prompt charged once
    THINKING = "thinking"  # reason more or less before the answer, by a level
    THINKING_BUDGET = "thinking-budget"  # limit hidden reasoning tokens
    SCHEMA = "schema"  # force the output into a JSON schema
    IMAGES = "images"  # read parts of messages that are no text, or pass them on to a model that may


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call to a model.

    `prefix` is assistant text that already stands and is to be continued. `branches` names the branch behind each
    of the `n` choices, so that a backend may keep state (a KV cache slot) for it. `stream` asks the backend to report
    `Progress` while it works, because the caller may cancel or shows it live. `logprobs` is how many alternatives
    to report for the first token; 0 reports none.

    What is None was not set. `temperature`, `top_p`, `thinking` and `limit_name` mean what they mean in
    `ponder.core.settings`.

    `options` are further fields of the chat API under their names there (``tools``, ``response_format``, penalties); a
    text that ``stop`` among them ends has finish "stop". A backend that cannot honour one of them raises
    `MissingCapability` with its name.
    """

    messages: tuple[Message, ...]
    prefix: str = ""
    n: int = 1
    max_tokens: int = 1024
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    logprobs: int = 0
    schema: Mapping[str, Any] | None = None
    thinking: Thinking | None = None
    limit_name: LimitName | None = None
    branches: tuple[str, ...] = ()
    stream: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Progress:
    """What a call has produced so far, kept up to date by a streaming backend.

    When a call is cancelled or breaks, this is what is booked; `estimated` are the tokens, of prompt and output, that
    the server has not counted. `watch` is called after each change with the index of the choice that grew.

    A backend may have to ask the server more than once for one request: because a parameter was refused, or because
    each choice takes a call. It says `again` before each further call; `more` counts these, and `refused` those that
    take the place of a refused one. `notes` are for the answer: what was asked for and could not be had.
    """

    texts: list[str] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    prompt_tokens: int = 0
    cached_tokens: int = 0
    estimated: int = 0
    watch: Callable[[int], None] | None = None
    more: int = 0
    refused: int = 0
    spend: Callable[[], None] | None = None
    notes: list[str] = field(default_factory=list)

    def again(self, *, refused: bool = False) -> None:
        """One more call to the server is about to be made, in the place of a `refused` one or in addition.

        Raises:
            BudgetExhausted: it does not fit the budget.
        """
        if self.spend is not None:
            self.spend()
        self.more += 1
        self.refused += refused

    def grow(self, index: int, text: str, tokens: int = 1) -> None:
        """Choice `index` produced `tokens` more tokens that read `text`."""
        while len(self.texts) <= index:
            self.texts.append("")
            self.tokens.append(0)
        self.texts[index] += text
        self.tokens[index] += tokens
        if self.watch is not None:
            self.watch(index)


@runtime_checkable
class Prepares(Protocol):
    """A backend that has to look at its server before it knows its capabilities."""

    async def prepare(self) -> None:
        """Look, once; the engine calls it before each run.

        Raises:
            BackendError: the server cannot be reached, or refuses the key.
        """
        ...


@runtime_checkable
class Batches(Protocol):
    """A backend whose calls take only so many choices each; None if no limit is known.

    The engine asks for more in several calls, one after the other.
    """

    most_choices: int | None


@runtime_checkable
class Backend(Protocol):
    """A model that can be called.

    `name` is the spec a user writes (``"local/qwen2.5-coder-1.5b"``); `model` is the name the price table knows.
    `concurrency` is how many calls may be under way at once. `price` is None when nobody knows it.
    """

    name: str
    model: str
    capabilities: frozenset[Capability]
    concurrency: int
    price: Price | None

    async def generate(self, request: Request, progress: Progress) -> Completion:
        """Carry out one call, once: the engine retries.

        Cancellation of the awaiting task must stop the work at the model. With `request.stream`, `progress` must be
        current at every await.

        Raises:
            BackendError: the call failed; the subclass says whether asking again may help.
        """
        ...

    async def aclose(self) -> None:
        """Release connections, threads and memory. Safe to call twice."""
        ...


Message = Mapping[str, Any]
"""One chat message as the chat API has it: ``{"role": "user", "content": "..."}``."""
