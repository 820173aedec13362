"""The embedded model, on a real file: batches, branches, probes, cancellation, limits."""

from __future__ import annotations

import asyncio
import json
import math
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from ponder.backends.llamacpp import LlamaCpp, options
from ponder.backends.weights import resolve
from ponder.core.backend import Progress, Request
from ponder.core.completion import Choice, Completion
from ponder.core.errors import BackendError, InvalidOption, Rejected, WeightsError

pytestmark = pytest.mark.anyio

MODEL = "local/smollm2-135m"
COUNT = "Count from one to thirty in words, like: one, two, three, and so on."
SEA = "Tell me about the sea."


@pytest.fixture(scope="module")
def weights() -> Path:
    try:
        return resolve(MODEL)
    except WeightsError as error:
        pytest.skip(f"{MODEL} is neither in the cache nor to be had: {error}")


@pytest.fixture(scope="module")
def model(weights: Path) -> Iterator[LlamaCpp]:
    model = LlamaCpp(MODEL, weights, context=4096, slots=8)
    yield model
    anyio.run(model.aclose)


@pytest.fixture(scope="module")
def narrow(weights: Path) -> Iterator[LlamaCpp]:
    """A model with room for two branches."""
    model = LlamaCpp(MODEL, weights, context=256, slots=2)
    yield model
    anyio.run(model.aclose)


def ask(question: str = COUNT, **options: Any) -> Request:
    return Request(messages=({"role": "user", "content": question},), **options)


async def call(model: LlamaCpp, request: Request) -> Completion:
    return await model.generate(request, Progress())


async def greedy(model: LlamaCpp, tokens: int, prefix: str = "", question: str = SEA) -> Completion:
    return await call(model, ask(question, max_tokens=tokens, temperature=0.0, prefix=prefix))


def working() -> list[threading.Thread]:
    """Threads that wait for the runtime."""
    return [thread for thread in threading.enumerate() if thread.name == "ponder-llamacpp"]


async def until(holds: Callable[[], bool]) -> None:
    with anyio.fail_after(120):
        while not holds():
            await anyio.sleep(0.01)


async def test_samples_share_one_prompt(model: LlamaCpp) -> None:
    alone = await call(model, ask(max_tokens=4))
    batch = await call(model, ask(n=6, max_tokens=12, seed=1, temperature=1.0))
    assert batch.usage.prompt == alone.usage.prompt
    assert batch.usage.cached == batch.usage.prompt - 1  # the last token is always computed, to get the next one
    assert len({choice.text for choice in batch.choices}) == 6
    assert batch.usage.output == sum(choice.tokens for choice in batch.choices) > 12


async def test_more_samples_than_slots_follow_as_slots_become_free(narrow: LlamaCpp) -> None:
    progress = Progress()
    completion = await narrow.generate(ask(n=5, max_tokens=8, seed=1, temperature=1.0), progress)
    assert [choice.tokens for choice in completion.choices] == [8] * 5
    assert len({choice.text for choice in completion.choices}) == 5
    assert progress.texts == [choice.text for choice in completion.choices]
    assert completion.usage.prompt == (await call(narrow, ask(max_tokens=1))).usage.prompt


async def test_a_branch_goes_on_where_it_stopped(model: LlamaCpp) -> None:
    whole = await greedy(model, 60)
    text = ""
    for _ in range(3):
        part = await greedy(model, 20, text)
        text += part.choices[0].text
        assert part.usage.prompt - part.usage.cached == 1
    assert text == whole.choices[0].text


async def test_a_probe_does_not_disturb_its_branch(model: LlamaCpp) -> None:
    whole = await greedy(model, 40)
    begun = (await greedy(model, 20)).choices[0].text
    probe = await greedy(model, 6, begun + "\n\nTime is up. Answer: \\boxed{")
    assert probe.usage.prompt - probe.usage.cached < 20
    rest = await greedy(model, 20, begun)
    assert rest.usage.prompt - rest.usage.cached == 1
    assert begun + rest.choices[0].text == whole.choices[0].text


async def test_branches_continue_together_more_than_there_are_slots(narrow: LlamaCpp) -> None:
    texts = dict.fromkeys(range(6), "")

    async def grow(branch: int) -> None:
        request = ask(SEA, max_tokens=6, seed=branch, prefix=texts[branch], branches=(str(branch),))
        [choice] = (await call(narrow, request)).choices
        assert choice.tokens == 6
        texts[branch] += choice.text

    for _ in range(3):
        async with anyio.create_task_group() as group:
            for branch in texts:
                group.start_soon(grow, branch)
    assert len(set(texts.values())) == 6


