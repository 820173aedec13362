"""What holds for every reply of every backend."""

from __future__ import annotations

import anyio

from ponder.core.backend import Backend, Progress, Request
from ponder.core.completion import Choice, Completion

__all__ = ["HANG_SECONDS", "Nonconforming", "call", "demand"]

HANG_SECONDS = 300.0
"""A call that takes longer than this counts as hanging; even a slow machine makes 64 tokens in that time."""


class Nonconforming(AssertionError):
    """The backend does not do what the protocol says; the text says what."""


def demand(holds: bool, otherwise: str) -> None:
    """Raise `Nonconforming` with the text `otherwise` unless `holds`."""
    if not holds:
        raise Nonconforming(otherwise)


async def call(backend: Backend, request: Request, progress: Progress | None = None) -> Completion:
    """Make a call and demand of the reply what holds for every reply."""
    progress = Progress() if progress is None else progress
    with anyio.move_on_after(HANG_SECONDS):
        completion = await backend.generate(request, progress)
        _demand_sane(completion, request)
        if request.stream:
            _demand_agreement(completion, progress)
        return completion
    raise Nonconforming(f"no reply within {HANG_SECONDS:g} seconds")


def _demand_sane(completion: Completion, request: Request) -> None:
    choices, usage = completion.choices, completion.usage
    demand(len(choices) == request.n, f"{len(choices)} choices instead of {request.n}")
    demand(usage.prompt > 0, "no prompt tokens are charged")
    demand(0 <= usage.cached <= usage.prompt, f"{usage.cached} of {usage.prompt} prompt tokens are cached")
    made = sum(choice.tokens for choice in choices)
    demand(usage.output == made, f"{usage.output} output tokens are charged, the choices have {made}")
    for choice in choices:
        _demand_sane_choice(choice, request)


def _demand_sane_choice(choice: Choice, request: Request) -> None:
    demand(choice.tokens <= request.max_tokens, f"{choice.tokens} tokens, max_tokens was {request.max_tokens}")
    demand(choice.finish in ("stop", "length", "boundary"), f"finish is {choice.finish!r}")
    demand(choice.tokens > 0 or not choice.text, "text without tokens")
    demand(0 <= choice.thinking_tokens <= choice.tokens, f"{choice.thinking_tokens} of {choice.tokens} are thinking")
    demand("<think>" not in choice.text, "reasoning in the visible text")
    demand(choice.text.isascii() or _is_storable(choice.text), "the text holds half a UTF-16 pair")
    if not request.logprobs:
        demand(choice.logprob is None and not choice.first, "log-probabilities that nobody asked for")


def _is_storable(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _demand_agreement(completion: Completion, progress: Progress) -> None:
    texts, tokens = [choice.text for choice in completion.choices], [choice.tokens for choice in completion.choices]
    demand(progress.texts == texts, f"the streamed texts {progress.texts} are not the final ones {texts}")
    demand(progress.tokens == tokens, f"the streamed tokens {progress.tokens} are not the final ones {tokens}")
    usage = completion.usage
    said = (progress.prompt_tokens, progress.cached_tokens)
    demand(said == (usage.prompt, usage.cached), f"progress says (prompt, cached) {said}, the reply {usage}")
