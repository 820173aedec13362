"""Whatever a strategy does, and whenever its process dies, the resumed run ends as an undisturbed one.

Lanes of these programs do not touch each other's branches and do not share a limit: what comes of that is a matter of
time, which a crash does not give back.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from crash import Crash, steady
from hypothesis import given, settings
from hypothesis import strategies as st
from rig import plan

from ponder.core.answer import Answer
from ponder.core.backend import Capability
from ponder.core.branch import Branch
from ponder.core.budget import Budget
from ponder.core.errors import BudgetExhausted
from ponder.core.session import Session
from ponder.core.voting.vote import vote

Node = Any
Tree = list[Node]

LEAVES = ["one", "two", "chat", "roll", "prune", "score", "probe", "fork"]


def _inner(trees: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    several = st.lists(trees, min_size=1, max_size=3)
    limited = st.lists(st.sampled_from(["one", "two", "chat", "roll"]), min_size=1)
    nodes = st.one_of(
        st.sampled_from(["one", "chat", "roll"]),
        st.tuples(st.sampled_from(["gather", "race"]), several),
        st.tuples(st.integers(30, 150), limited),
    )
    return st.lists(nodes, min_size=1, max_size=3)


TREES: st.SearchStrategy[Tree] = st.recursive(
    st.lists(st.sampled_from(LEAVES), min_size=1, max_size=3), _inner, max_leaves=6
)


class Walk:
    """Carries out a program; `seen` is all it learned on the way but branches."""

    def __init__(self, s: Session) -> None:
        self.s = s
        self.seen: list[str] = []

    async def all(self, nodes: Tree) -> list[Branch]:
        done: list[Branch] = []
        for node in nodes:
            done += await (self.operation(node, done) if isinstance(node, str) else self.structure(*node))
        return done

    async def operation(self, name: str, done: list[Branch]) -> list[Branch]:
        s = self.s
        match name:
            case "one" | "two":
                return await s.extend(await s.sample(1 if name == "one" else 2))
            case "roll":
                self.seen.append(str(s.rng.random()))
                return await s.extend(await s.sample(s.rng.randint(1, 3)))
            case "chat":
                said = await s.chat([{"role": "user", "content": f"{len(done)} so far"}], max_tokens=8)
                self.seen.append(said.text)
            case "prune" if done:
                await s.prune(done[s.rng.randrange(len(done))])
            case "score" if done:
                self.seen.append(str([branch.score for branch in await s.score(done)]))
            case "probe" | "fork":
                [branch] = await s.extend(await s.sample(1), tokens=4)
                if name == "probe":
                    self.seen.append(str(await s.probe(branch)))
                return await s.extend(await s.fork(branch, 2))
        return []

    async def structure(self, kind: str | int, inside: list[Any]) -> list[Branch]:
        if isinstance(kind, int):
            return await self.limited(kind, inside)
        children = [self.all(child) for child in inside]
        if kind == "gather":
            groups = await self.s.gather(*children)
        else:
            async with self.s.as_completed(*children) as finished:
                groups = [group async for group in finished]
        return sorted((branch for group in groups for branch in group), key=lambda branch: branch.id)

    async def limited(self, tokens: int, inside: Tree) -> list[Branch]:
        async with self.s.limit(Budget(tokens=tokens)):
            try:
                return await self.all(inside)
            except BudgetExhausted as limit:
                self.seen.append(str(limit))
        return []


async def follows(s: Session, tree: Tree) -> Answer:
    walk = Walk(s)
    return vote(await walk.all(tree), because=" ".join(sorted(walk.seen)))


@settings(max_examples=50, deadline=None)
@given(TREES, st.sampled_from([steady, partial(steady, frozenset(Capability))]), st.data())
def test_any_program_survives_any_crashes(tree: Tree, model: Callable[..., Any], data: st.DataObject) -> None:
    crash = Crash(plan(follows, tree=tree), model)
    crash.after(*data.draw(st.lists(st.integers(0, crash.writes), min_size=1, max_size=3), label="deaths"))