async def test_calls_that_do_not_fit_the_context_together_wait(narrow: LlamaCpp) -> None:
    """The runtime would fail all of them when its context is full."""
    async with anyio.create_task_group() as group:
        for seed in range(2):
            group.start_soon(call, narrow, ask(prefix="sea " * 90, max_tokens=8, seed=seed))


async def test_the_same_seed_gives_the_same_texts(model: LlamaCpp) -> None:
    async def texts(seed: int | None) -> list[str]:
        request = ask(SEA, n=3, max_tokens=16, temperature=1.0, seed=seed)
        return [choice.text for choice in (await call(model, request)).choices]

    await texts(5)  # from here on the prompt is in the cache, as it is in all that follow
    first, second, other, drawn = [await texts(seed) for seed in (5, 5, 2**40 + 17, None)]
    assert first == second
    assert len({*first, *other, *drawn}) == 9


async def test_a_cancelled_call_stops_the_runtime_and_books_what_it_made(model: LlamaCpp) -> None:
    progress = Progress()
    with anyio.CancelScope() as scope:
        progress.watch = lambda _: scope.cancel() if sum(progress.tokens) >= 12 else None
        await model.generate(ask(n=4, max_tokens=900, stream=True), progress)
    assert scope.cancelled_caught
    await until(lambda: not working())
    booked = list(progress.tokens)
    assert 12 <= sum(booked) < 60
    assert (await call(model, ask(n=8, max_tokens=2))).usage.output == 16  # all slots are free
    assert progress.tokens == booked


async def test_a_native_cancellation_works_too(model: LlamaCpp) -> None:
    progress = Progress()
    # A long greedy reply: one that is drawn at random may end before it is cancelled.
    task = asyncio.create_task(model.generate(ask(SEA, max_tokens=900, temperature=0.0, stream=True), progress))
    await until(lambda: bool(progress.tokens))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not working())


async def test_a_call_can_be_cancelled_while_its_prompt_is_read(model: LlamaCpp) -> None:
    progress = Progress()
    task = asyncio.create_task(model.generate(ask(prefix="sea " * 600, stream=True), progress))
    await until(lambda: progress.prompt_tokens > 600)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert progress.tokens == []
    await until(lambda: not working())


async def test_a_call_that_waits_for_a_slot_can_be_cancelled(narrow: LlamaCpp) -> None:
    progress, waiting = Progress(), Progress()
    async with anyio.create_task_group() as group:
        group.start_soon(narrow.generate, ask(SEA, n=2, max_tokens=100), progress)
        await until(lambda: bool(progress.tokens))
        with anyio.move_on_after(0.05) as scope:
            await narrow.generate(ask(max_tokens=4), waiting)
        assert scope.cancelled_caught
        group.cancel_scope.cancel()
    assert waiting == Progress()
    assert (await call(narrow, ask(n=2, max_tokens=2))).usage.output == 4


async def test_a_stop_string_is_a_boundary_and_not_part_of_the_text(model: LlamaCpp) -> None:
    free = (await greedy(model, 12)).choices[0].text
    word = free.split()[4]
    request = ask(SEA, max_tokens=12, temperature=0.0, stop=(word, "never said"))
    [choice] = (await call(model, request)).choices
    assert choice.finish == "boundary"
    assert choice.text == free[: free.index(word)]


async def test_text_that_may_begin_a_stop_string_is_not_lost_at_the_limit(model: LlamaCpp) -> None:
    free = (await greedy(model, 6)).choices[0].text
    stop = free[-8:] + " which does not follow"
    [choice] = (await call(model, ask(SEA, max_tokens=6, temperature=0.0, stop=(stop,)))).choices
    assert (choice.text, choice.finish) == (free, "length")


async def test_a_model_that_ends_by_itself_says_stop(model: LlamaCpp) -> None:
    [choice] = (await greedy(model, 200, question="What is two plus two? Say only the number.")).choices
    assert choice.finish == "stop"
    assert choice.tokens < 200


