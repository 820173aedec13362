"""What people give to `solve` by mistake: each is one sentence that names the argument, before anything is spent."""

from __future__ import annotations

from typing import Any

import openai
import pytest

import ponder
from ponder.backends.scripted import Scripted
from ponder.core.budget import Budget
from ponder.core.errors import UsageError


async def undecorated(s: ponder.Session) -> ponder.Answer:
    raise AssertionError


def plain(s: ponder.Session) -> None:
    raise AssertionError


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"model": openai.OpenAI(api_key="x")}, "clients of other libraries are none"),
    ({"model": Scripted}, "model=the class Scripted: give a spec"),
    ({"strategy": undecorated}, "strategy=undecorated: the function is not decorated; put @ponder.strategy"),
    ({"strategy": plain}, "strategy=plain: a strategy is an `async def`"),
    ({"strategy": Scripted}, "strategy=the class Scripted: give a name such as"),
    ({"strategy": None}, "strategy=None: give a name"),
    ({"budget": 500}, 'budget=500: say what it limits: budget="tokens=500"'),
    ({"budget": {"tokens": 5}}, "budget={'tokens': 5}: say what it limits"),
    ({"budget": True}, "budget=True"),
    ({"verifier": 5}, "verifier=5: give a name"),
    ({"seed": "x"}, "seed='x' must be a whole number"),
    ({"seed": True}, "seed=True must be a whole number"),
    ({"price": 5}, "price=5: give dollars"),
    ({"store": 5}, "store=5"),
    ({"store": "runs.db"}, "store='runs.db': give what"),
    ({"watch": 5}, "watch=5 must be a function"),
    ({"on_start": 5}, "on_start=5 must be a function"),
    ({"max_tokens": "x"}, "max_tokens='x' must be a whole number"),
    ({"temperature": "x"}, "temperature='x' must lie between 0 and 2"),
    ({"temperature": float("nan")}, "temperature=nan must lie between"),
    ({"abstain_below": "x"}, "abstain_below='x' must lie between 0 and 1"),
    ({"options": 5}, "options=5 must be a dict"),
    ({"answers": "magic"}, "answers='magic' must be one of rules, model"),
    ({"question": None}, "question=None: give a text"),
    ({"question": 3}, "question=3: give a text"),
    ({"question": ["a", "b"]}, "is several texts: solve answers one question"),
    ({"question": [{"role": "user", "content": [{"type": "image_url"}]}]}, "images alone are no question"),
    ({"question": [{"role": "user", "content": [{"type": "text", "text": "What?"}, {"type": "image_url"}]}]},
     "scripted reads no images, only text, and the messages hold a part of type 'image_url'"),
    ({"question": [{"role": "user", "content": [{"type": "input_audio"}]}, {"role": "user", "content": "What?"}]},
     "reads no images, only text, and the messages hold a part of type 'input_audio'"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "says"), MISTAKES)
def test_a_mistake_is_named_and_nothing_is_spent(given: dict[str, Any], says: str) -> None:
    model = Scripted(["Answer: 2"])
    with pytest.raises(UsageError) as caught:
        ponder.solve(**{"question": "1 + 1?", "model": model, **given})
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert model.calls == 0


@pytest.mark.parametrize(
    "limits", [{"tokens": "5"}, {"calls": True}, {"tokens": 1.5}, {"usd": -1}, {"seconds": float("nan")}]
)
def test_a_budget_of_something_else_is_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"budget {next(iter(limits))}="):
        Budget(**limits)


def test_options_go_with_every_call() -> None:
    with pytest.raises(UsageError, match="user"):  # the scripted model knows no options, and says so
        ponder.solve("1 + 1?", model=Scripted(["Answer: 2"]), options={"user": "me"})
