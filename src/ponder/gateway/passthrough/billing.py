"""What a request that passes through has cost, read off what goes by."""

from __future__ import annotations

from ponder.backends.openai.counts import (
    BYTES_PER_TOKEN,
    Count,
    Told,
    believed,
    estimate,
    size_of,
    size_of_calls,
)
from ponder.core.bill import Bill, Price
from ponder.gateway.passthrough.upstream_replies import Chunk, Whole

__all__ = ["Books"]


class Books:
    """Counts the tokens of one call, as `ponder.backends.openai.counts` counts those of any.

    `choices` is how many were asked for, `limit` how many tokens all of them together may come to; a stream of more is
    `over`, and is cut. `moves` counts the pieces that brought something to read.
    """

    def __init__(self, request: bytes, choices: int, limit: int) -> None:
        self._request = request
        self._choices = choices
        self._limit = limit
        self._finished: dict[str, bool] = {}
        self._told = Told(limit)
        self._written = self._told.written
        self._cut = False
        self.over = False
        self.moves = 0
        self.ended = False

    def take_reply(self, reply: Whole) -> None:
        """A whole reply."""
        for choice in reply.choices or ():
            self._written.size += size_of(choice.written) + size_of_calls(choice.calls)
        self._told.tell(reply.usage)
        self.ended = True

    def take_chunk(self, chunk: Chunk) -> None:
        """A piece of a stream."""
        for choice in chunk.choices or ():
            text = choice.written
            if text or choice.calls:
                self._told.add(size_of(text) + size_of_calls(choice.calls))
            self.moves += bool(text.strip() or choice.calls or choice.finish_reason)
            index = repr(choice.index or 0)
            self._finished[index] = bool(choice.finish_reason) or self._finished.get(index, False)
        if chunk.usage:
            self._told.tell(chunk.usage)
        self.over = self._written.tokens > self._limit

    def has_room(self, size: int) -> bool:
        """Whether so many bytes of a stream cannot lead beyond the limit."""
        return self._written.tokens + size // BYTES_PER_TOKEN < self._limit

    @property
    def finished(self) -> bool:
        """Whether every choice of a stream that has begun has come to its end: the end mark may be left out."""
        return bool(self._finished) and all(self._finished.values())

    @property
    def complete(self) -> bool:
        """Whether that is every choice that was asked for."""
        return self.finished and len(self._finished) >= self._choices

    def cut(self) -> None:
        """It was broken off while the upstream worked, which had the prompt."""
        self._cut = True

    def end(self) -> None:
        """The end mark of a stream.

        Raises:
            ValueError: nothing came before it.
        """
        if not self._finished:
            raise ValueError("the stream is empty")
        self.ended = True

    def bill(self, price: Price | None) -> Bill:
        """What it comes to; zero if it was refused, or failed before anything came back."""
        told = self._told.count
        if told.output is None and not (self._written.pieces or self._cut or self.ended):
            return Bill(usd=None if price is None else 0.0, price=price)
        counted = believed(told, len(self._request), self._written, self._limit)
        prompt = max(1, estimate(len(self._request))) if counted.prompt is None else counted.prompt
        output, cached = self._output(counted), min(counted.cached, prompt)
        guessed = (prompt if counted.prompt is None else 0) + (output if counted.output is None else 0)
        usd = None if price is None else price.cost(prompt, cached, output)
        return Bill(
            prompt_tokens=prompt, cached_prompt_tokens=cached, output_tokens=output,
            thinking_tokens=min(counted.reasoning, output), estimated_tokens=guessed, sequential_tokens=output, calls=1,
            usd=usd, price=price,
        )  # fmt: skip

    def _output(self, counted: Count) -> int:
        output = self._written.tokens if counted.output is None else counted.output
        return min(output, self._limit) if self.over else output  # what went beyond was not passed on