async def test_log_probabilities_are_of_the_model_not_of_the_sampling(model: LlamaCpp) -> None:
    async def first(temperature: float) -> Choice:
        request = ask(max_tokens=8, temperature=temperature, logprobs=5, seed=1)
        return (await call(model, request)).choices[0]

    sure, drawn = await first(0.0), await first(1.5)
    assert sure.text.startswith(next(iter(sure.first)))
    assert math.fsum(math.exp(value) for value in sure.first.values()) < 1
    assert sure.first == pytest.approx(drawn.first, abs=0.05)
    assert sure.logprob is not None
    assert drawn.logprob is not None
    assert drawn.logprob < sure.logprob < 0


async def test_what_is_left_out_before_the_nucleus_is_found_changes_nothing(
    model: LlamaCpp, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def texts() -> list[str]:
        completion = await call(model, ask(SEA, n=4, max_tokens=8, temperature=1.5, top_p=0.99, seed=1))
        return [choice.text for choice in completion.choices]

    await texts()  # from now on the prompt is in the cache
    drawn = await texts()
    assert len(set(drawn)) > 1
    monkeypatch.setattr(options, "_NEGLIGIBLE", 0.0)
    assert await texts() == drawn


async def test_reasoning_is_kept_apart_and_counted(model: LlamaCpp) -> None:
    [inside] = (await greedy(model, 8, "<think>Let me see:")).choices
    assert (inside.text, inside.thinking_tokens, inside.tokens) == ("", 8, 8)
    assert inside.thinking
    [after] = (await greedy(model, 8, "<think>Let me see.</think>The answer")).choices
    assert (after.thinking, after.thinking_tokens) == ("", 0)
    assert after.text


async def test_a_schema_forces_the_text(model: LlamaCpp) -> None:
    legs = {"legs": {"enum": [2, 4, 6]}}
    schema = {"type": "object", "properties": legs, "required": ["legs"], "additionalProperties": False}
    [choice] = (
        await call(model, ask("How many legs has a cat?", max_tokens=64, temperature=0.0, schema=schema))
    ).choices
    assert choice.finish == "stop"
    assert json.loads(choice.text)["legs"] in (2, 4, 6)


@pytest.mark.parametrize(
    ("schema", "says"),
    [({"type": "wrong"}, "no JSON schema"), ({"$ref": "#/nowhere"}, "cannot be held to this schema")],
)
async def test_a_schema_that_cannot_be_enforced_is_refused(model: LlamaCpp, schema: Any, says: str) -> None:
    with pytest.raises(Rejected, match=says):
        await call(model, ask("Say hello.", max_tokens=100, temperature=0.0, schema=schema))


async def test_a_prompt_too_long_is_refused_with_both_lengths(narrow: LlamaCpp) -> None:
    with pytest.raises(Rejected, match=r"the prompt has 3\d\d tokens and the model's context holds 256"):
        await call(narrow, ask("sea " * 300))


async def test_a_reply_ends_at_the_end_of_the_context(narrow: LlamaCpp) -> None:
    completion = await call(narrow, ask(prefix="sea, " * 100, max_tokens=5000, temperature=0.0))
    assert completion.choices[0].finish == "length"
    assert completion.usage.prompt + completion.usage.output == 256


async def test_messages_that_the_template_does_not_take_are_refused(model: LlamaCpp) -> None:
    with pytest.raises(Rejected, match="content"):
        await call(model, Request(messages=({"role": "user"},)))


async def test_closing_ends_what_runs_and_is_safe_twice(weights: Path) -> None:
    model = LlamaCpp(MODEL, weights, context=1024, slots=2)
    progress = Progress()
    async with anyio.create_task_group() as group:

        async def run() -> None:
            with pytest.raises(BackendError, match="closed during the call"):
                await model.generate(ask(n=2, max_tokens=500), progress)

        group.start_soon(run)
        await until(lambda: bool(progress.tokens))
        await model.aclose()
    await model.aclose()
    await until(lambda: not working())
    with pytest.raises(BackendError, match="smollm2-135m has been closed"):
        await call(model, ask())


def test_a_model_that_is_closed_at_once_does_not_hang(weights: Path) -> None:
    for _ in range(3):
        anyio.run(LlamaCpp(MODEL, weights, context=256, slots=1).aclose)


@pytest.mark.parametrize("options", [{"context": 0}, {"slots": 0}, {"threads": -1}])
def test_options_out_of_range_are_refused(weights: Path, options: dict[str, int]) -> None:
    with pytest.raises(InvalidOption, match="must be at least 1"):
        LlamaCpp(MODEL, weights, **options)
