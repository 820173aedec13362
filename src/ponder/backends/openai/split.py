"""Several choices from a server that gives one a call: as many calls at the same time, put together as one reply."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from ponder.backends.openai.counts import guess_prompt
from ponder.core.backend import Progress, Request
from ponder.core.completion import Completion, Usage
from ponder.core.errors import BackendError, BrokenReply, BudgetExhausted, CallTimeout, PartlyFailed

__all__ = ["Ask", "each_alone"]

Ask = Callable[[Request, Progress], Awaitable[Completion]]


async def each_alone(request: Request, progress: Progress, ask: Ask, first: Completion | None = None) -> Completion:
    """The `n` choices of `request`, each from a call of its own; `first` has come already.

    Each choice has a seed of its own. The prompt is charged with each call. What streams shows up in `progress`, and
    so does what is complete.

    Raises:
        BackendError: all calls failed, or with `PartlyFailed` some.
    """
    begun = 0 if first is None else 1
    parts = [_Part(request, index, progress, first if index < begun else None) for index in range(request.n)]
    tasks = [asyncio.ensure_future(part.call(ask)) for part in parts]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    good = {index: part.done for index, part in enumerate(parts) if part.done is not None}
    usage = Usage(progress.prompt_tokens, progress.cached_tokens, sum(progress.tokens), progress.estimated)
    failures = [part.failure for part in parts if part.failure is not None]
    if not failures:
        return Completion(tuple(done.choices[0] for done in good.values()), usage)
    if not good:
        raise failures[0]
    raise PartlyFailed(str(failures[0]), {index: done.choices[0] for index, done in good.items()}, usage, failures[0])


class _Part:
    """One choice: its request, and its progress as a part of the whole."""

    def __init__(self, request: Request, index: int, whole: Progress, done: Completion | None) -> None:
        seed = None if request.seed is None else (request.seed + index) & 0x7FFFFFFF
        self.request = replace(request, n=1, seed=seed, branches=request.branches[index : index + 1])
        self.progress = Progress(watch=self._show, spend=lambda: whole.again(refused=True))
        self._index = index
        self._whole = whole
        self._prompt = self._cached = self._estimated = 0
        self.done = done
        self.failure: BackendError | BudgetExhausted | None = None
        if done is not None:
            whole.prompt_tokens = whole.cached_tokens = whole.estimated = 0
            self._book(done)

    async def call(self, ask: Ask) -> None:
        """Make the call, if it is not done; that it fails does not concern the others."""
        if self.done is not None:
            return
        try:
            self.done = await ask(self.request, self.progress)
        except (BackendError, BudgetExhausted) as error:
            self.failure = error
            if isinstance(error, BrokenReply | CallTimeout):  # the server had the prompt
                guess_prompt(self.progress, self.request)
            self._count()
        else:
            self._book(self.done)

    def _book(self, done: Completion) -> None:
        """What is complete is paid for, whatever becomes of the others."""
        mine, choice = self.progress, done.choices[0]
        mine.prompt_tokens, mine.cached_tokens = done.usage.prompt, done.usage.cached
        mine.estimated = done.usage.estimated
        if (mine.texts, mine.tokens) == ([choice.text], [choice.tokens]):
            self._count()
            return
        mine.texts, mine.tokens = [choice.text], [choice.tokens]
        self._show(0)

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
        """The prompts of all calls together, and the estimates."""
        mine = self.progress
        self._whole.prompt_tokens += mine.prompt_tokens - self._prompt
        self._whole.cached_tokens += mine.cached_tokens - self._cached
        self._whole.estimated += mine.estimated - self._estimated
        self._prompt, self._cached, self._estimated = mine.prompt_tokens, mine.cached_tokens, mine.estimated
