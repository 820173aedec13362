"""From what a server sent to a `Completion`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ponder.backends.openai.counts import (
    Count,
    Written,
    believed,
    can_be,
    ceiling,
    count,
    estimate_prompt,
    read_count,
    share,
    size_of,
    size_of_calls,
    size_of_prompt,
)
from ponder.backends.openai.ends import end_of
from ponder.backends.openai.tool_calls import as_calls
from ponder.backends.thinking import closes, opens_inside, split_thinking
from ponder.core.backend import Request
from ponder.core.completion import Choice, Completion, Finish, Usage
from ponder.core.errors import Portable

__all__ = [
    "Draft",
    "Failed",
    "FewChoices",
    "Habits",
    "WrongShape",
    "calls_of",
    "complete",
    "content_of",
    "cut_at",
    "entries_of",
    "finish_of",
    "is_named",
    "read",
    "text_of",
    "whole",
]

LEAST_LOGPROB = -9999.0
"""What servers send in the place of minus infinity."""

LARGEST_LOGPROB = 1.0
"""Zero, and the errors of those who round."""


class WrongShape(Exception):
    """The reply is JSON, but not what the API promises; the text says where."""


class Failed(Portable):
    """Choices failed, each by itself: `why` the first did, in words that follow the server's name, or its own error.

    `choices` are those that did not, by their number, and `usage` is that of the whole reply.
    """

    def __init__(self, why: object, choices: Mapping[int, Choice], usage: Usage) -> None:
        super().__init__("choices failed")
        self.why = why
        self.choices = choices
        self.usage = usage


class FewChoices(Portable):
    """A server gave one choice where several were asked for; it is in `completion`, as of a call for one."""

    def __init__(self, completion: Completion) -> None:
        super().__init__("it has one choice")
        self.completion = completion


@dataclass(slots=True)
class Habits:
    """What is seen of a server as it replies: `apart`, that it keeps the reasoning apart itself."""

    apart: bool = False

    def inside(self, request: Request) -> bool:
        """True if the content that follows is reasoning, up to a closing tag."""
        return not self.apart and opens_inside(request.prefix)


@dataclass(slots=True)
class Draft:
    """One choice as far as it has been received.

    `content` still holds ``<think>`` blocks; `reasoning` is what the server kept apart itself. `tokens` is None until
    the server counted this choice by itself; `written` is what has come of it. `names_stops` says that the server
    would have named a stop string that ended it, in `stopped_by`. `failure` is why it is none, as `Failed` has it.
    """

    content: str = ""
    reasoning: str = ""
    finish: str | None = None
    stopped_by: object = None
    names_stops: bool = False
    tokens: int | None = None
    written: Written = field(default_factory=Written)
    logprobs: list[float] = field(default_factory=list)
    first: dict[str, float] | None = None
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    failure: object = None

    def add_logprobs(self, logprobs: object) -> None:
        """Take over the log-probabilities of more tokens.

        A chat completion has an object for each token, a text completion parallel lists; llama.cpp uses the former
        for both.
        """
        if not isinstance(logprobs, dict):
            return
        entries = _zipped(logprobs) if "token_logprobs" in logprobs else logprobs.get("content")
        for entry in entries if isinstance(entries, list) else []:
            logprob = _logprob(entry.get("logprob")) if isinstance(entry, dict) else None
            if logprob is None:
                raise WrongShape("'logprobs.content' holds something that is no log-probability")
            if self.first is None:
                self.first = _alternatives(entry.get("top_logprobs"))
            self.logprobs.append(logprob)


def _zipped(lists: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The lists of a text completion as the objects of a chat completion; only the first gets alternatives."""
    logprobs, tops = lists["token_logprobs"], lists.get("top_logprobs")
    entries = [{"logprob": logprob} for logprob in logprobs] if isinstance(logprobs, list) else []
    top = tops[0] if isinstance(tops, list) and tops else None
    if entries and isinstance(top, dict):
        entries[0]["top_logprobs"] = [{"token": token, "logprob": logprob} for token, logprob in top.items()]
    return entries


