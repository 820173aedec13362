"""Strategies that use everything a resume has to get right."""

from __future__ import annotations

import ponder.strategies  # noqa: F401 - registers them
from ponder.core.answer import Answer
from ponder.core.backend import Capability, Request
from ponder.core.branch import Branch
from ponder.core.budget import Budget
from ponder.core.errors import BudgetExhausted
from ponder.core.methods.registry import strategy
from ponder.core.problem import Ask, Problem
from ponder.core.session import Session
from ponder.core.voting.vote import vote
from tests.kill.searches import SEARCHES

__all__ = ["LENGTH", "NAMES"]

NAMES = (
    "self-consistency(n=6)",
    "adaptive-consistency(n=8,threshold=0.99)",
    "tournament",
    "first-three",
    "lottery",
    "beam",
    "rationed",
    "step-beam",
    *SEARCHES,
)


class Length:
    """Asks the model about a branch, twice, and scores it by the length of what it says."""

    name = "length"
    reads = "prefix"
    needs: frozenset[Capability] = frozenset()

    async def score(self, problem: Problem, branch: Branch, ask: Ask) -> float:
        total = 0
        for question in ("Is it long?", "Is it short?"):
            request = Request(messages=({"role": "user", "content": branch.text + question},), max_tokens=9)
            total += sum(len(choice.text) for choice in (await ask(request)).choices)
        return total % 10 / 10


LENGTH = Length()


@strategy("tournament", verifier=True)
async def tournament(s: Session) -> Answer:
    """Pairs in parallel, each of them parallel inside; a chat picks in every pair, scores decide."""

    async def contestant() -> Branch:
        [branch] = await s.sample(1)
        branch = await s.extend(branch, tokens=6)
        return await s.extend(branch)

    async def pair(number: int) -> Branch:
        left, right = await s.gather(contestant(), contestant())
        said = await s.chat([{"role": "user", "content": f"{number}: {left.text} or {right.text}?"}], max_tokens=12)
        return left if len(said.text) % 2 else right

    winners = await s.gather(*(pair(number) for number in range(3)))
    return vote(await s.score(winners), lambda branch: branch.score or 0.0)


@strategy("first-three", needs={Capability.CANCEL})
async def first_three(s: Session) -> Answer:
    """The first three of six vote, and each is commented on as it comes."""
    done: list[Branch] = []
    async with s.as_completed(*(s.extend(branch) for branch in await s.sample(6))) as finished:
        async for branch in finished:
            done.append(branch)
            await s.chat([{"role": "user", "content": f"{len(done)}: {branch.text}"}], max_tokens=5)
            if len(done) == 3:
                break
    return vote(done, because=" then ".join(branch.id for branch in done))


@strategy("lottery")
async def lottery(s: Session) -> Answer:
    """Draws lots in every lane, and says what it drew."""

    async def ticket(most: int) -> tuple[list[Branch], float]:
        branches = await s.extend(await s.sample(s.rng.randint(1, most)))
        return branches, s.rng.random()

    async def book() -> list[tuple[list[Branch], float]]:
        return await s.gather(ticket(2), ticket(2))

    async def alone(most: int) -> list[tuple[list[Branch], float]]:
        return [await ticket(most)]

    flat = [drawn for group in await s.gather(alone(2), alone(3), book()) for drawn in group]
    await s.clock()
    s.rng.shuffle(flat)
    lots = " ".join(f"{lot:.6f}" for _, lot in flat)
    return vote([branch for branches, _ in flat for branch in branches], because=f"{lots} {s.rng.random():.6f}")


@strategy("beam", needs={Capability.CONTINUE})
async def beam(s: Session) -> Answer:
    """Grow, probe, prune, fork: every operation there is."""
    branches = await s.extend(await s.sample(4), tokens=5)
    said = await s.probe(branches)
    keep = [branch for branch, answer in zip(branches, said, strict=True) if answer is not None][:2] or branches[:2]
    await s.prune([branch for branch in branches if branch not in keep])
    children = [child for branch in keep for child in await s.fork(branch, 2)]
    grown = await s.gather(*(s.extend(child, until="step") for child in children))
    await s.prune(grown[-1])
    return vote(await s.extend(grown[:-1]))


@strategy("rationed")
async def rationed(s: Session) -> Answer:
    """Lanes under limits of their own, which some of them reach."""

    async def lane(tokens: int) -> list[Branch]:
        done: list[Branch] = []
        async with s.limit(Budget(tokens=tokens)):
            try:
                while len(done) < 3:
                    done += await s.extend(await s.sample(1))
            except BudgetExhausted:
                return done
        return done

    lanes = await s.gather(lane(50), lane(75), lane(1000))
    return vote([branch for done in lanes for branch in done], because=" ".join(str(len(done)) for done in lanes))


@strategy("step-beam", needs={Capability.CONTINUE})
async def step_beam(s: Session, width: int = 2) -> Answer:
    """Beam search over steps: fork each of the best, go one step further, keep those that ended, or said most."""
    beam = await s.extend(await s.sample(width), until="step")
    steps = 1
    while any(branch.live for branch in beam):
        children = [child for branch in beam if branch.live for child in await s.fork(branch, 2)]
        grown = await s.extend(children, until="step") + [branch for branch in beam if not branch.live]
        beam = sorted(grown, key=lambda branch: (branch.live, -len(branch.text)))[:width]
        rest = [branch for branch in grown if branch.live and branch not in beam]
        if rest:
            await s.prune(rest)
        steps += 1
    return vote(beam, because=f"{steps} steps")
