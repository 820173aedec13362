"""The scripted backend obeys a request as a model would."""

from __future__ import annotations

import math
from dataclasses import replace

import anyio
import pytest

from ponder.backends.scripted import Reply, Scripted
from ponder.core.backend import Capability, Progress, Request
from ponder.core.completion import Choice, Usage
from ponder.core.errors import InvalidOption, MissingCapability, RateLimited

pytestmark = pytest.mark.anyio

ASK = Request(messages=({"role": "user", "content": "What is 1+1?"},))


async def say(backend: Scripted, request: Request) -> list[Choice]:
    completion = await backend.generate(request, Progress())
    return list(completion.choices)


async def test_replies_come_in_turn() -> None:
    backend = Scripted(["It is 1.", "It is 2."])
    assert [(await say(backend, ASK))[0].text for _ in range(3)] == ["It is 1.", "It is 2.", "It is 1."]
    assert [choice.text for choice in await say(backend, replace(ASK, n=2))] == ["It is 2.", "It is 1."]
    assert backend.calls == 4


async def test_a_seed_names_the_reply() -> None:
    backend = Scripted(["0", "1", "2"])
    for _ in range(2):
        assert [choice.text for choice in await say(backend, replace(ASK, n=2, seed=4))] == ["1", "2"]


async def test_a_function_sees_the_request() -> None:
    def script(request: Request, index: int) -> Reply:
        return f"{request.messages[0]['content']} Choice {index}."

    choices = await say(Scripted(script), replace(ASK, n=2))
    assert [choice.text for choice in choices] == ["What is 1+1? Choice 0.", "What is 1+1? Choice 1."]


async def test_words_are_tokens() -> None:
    completion = await Scripted([" It is\n\n2. "]).generate(ASK, Progress())
    assert completion.choices[0] == Choice(text=" It is\n\n2. ", tokens=3, finish="stop")
    assert completion.usage == Usage(prompt=3, cached=0, output=3)


async def test_the_prefix_is_continued() -> None:
    backend = Scripted(["One and one is two.", "Two it is."])
    (choice,) = await say(backend, replace(ASK, prefix="Two"))
    assert (choice.text, choice.tokens) == (" it is.", 2)
    (choice,) = await say(backend, replace(ASK, prefix="One and one", seed=1))
    assert choice.text == " is two."
    (choice,) = await say(backend, replace(ASK, prefix="So the answer:", seed=1))
    assert choice.text == "Two it is."


async def test_limits() -> None:
    backend = Scripted(["One and one is two."])
    assert await say(backend, replace(ASK, max_tokens=2)) == [Choice(text="One and", tokens=2, finish="length")]
    assert await say(backend, replace(ASK, max_tokens=5)) == [Choice("One and one is two.", tokens=5, finish="stop")]
    assert await say(backend, replace(ASK, stop=("is", "and"))) == [Choice("One ", tokens=1, finish="boundary")]
    assert await say(backend, replace(ASK, stop=("two",), max_tokens=1)) == [Choice("One", tokens=1, finish="length")]


async def test_reasoning_is_kept_apart_and_limited() -> None:
    backend = Scripted(["<think>one plus one</think>It is 2."])
    (choice,) = await say(backend, ASK)
    assert (choice.thinking, choice.thinking_tokens, choice.text, choice.tokens) == ("one plus one", 3, "It is 2.", 6)
    (choice,) = await say(backend, replace(ASK, thinking=1))
    assert (choice.thinking, choice.text, choice.tokens) == ("one", "It is 2.", 4)
    (choice,) = await say(backend, replace(ASK, max_tokens=2))
    assert (choice.thinking, choice.text, choice.tokens, choice.finish) == ("one plus", "", 2, "length")


async def test_log_probabilities_only_when_asked_for() -> None:
    backend = Scripted(["It is 2."])
    (choice,) = await say(backend, replace(ASK, logprobs=1))
    assert (choice.logprob, choice.first) == (math.log(0.5), {"It": math.log(0.5)})
    (choice,) = await say(backend, ASK)
    assert (choice.logprob, choice.first) == (None, {})


async def test_streaming_goes_word_by_word_through_all_choices() -> None:
    seen: list[tuple[int, str]] = []
    progress = Progress()
    progress.watch = lambda index: seen.append((index, progress.texts[index]))
    await Scripted(["a b", "c"]).generate(replace(ASK, n=2, stream=True, seed=0), progress)
    assert seen == [(0, "a"), (1, "c"), (0, "a b")]
    assert progress.tokens == [2, 1]


async def test_a_cancelled_call_has_produced_what_it_streamed() -> None:
    progress = Progress()
    with anyio.CancelScope() as scope:
        progress.watch = lambda _: scope.cancel() if sum(progress.tokens) == 2 else None
        await Scripted(["a b c d"]).generate(replace(ASK, stream=True), progress)
    assert (progress.texts, progress.tokens, progress.prompt_tokens) == (["a b"], [2], 3)


async def test_an_error_is_raised() -> None:
    backend = Scripted(lambda request, index: RateLimited("too many calls", 1.0))
    with pytest.raises(RateLimited, match="too many calls"):
        await backend.generate(ASK, Progress())
    assert backend.calls == 1


async def test_a_choice_is_taken_as_it_is() -> None:
    choice = Choice(text="Yes", tokens=1, finish="stop", first={"Yes": -0.1, "No": -2.3})
    assert await say(Scripted(lambda request, index: choice), ASK) == [choice]


async def test_what_is_not_declared_is_refused() -> None:
    backend = Scripted(["It is 2."], capabilities={Capability.SAMPLE})
    with pytest.raises(MissingCapability, match="'scripted' cannot do what this call needs: 'n'"):
        await backend.generate(replace(ASK, n=2), Progress())
    assert backend.calls == 0


def test_an_empty_script_is_refused() -> None:
    with pytest.raises(InvalidOption, match="the script has no replies"):
        Scripted([])