def _logprob(value: object) -> float | None:
    """A finite number, None for anything else; what has no probability at all has very little."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value <= LARGEST_LOGPROB:
        return None
    return float(max(value, LEAST_LOGPROB))


def _alternatives(entries: object) -> dict[str, float]:
    """Token texts to log-probabilities, the likeliest first; of tokens that read alike the likeliest counts."""
    found: dict[str, float] = {}
    for entry in entries if isinstance(entries, list) else []:
        logprob = _logprob(entry.get("logprob")) if isinstance(entry, dict) else None
        if logprob is not None:
            token = str(entry.get("token"))
            found[token] = max(logprob, found.get(token, logprob))
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def text_of(message: Mapping[str, Any], *keys: str) -> str:
    """The first of the fields `keys` that is there, as text; empty if none is.

    Raises:
        WrongShape: the field holds something else.
    """
    for key in keys:
        value = message.get(key)
        if isinstance(value, str):
            return value
        if value is not None:
            raise WrongShape(f"{key!r} is no text")
    return ""


def content_of(message: Mapping[str, Any]) -> str:
    """What the message says: its content, a text or parts of one; or else that the model refuses.

    Raises:
        WrongShape: the content is something else.
    """
    content = message.get("content")
    if isinstance(content, list):
        return "".join(text_of(part, "text", "refusal") for part in entries_of(message, "content"))
    return text_of(message, "content") or text_of(message, "refusal")


def entries_of(message: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """The objects in the list `key`; empty if there is none.

    Raises:
        WrongShape: the field holds something else.
    """
    entries = message.get(key) or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise WrongShape(f"{key!r} is no list of objects")
    return entries


def calls_of(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The tool calls in a message or a piece of one, the single one of the API's first form included.

    Raises:
        WrongShape: the field holds something else.
    """
    calls = entries_of(message, "tool_calls")
    if not calls and isinstance(message.get("function_call"), dict):
        return [{"type": "function", "function": message["function_call"]}]
    return calls


def finish_of(choice: Mapping[str, Any]) -> str:
    """The server's word for the end of a choice; empty while there is none."""
    said = text_of(choice, "finish_reason")
    native = choice.get("native_finish_reason")  # OpenRouter calls an error "stop", or leaves it out
    if isinstance(native, str) and native and (not said or end_of(native) == "failed"):
        return native
    return said


def read(reply: object, request: Request, habits: Habits) -> Completion:
    """A reply that came in one piece.

    Raises:
        Failed: choices of it failed, or are not there.
        FewChoices: there is one, and several were asked for.
        WrongShape: it is not the reply to this call.
    """
    choices = reply.get("choices") if isinstance(reply, dict) else None
    if not isinstance(reply, dict) or not isinstance(choices, list):
        raise WrongShape("'choices' is missing")
    drafts = [_draft(choice) for choice in choices]
    return complete(drafts, read_count(reply.get("usage")), request, habits)


def _draft(choice: object) -> Draft:
    if isinstance(choice, dict) and choice.get("error"):  # OpenRouter
        return Draft(failure=choice["error"])
    try:
        return _read_choice(choice)
    except WrongShape as error:
        return Draft(failure=f"gave a reply of the wrong shape: {error}")


def _read_choice(choice: object) -> Draft:
    message = choice.get("message") if isinstance(choice, dict) else None
    if isinstance(choice, dict) and "text" in choice:
        message = {"content": choice["text"]}
    if not isinstance(choice, dict) or not isinstance(message, dict):
        raise WrongShape("a choice has neither 'message' nor 'text'")
    ids = choice.get("token_ids")
    draft = Draft(
        content=content_of(message),
        reasoning=text_of(message, "reasoning_content", "reasoning"),
        finish=finish_of(choice) or "stop",
        stopped_by=choice.get("stop_reason", choice.get("matched_stop")),
        names_stops="stop_reason" in choice or "matched_stop" in choice,
        tokens=len(ids) if isinstance(ids, list) else None,
        tool_calls=as_calls(calls_of(message)),
    )
    draft.add_logprobs(choice.get("logprobs"))
    draft.written.size = size_of(draft.content) + size_of(draft.reasoning) + size_of_calls(draft.tool_calls)
    return draft


def complete(drafts: list[Draft], counted: Count, request: Request, habits: Habits) -> Completion:
    """Put the received choices and the server's count together; `counts` says how missing counts are made up for.

    Raises:
        Failed: choices came to no end of their own, call a tool without a name, or are not there.
        FewChoices: there is one, and several were asked for.
        WrongShape: there are more choices than were asked for.
    """
    if len(drafts) == 1 < request.n:
        raise FewChoices(complete(drafts, counted, replace(request, n=1), habits))
    few = f"it has {len(drafts)} of {request.n} choices"
    if len(drafts) > request.n:
        raise WrongShape(few)
    drafts += [Draft(failure=f"gave a reply of the wrong shape: {few}") for _ in range(request.n - len(drafts))]
    for draft in drafts:
        draft.failure = draft.failure or _failure(draft)
        _cut_stop(draft, request)
    habits.apart |= any(draft.reasoning.strip() for draft in drafts)
    texts = [_texts(draft, request, habits) for draft in drafts]
    counted, tokens, guessed = _counted(drafts, counted, request)
    reasoning = share(counted.reasoning, tokens, texts)
    choices = tuple(
        Choice(
            text=visible,
            tokens=of_all,
            finish=_finish(draft, request),
            thinking=thinking,
            thinking_tokens=of_thinking,
            logprob=sum(draft.logprobs) / len(draft.logprobs) if draft.logprobs and request.logprobs else None,
            first=(draft.first or {}) if request.logprobs else {},
            tool_calls=tuple(draft.tool_calls),
            thinking_closed=closes(draft.content) and not visible,
            unsure=_is_unsure(draft, request),
        )
        for draft, (thinking, visible), of_all, of_thinking in zip(drafts, texts, tokens, reasoning, strict=True)
    )
    prompt = estimate_prompt(request) if counted.prompt is None else counted.prompt
    guessed += prompt if counted.prompt is None else 0
    usage = Usage(prompt=prompt, cached=min(counted.cached, prompt), output=sum(tokens), estimated=guessed)
    failures = [draft.failure for draft in drafts if draft.failure]
    if failures:
        good = {at: choices[at] for at, draft in enumerate(drafts) if not draft.failure}
        raise Failed(failures[0], good, usage)
    return Completion(choices, usage)


