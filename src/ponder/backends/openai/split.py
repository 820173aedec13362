"""Several choices from a server that gives one a call: as many calls at the same time, put together as one reply."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from ponder.core.backend import Completion, Progress, Request, Usage

__all__ = ["Ask", "each_alone"]

Ask = Callable[[Request, Progress], Awaitable[Completion]]


async def each_alone(request: Request, progress: Progress, ask: Ask, first: Completion | None = None) -> Completion:
    """The `n` choices of `request`, each from a call of its own; `first` has come already.

    Each choice has a seed of its own. The prompt is charged with each call. What streams shows up in `progress`.

    Raises:
        BackendError: one of the calls failed; the others are given up.
    """
    begun = 0 if first is None else 1
    parts = [_Part(request, index, progress, first if index < begun else None) for index in range(request.n)]
    tasks = [asyncio.ensure_future(ask(part.request, part.progress)) for part in parts[begun:]]
    try:
        completions = [*([] if first is None else [first]), *await asyncio.gather(*tasks)]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    usages = [completion.usage for completion in completions]
    return Completion(
        tuple(choice for completion in completions for choice in completion.choices),
        Usage(*(sum(getattr(usage, name) for usage in usages) for name in ("prompt", "cached", "output"))),
    )


class _Part:
    """One choice: its request, and its progress as a part of the whole."""

    def __init__(self, request: Request, index: int, whole: Progress, done: Completion | None) -> None:
        seed = None if request.seed is None else (request.seed + index) & 0x7FFFFFFF
        self.request = replace(request, n=1, seed=seed, branches=request.branches[index : index + 1])
        self.progress = Progress(watch=self._show, spend=lambda: whole.again(refused=True))
        self._index = index
        self._whole = whole
        self._prompt = self._cached = 0
        if done is not None:
            self.progress.prompt_tokens, self.progress.cached_tokens = done.usage.prompt, done.usage.cached
            whole.prompt_tokens = whole.cached_tokens = 0
            self.progress.texts, self.progress.tokens = [done.choices[0].text], [done.choices[0].tokens]
            if whole.texts or request.stream:
                self._show(0)
            else:
                self._count()

    def _show(self, _: int) -> None:
        whole, mine = self._whole, self.progress
        while len(whole.texts) <= self._index:
            whole.texts.append("")
            whole.tokens.append(0)
        whole.texts[self._index], whole.tokens[self._index] = mine.texts[0], mine.tokens[0]
        self._count()
        if whole.watch is not None:
            whole.watch(self._index)

    def _count(self) -> None:
        """The prompts of all calls together."""
        mine = self.progress
        self._whole.prompt_tokens += mine.prompt_tokens - self._prompt
        self._whole.cached_tokens += mine.cached_tokens - self._cached
        self._prompt, self._cached = mine.prompt_tokens, mine.cached_tokens
