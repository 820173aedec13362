"""What a request that passes through has cost, read off what goes by."""

from __future__ import annotations

from typing import Any

from ponder.backends.openai.counts import BYTES_PER_TOKEN, Count, estimate, read_count
from ponder.core.backend import Price
from ponder.core.ledger import Bill
from ponder.gateway.readable import Chunk, Whole

__all__ = ["Books"]


class Books:
    """Counts the tokens of one call.

    The server's own count is taken where it gives one. Without it four bytes are taken for a token, of the reply as of
    the request; each choice of an event in a stream is one at least. `choices` is how many were asked for.
    """

    def __init__(self, request: bytes, choices: int = 1) -> None:
        self._request = request
        self._choices = choices
        self._finished: dict[str, bool] = {}
        self._usage: dict[str, Any] | None = None
        self._seen = self._pieces = self._bytes = 0
        self._cut = False
        self.ended = False

    def take_reply(self, reply: Whole) -> None:
        """A whole reply."""
        self._usage = reply.usage
        self._seen = sum(estimate(choice.written) for choice in reply.choices or ())
        self.ended = True

    def take_chunk(self, chunk: Chunk) -> None:
        """A piece of a stream."""
        self._usage = chunk.usage or self._usage
        self._pieces += len(chunk.choices or ())
        self._bytes += sum(len(choice.written.encode("utf-8", "replace")) for choice in chunk.choices or ())
        self._seen = max(self._pieces, self._bytes // BYTES_PER_TOKEN)
        for choice in chunk.choices or ():
            index = repr(choice.index or 0)
            self._finished[index] = bool(choice.finish_reason) or self._finished.get(index, False)

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
        if not self._seen:
            raise ValueError("the stream is empty")
        self.ended = True

    def bill(self, price: Price | None) -> Bill:
        """What it comes to; zero if it was refused, or failed before anything came back."""
        counted = read_count(self._usage)
        if counted.output is None and not (self._seen or self._cut or self.ended):
            return Bill(usd=None if price is None else 0.0, price=price)
        output = self._output(counted)
        prompt = len(self._request) // BYTES_PER_TOKEN if counted.prompt is None else counted.prompt
        usd = None if price is None else price.cost(prompt, min(counted.cached, prompt), output)
        return Bill(
            prompt_tokens=prompt, cached_prompt_tokens=min(counted.cached, prompt), output_tokens=output,
            thinking_tokens=min(counted.reasoning, output), sequential_tokens=output, calls=1, usd=usd, price=price,
        )  # fmt: skip

    def _output(self, counted: Count) -> int:
        if counted.output is None:
            return self._seen
        # Half a stream may have a count from its beginning.
        return counted.output if self.ended else max(counted.output, self._seen)