def _failure(draft: Draft) -> str | None:
    if draft.finish and end_of(draft.finish) == "failed":
        return f"ended a reply with {draft.finish!r:.60}"
    if not all(map(is_named, draft.tool_calls)):
        return "gave a reply of the wrong shape: a tool call has no 'function' with a name and arguments"
    return None


def is_named(call: Mapping[str, Any]) -> bool:
    """Whether a tool call says which tool it calls, and with what."""
    function = call.get("function")
    named = isinstance(function, dict) and function.get("name") and isinstance(function.get("arguments"), str)
    return bool(named) or "custom" in call


def _counted(drafts: list[Draft], counted: Count, request: Request) -> tuple[Count, list[int], int]:
    """What of the server's count is believed, the tokens of each choice, and how many of these are estimates."""
    limit = ceiling(request.max_tokens)
    whole = Written(sum(draft.written.size for draft in drafts), sum(draft.written.pieces for draft in drafts))
    counted = believed(counted, size_of_prompt(request), whole, len(drafts) * limit)
    single = [
        draft.tokens if draft.tokens is not None and can_be(draft.tokens, draft.written, limit) else None
        for draft in drafts
    ]
    logged = [bool(draft.logprobs) and can_be(len(draft.logprobs), draft.written, limit) for draft in drafts]
    guesses = [
        len(draft.logprobs) if exact else draft.written.tokens for draft, exact in zip(drafts, logged, strict=True)
    ]
    pieces = [draft.written.pieces for draft in drafts]
    tokens = count(counted.output, single, guesses if counted.output is None or 0 in pieces else pieces)
    told = counted.output is not None or None not in single or all(logged)
    return counted, tokens, 0 if told else sum(tokens)


def _cut_stop(draft: Draft, request: Request) -> None:
    """Some servers leave the stop string that ended a choice at its end (vLLM with ``include_stop_str_in_output``)."""
    if end_of(draft.finish or "stop") == "length":
        return
    for stop in sorted(filter(None, request.stop), key=len, reverse=True):
        for part in ("content", "reasoning") if draft.content or not draft.reasoning else ("reasoning",):
            said = getattr(draft, part)
            if said.endswith(stop) and not draft.tool_calls:
                setattr(draft, part, said.removesuffix(stop))
                draft.stopped_by = stop
                return


def _is_unsure(draft: Draft, request: Request) -> bool:
    """True if a stop string may have ended the choice, and the server does not say."""
    return bool(request.stop) and not draft.names_stops and not draft.tool_calls and _finish(draft, request) == "stop"


def _texts(draft: Draft, request: Request, habits: Habits) -> tuple[str, str]:
    """The reasoning and the visible text; where they meet and where the reply begins, without white space."""
    inside = opens_inside(request.prefix)
    thinking, visible = split_thinking(draft.content, habits.inside(request))
    if inside and habits.apart:
        visible = visible.lstrip()
    if not draft.reasoning.strip():
        return whole(thinking), whole(visible)
    if closes(request.prefix) and not visible:
        return "", whole(draft.reasoning)  # a server that looks for the end of a reasoning that had ended before
    reasoning = draft.reasoning if inside else draft.reasoning.lstrip()
    return whole(reasoning.rstrip() if visible else reasoning), whole(visible)


def cut_at(choices: Iterable[Choice], request: Request) -> list[Choice]:
    """The choices of a server that takes no stop strings, ended where they would have ended."""
    boundaries, stops = request.stop, (*request.stop, *request.options.get("stop", ()))

    def cut(choice: Choice) -> Choice:
        ends = [(at, stop) for stop in stops if stop and (at := choice.text.find(stop)) >= 0]
        if not ends:
            return choice
        at, stop = min(ends)
        return replace(choice, text=choice.text[:at], finish="boundary" if stop in boundaries else "stop")

    return list(map(cut, choices))


def whole(text: str) -> str:
    """`text` with the halves of split UTF-16 pairs joined, and lone halves replaced, so that it can be stored."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _finish(draft: Draft, request: Request) -> Finish:
    """A server that does not name the stop string it met leaves "stop": nobody can tell the two apart then."""
    end = end_of(draft.finish or "stop")
    if end in ("length", "content_filter"):
        return end
    return "boundary" if draft.stopped_by in request.stop else "stop"
