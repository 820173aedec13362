"""The two halves together, as a run uses them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ponder.answers import Answers, JsonValues
from ponder.core.answer_format import AnswerFormat
from ponder.workers.pool import Workers
from ponder.workers.share import Share

pytestmark = pytest.mark.anyio

REPLIES = [
    r"Half of it, so \boxed{\frac12}.",
    "I am not sure what is asked.",
    "Answer: 0.5",
    "**Answer:** 50%",
    r"The answer is $\frac{\sqrt{4}}{4}$.",
    "Answer: 2",
]


async def test_replies_become_votes(workers: Workers) -> None:
    format: AnswerFormat = Answers(workers)
    answers = [answer for reply in REPLIES if (answer := await format.extract(reply)) is not None]
    assert answers == [r"\frac12", "0.5", "50%", r"\frac{\sqrt{4}}{4}", "2"]
    assert [await format.same(answers[0], answer) for answer in answers] == [True, True, True, True, False]


@pytest.mark.parametrize(
    ("format", "reply"),
    [
        (Answers, "It is so. " * 3_000 + "Answer: Canberra"),
        (JsonValues, json.dumps({"steps": ["so"] * 5_000, "answer": 7})),
    ],
)
async def test_a_long_reply_is_read_outside_the_event_loop(format: Any, reply: str, workers: Workers) -> None:
    before = workers.jobs
    assert await format(workers).extract(reply) in {"Canberra", "7"}
    assert workers.jobs == before + 1


async def test_of_a_long_reply_that_there_is_no_time_for_the_end_is_read(workers: Workers) -> None:
    reply, before = "It is so. " * 3_000 + "Answer: Canberra", workers.jobs
    with Share(seconds=0).working():
        assert await Answers(workers).extract(reply) == "Canberra"
    assert workers.jobs == before
