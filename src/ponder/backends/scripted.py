"""A backend that says what a script tells it to: for tests and examples."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import anyio

from ponder.backends.needs import refuse_options, refuse_undeclared
from ponder.backends.thinking import CLOSE, OPEN, closes, opens_inside, split_thinking
from ponder.core.backend import Capability, Progress, Request
from ponder.core.bill import Price
from ponder.core.completion import Choice, Completion, Finish, Usage
from ponder.core.errors import BackendError, InvalidOption

__all__ = ["Reply", "Script", "Scripted"]

Reply = Choice | str | BackendError
Script = Callable[[Request, int], Reply] | Sequence[str]

_TOKEN = re.compile(r"\s*\S+(?:\s+\Z)?|\s+\Z")
_LOGPROB = math.log(0.5)


@dataclass(frozen=True, slots=True)
class _Part:
    """A choice, and the pieces of visible text with their tokens in which it is streamed."""

    choice: Choice
    pieces: tuple[tuple[str, int], ...]


class Scripted:
    """Answers every request from `script`; one token is one word with the white space before it.

    `script` is a list of whole replies, or a function ``(request, index) -> reply`` asked for each of the ``n``
    choices. From a list, choice ``i`` of a request is number ``seed + i``, or without a seed the next in turn, among
    the replies that begin with ``request.prefix`` (white space next to the tags of reasoning aside), and it continues
    from there; if none does, any reply is said in full after the prefix. The texts of a function are continued in the
    same way.

    Texts obey the request as a model would: reasoning in ``<think>`` goes to ``Choice.thinking`` and is cut at
    ``thinking`` (at 0 for the level "none"), ``max_tokens`` ends in "length", a stop string, in the reasoning as well,
    in "boundary", every token has probability 1/2.
    Only a schema is not enforced: a script that is asked for JSON has to say JSON. A `Choice` is taken as it is, an
    error is raised. Each token takes `token_seconds`; with the default of 0 time does not pass.

    `calls` counts the requests. All capabilities but images are declared unless `capabilities` names
    others.

    Raises:
        InvalidOption: the list is empty.
    """

    def __init__(
        self,
        script: Script,
        *,
        name: str = "scripted",
        model: str = "scripted",
        capabilities: Iterable[Capability] = frozenset(Capability) - {Capability.IMAGES},
        concurrency: int = 64,
        price: Price | None = None,
        token_seconds: float = 0.0,
    ) -> None:
        if not callable(script) and not script:
            raise InvalidOption("the script has no replies")
        self.name = name
        self.model = model
        self.capabilities = frozenset(capabilities)
        self.concurrency = concurrency
        self.price = price
        self.calls = 0
        self._script = script
        self._said = 0
        self._token_seconds = token_seconds

    def __repr__(self) -> str:
        return f"Scripted(name={self.name!r}, calls={self.calls})"

    async def generate(self, request: Request, progress: Progress) -> Completion:
        """Answer from the script.

        Raises:
            MissingCapability: the request needs what is not declared.
            BackendError: the script says so.
        """
        refuse_undeclared(self, request)
        refuse_options(self, request, ())
        self.calls += 1
        progress.prompt_tokens = _prompt_tokens(request)
        parts = [self._part(request, index) for index in range(request.n)]
        for at in range(max(len(part.pieces) for part in parts) or 1):
            await anyio.sleep(self._token_seconds)
            for index, part in enumerate(parts):
                if request.stream and at < len(part.pieces):
                    progress.grow(index, *part.pieces[at])
        choices = tuple(part.choice for part in parts)
        return Completion(choices, Usage(progress.prompt_tokens, 0, sum(choice.tokens for choice in choices)))

    async def aclose(self) -> None:
        """Nothing to release."""

    def _part(self, request: Request, index: int) -> _Part:
        reply = self._reply(request, index)
        if isinstance(reply, BackendError):
            raise reply
        if isinstance(reply, Choice):
            return _Part(reply, ((reply.text, reply.tokens),))
        rest = _rest(reply, request.prefix)
        return _perform(reply if rest is None else rest, request)

    def _reply(self, request: Request, index: int) -> Reply:
        if callable(self._script):
            return self._script(request, index)
        fitting = [text for text in self._script if _rest(text, request.prefix) is not None] or self._script
        if request.seed is not None:
            return fitting[(request.seed + index) % len(fitting)]
        self._said += 1
        return fitting[(self._said - 1) % len(fitting)]


def _rest(text: str, prefix: str) -> str | None:
    """What follows `prefix` in `text`; None if it does not begin so."""
    if text.startswith(prefix):
        return text[len(prefix) :]
    if OPEN not in prefix:
        return None
    text, prefix = _bare(text), _bare(prefix)
    if opens_inside(prefix) and not text.startswith(prefix):
        prefix = prefix.rstrip()  # what it leaves out stands before the closing tag
    return text[len(prefix) :] if text.startswith(prefix) else None


def _bare(text: str) -> str:
    """`text` without the white space next to the tags of its reasoning."""
    if not text.lstrip().startswith(OPEN):
        return text
    thinking, visible = split_thinking(text)
    return f"{OPEN}{thinking}{CLOSE}{visible}" if closes(text) else f"{OPEN}{thinking}"


def _perform(text: str, request: Request) -> _Part:
    """Say `text` within the limits of `request`."""
    said, finish = _until_stop(text, request.stop)
    closed = closes(said)
    thinking, visible = split_thinking(said, opens_inside(request.prefix))
    thoughts = _TOKEN.findall(thinking)[: _most_thoughts(request)]
    words = _TOKEN.findall(visible)
    if len(thoughts) + len(words) > request.max_tokens:
        finish = "length"
        closed = closed and len(thoughts) <= request.max_tokens
        thoughts = thoughts[: request.max_tokens]
        words = words[: request.max_tokens - len(thoughts)]
    tokens = len(thoughts) + len(words)
    choice = Choice(
        text="".join(words),
        tokens=tokens,
        finish=finish,
        thinking="".join(thoughts),
        thinking_tokens=len(thoughts),
        logprob=_LOGPROB if request.logprobs and tokens else None,
        first=dict.fromkeys((thoughts + words)[:1], _LOGPROB) if request.logprobs else {},
        thinking_closed=closed and not words,
    )
    return _Part(choice, (*(("", 1) for _ in thoughts), *((word, 1) for word in words)))


def _most_thoughts(request: Request) -> int | None:
    return request.thinking if isinstance(request.thinking, int) else 0 if request.thinking == "none" else None


def _until_stop(text: str, stop: Sequence[str]) -> tuple[str, Finish]:
    """The text before the stop string that comes first."""
    ends = [text.find(string) for string in stop if string in text]
    return (text[: min(ends)], "boundary") if ends else (text, "stop")


def _prompt_tokens(request: Request) -> int:
    texts = [str(message.get("content", "")) for message in request.messages]
    return sum(len(text.split()) for text in (*texts, request.prefix))
