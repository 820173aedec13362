"""What a request that passes through has cost, read off the bytes that go by."""

from __future__ import annotations

import msgspec

from ponder.backends.openai.counts import BYTES_PER_TOKEN, read_count
from ponder.core.backend import Price
from ponder.core.ledger import Bill

__all__ = ["Books"]

_TAIL = 4096
"""The last bytes of a stream that are kept: its usage is there, if it has one."""


class _Reply(msgspec.Struct):
    usage: dict[str, object] | None = None


_reply = msgspec.json.Decoder(_Reply)


class Books:
    """Counts the tokens of one call.

    The server's own count is taken where it gives one. For a stream without, or one that was cut off, each event is
    taken for a token, and four bytes of the request for one of its prompt.
    """

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._usage: dict[str, object] | None = None
        self._events = 0
        self._tail = b""
        self.ended = False

    def take_reply(self, data: bytes) -> None:
        """A whole reply.

        Raises:
            msgspec.DecodeError: it is no JSON object.
        """
        self._usage = _reply.decode(data).usage

    def take_piece(self, piece: bytes) -> None:
        """A piece of a stream."""
        self._events += piece.count(b"data:")
        self._tail = (self._tail + piece)[-_TAIL:]
        self.ended = self.ended or b"[DONE]" in self._tail

    def bill(self, price: Price | None) -> Bill:
        """What it comes to; zero if nothing came back."""
        counted = read_count(self._usage or self._usage_of_stream())
        if counted.output is None and not self._events:
            return Bill(usd=None if price is None else 0.0, price=price)
        output = self._events if counted.output is None else counted.output
        prompt = len(self._request) // BYTES_PER_TOKEN if counted.prompt is None else counted.prompt
        usd = None if price is None else price.cost(prompt, min(counted.cached, prompt), output)
        return Bill(
            prompt_tokens=prompt, cached_prompt_tokens=min(counted.cached, prompt), output_tokens=output,
            thinking_tokens=counted.reasoning, sequential_tokens=output, calls=1, usd=usd, price=price,
        )  # fmt: skip

    def _usage_of_stream(self) -> dict[str, object] | None:
        for line in reversed(self._tail.splitlines()):
            if b'"usage"' in line and line.startswith(b"data:"):
                try:
                    usage = _reply.decode(line[5:].strip()).usage
                except (msgspec.DecodeError, UnicodeDecodeError):
                    continue
                if usage:
                    return usage
        return None
