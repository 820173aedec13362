"""A streamed completion, put together chunk by chunk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ponder.backends.openai.counts import (
    BYTES_PER_TOKEN,
    Told,
    Written,
    believed,
    can_be,
    ceiling,
    read_count,
    size_of,
    size_of_calls,
    size_of_prompt,
)
from ponder.backends.openai.reply import (
    Draft,
    Failed,
    Habits,
    WrongShape,
    calls_of,
    complete,
    content_of,
    finish_of,
    is_named,
    text_of,
    whole,
)
from ponder.backends.openai.tool_calls import ToolCalls
from ponder.backends.thinking import ThinkingStream
from ponder.core.backend import Progress, Request
from ponder.core.completion import Completion

__all__ = ["Stream"]


class Stream:
    """Collects the chunks of one call and keeps `progress` current.

    What comes is estimated in `progress` until the server says better: with each chunk (vLLM, SGLang), with the last
    chunk of a choice (llama.cpp), or with the total at the end. A choice that goes beyond its limit is cut there.
    `moves` counts the pieces that brought something to read.
    """

    def __init__(self, request: Request, progress: Progress, habits: Habits) -> None:
        self._habits = habits
        self._request = request
        self._progress = progress
        limit = ceiling(request.max_tokens)
        self._told = Told(request.n * limit)
        self._prompt_size: int | None = None
        self.moves = 0
        self._lines = [_Line(at, progress, habits.inside(request), limit) for at in range(request.n)]

    def take(self, chunk: object) -> None:
        """Take over one chunk.

        Raises:
            WrongShape: it is no chunk of this call.
        """
        if not isinstance(chunk, dict):
            raise WrongShape("a chunk is no object")
        choices = chunk.get("choices") or []
        if not isinstance(choices, list):
            raise WrongShape("'choices' is no list")
        usage = chunk.get("usage")
        for choice in choices:
            line = self._line_of(choice)
            written = line.draft.written
            size, pieces = written.size, written.pieces
            self.moves += line.take(choice)
            if written.pieces > pieces:
                self._told.add(written.size - size)
        if usage:
            self._take_usage(usage)
            for choice in choices:
                self._line_of(choice).settle(read_count(usage).output)
        if choices and "__verbose" in chunk:
            self._take_verbose(self._line_of(choices[-1]), chunk["__verbose"])

    def _take_usage(self, usage: object) -> None:
        self._told.tell(usage)
        if self._prompt_size is None:
            self._prompt_size = size_of_prompt(self._request)
        counted = believed(self._told.count, self._prompt_size, Written(), 0)
        self._progress.prompt_tokens = counted.prompt or self._progress.prompt_tokens
        self._progress.cached_tokens = min(counted.cached, self._progress.prompt_tokens)

    def _take_verbose(self, line: _Line, verbose: object) -> None:
        """What llama.cpp says about a finished choice when asked to be verbose."""
        if isinstance(verbose, dict):
            line.draft.stopped_by = verbose.get("stopping_word")
            line.draft.names_stops = "stopping_word" in verbose
            line.settle(verbose.get("tokens_predicted"))

    def _line_of(self, choice: object) -> _Line:
        index = (choice.get("index") or 0) if isinstance(choice, dict) else None
        if not isinstance(index, int) or not 0 <= index < len(self._lines):
            raise WrongShape(f"a chunk is for choice {index!r:.20} of {len(self._lines)}")
        return self._lines[index]

    @property
    def finished(self) -> bool:
        """True if every choice that has begun has come to its end: a server may leave out the end mark."""
        begun = [line for line in self._lines if line.begun]
        return bool(begun) and all(line.draft.finish is not None for line in begun)

    @property
    def complete(self) -> bool:
        """True if every choice that was asked for has come to its end."""
        return all(line.draft.finish is not None for line in self._lines)

    @property
    def cut(self) -> bool:
        """True if nothing more is wanted: all choices have ended, one of them because it went beyond its limit."""
        return any(line.cut for line in self._lines) and self.complete

    def finish(self) -> Completion:
        """The whole reply; afterwards `progress` says exactly the same.

        Raises:
            Failed: choices came to no end of their own, or to none.
            FewChoices: the server has given the first choice only.
        """
        others = self._lines[1:]
        if others and not any(line.begun or line.draft.failure for line in others):
            del self._lines[1:]
        for at, line in enumerate(self._lines):
            if line.draft.finish is None:
                line.draft.failure = (
                    line.draft.failure or f"gave a reply of the wrong shape: choice {at} was not finished"
                )
        completion = complete([line.close() for line in self._lines], self._told.count, self._request, self._habits)
        for line, choice in zip(self._lines, completion.choices, strict=True):
            line.correct(choice.text)
            line.book(choice.tokens)
        return completion

    def ended(self) -> Failed | None:
        """What is there of a stream that broke off: the choices that had ended by then; None if there are none."""
        done = [line.draft.finish is not None and line.draft.failure is None for line in self._lines]
        if not any(done) or all(done):
            return None
        for at, line in enumerate(self._lines):
            if not done[at]:
                line.draft.failure = line.draft.failure or "broke off"
        try:
            self.finish()
        except Failed as failed:
            return failed
        return None


class _Line:
    """One choice in the making."""

    def __init__(self, index: int, progress: Progress, inside: bool, limit: int) -> None:
        self.draft = Draft()
        self.cut = False
        self._limit = limit
        self._index = index
        self._progress = progress
        self._thinking = ThinkingStream(inside)
        self._content: list[str] = []
        self._reasoning: list[str] = []
        self._half = ""
        self._booked = self._guessed = 0
        self._calls = ToolCalls()

    @property
    def begun(self) -> bool:
        """True if anything of it has come."""
        return self.draft.finish is not None or self.draft.written.pieces > 0

    def take(self, choice: Mapping[str, Any]) -> bool:
        """Take over a piece; returns whether it brought something to read, or the end."""
        if self.cut:
            return False
        if choice.get("error"):  # OpenRouter
            self.draft.failure = choice["error"]
            self.draft.finish = self.draft.finish or "error"
            return True
        delta = choice.get("delta") or {"content": choice.get("text")}
        if not isinstance(delta, dict):
            raise WrongShape("'delta' is no object")
        reasoning = text_of(delta, "reasoning_content", "reasoning")
        content = self._joined(content_of(delta))
        self._note(choice)
        calls = calls_of(delta)
        size = size_of(reasoning) + size_of(content) + size_of_calls(calls)
        if (reasoning or content or calls) and self._is_over(size):
            reasoning, content, calls = *self._within(reasoning, content), []
            size = size_of(reasoning) + size_of(content)
        for call in calls:
            self._calls.add(call)
        if reasoning or content or calls:
            self._reasoning.append(reasoning)
            self._content.append(content)
            grown = self.draft.written.add(size)
            self._guessed += grown
            self._progress.estimated += grown
            self._show(*self._thinking.feed(content), tokens=grown)
        return bool(reasoning.strip() or content.strip() or calls or choice.get("finish_reason"))

    def _note(self, choice: Mapping[str, Any]) -> None:
        """What comes beside the text."""
        draft = self.draft
        draft.add_logprobs(choice.get("logprobs"))
        draft.finish = finish_of(choice) or draft.finish
        draft.stopped_by = choice.get("stop_reason", choice.get("matched_stop")) or draft.stopped_by
        draft.names_stops |= "stop_reason" in choice or "matched_stop" in choice

    def _is_over(self, size: int) -> bool:
        """Whether a piece of so many bytes goes beyond the limit; then this is where the choice is cut."""
        written = self.draft.written
        self.cut = Written(written.size + size, written.pieces + 1).tokens > self._limit
        if self.cut:
            self.draft.finish = "length"
        return self.cut

    def _within(self, reasoning: str, content: str) -> tuple[str, str]:
        """As much of a piece as is within the limit."""
        written = self.draft.written
        room = 0 if written.pieces >= self._limit else self._limit * BYTES_PER_TOKEN - written.size
        first = _first(reasoning, room)
        return first, _first(content, room - size_of(first))

    def _joined(self, content: str) -> str:
        """`content` without half a UTF-16 pair at its end, which waits for the next piece."""
        content, self._half = self._half + content, ""
        if content and "\ud800" <= content[-1] <= "\udbff":
            content, self._half = content[:-1], content[-1]
        return whole(content)

    def settle(self, tokens: object) -> None:
        """The server counted `tokens` for this choice so far; what cannot be is not believed."""
        if isinstance(tokens, int) and not isinstance(tokens, bool) and can_be(tokens, self.draft.written, self._limit):
            self.draft.tokens = tokens
            self._progress.estimated -= self._guessed
            self._guessed = 0
            self.book(tokens)

    def book(self, tokens: int) -> None:
        """Bring `progress` to `tokens`."""
        if tokens != self._booked or self._index >= len(self._progress.texts):
            self._show(False, "", tokens - self._booked)

    def correct(self, text: str) -> None:
        """What the visible text is, is known at the end: a server may have left the stop string in it."""
        shown = self._progress.texts
        if self._index < len(shown) and shown[self._index] != text:
            shown[self._index] = text

    def close(self) -> Draft:
        half = whole(self._half)
        self._content.append(half)
        grown = self.draft.written.add(size_of(half)) if half else 0
        self._guessed += grown
        self._progress.estimated += grown
        if self.draft.tokens is not None:
            self.draft.tokens = self._booked  # what came after the server's last count is in it, as estimated
        self.draft.content = "".join(self._content)
        self.draft.reasoning = "".join(self._reasoning)
        self.draft.tool_calls = self._calls.finished()
        if self.cut:  # the last may not have got as far as its name
            self.draft.tool_calls = [call for call in self.draft.tool_calls if is_named(call)]
        held = self._thinking.feed(half)[1] + self._thinking.close()
        if held or grown:
            self._show(False, held, grown)
        return self.draft

    def _show(self, retract: bool, visible: str, tokens: int) -> None:
        self._booked += tokens
        if retract and self._index < len(self._progress.texts):
            self._progress.texts[self._index] = ""
        self._progress.grow(self._index, visible, tokens)


def _first(text: str, size: int) -> str:
    """As much of a text as fits into so many bytes."""
    return text.encode("utf-8", "replace")[: max(0, size)].decode("utf-8", "ignore")
