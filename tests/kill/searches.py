"""Strategies that write into branches, give them prompts of their own, and score them on the way."""

from __future__ import annotations

from ponder.core.answer import Answer
from ponder.core.backend import Capability
from ponder.core.branch import Branch
from ponder.core.methods.registry import strategy
from ponder.core.session import Session
from ponder.core.voting.vote import vote

__all__ = ["SEARCHES"]

SEARCHES = ("budget-forcing", "scored-beam", "self-refine", "aggregation", "judged")


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


@strategy("budget-forcing", needs={Capability.CONTINUE})
async def budget_forcing(s: Session, least: int = 24) -> Answer:
    """When the model stops before it has written `least` tokens, "Wait" makes it go on (Muennighoff et al. 2025)."""
    branches = await s.extend(await s.sample(2))
    done = []
    for branch in branches:
        for _ in range(3):
            if branch.ending != "stop" or branch.tokens >= least:
                break
            branch = await s.extend(await s.append(branch, "\nWait"))
        done.append(branch)
    return vote(done, because=" ".join(str(branch.text.count("Wait")) for branch in done))


@strategy("scored-beam", needs={Capability.CONTINUE}, verifier="prefix")
async def scored_beam(s: Session, width: int = 2) -> Answer:
    """Beam search with a process reward: every prefix is scored again when it has grown by a step."""
    beam = await s.score(await s.extend(await s.sample(width), until="step"))
    while any(branch.live for branch in beam):
        children = [child for branch in beam if branch.live for child in await s.fork(branch, 2)]
        grown = await s.score(await s.extend(children, until="step"))
        grown += [branch for branch in beam if not branch.live]
        beam = sorted(grown, key=lambda branch: (branch.live, -(branch.score or 0), branch.id))[:width]
        if rest := [branch for branch in grown if branch.live and branch not in beam]:
            await s.prune(rest)
    scores = " ".join(f"{branch.score}" for branch in beam)
    return vote(beam, lambda branch: branch.score or 0.0, because=scores)


@strategy("self-refine")
async def self_refine(s: Session, rounds: int = 2) -> Answer:
    """Draft, criticise, revise (Madaan et al. 2023); a revision is a branch of its own and votes like any other."""
    [draft] = await s.extend(await s.sample(1))
    drafts = [draft]
    for _ in range(rounds):
        critique = await s.chat(user(f"What is wrong with this?\n{draft.text}"), max_tokens=12)
        prompt = [*s.problem.messages, *user(f"Draft: {draft.text}\nCritique: {critique}\nWrite it anew.")]
        [draft] = await s.extend(await s.sample(1, messages=prompt))
        drafts.append(draft)
    return vote(drafts, because=drafts[-1].text)


@strategy("aggregation")
async def aggregation(s: Session, population: int = 4, together: int = 2, rounds: int = 2) -> Answer:
    """Rounds in which each new member is written from some of the last round (Venkatraman et al. 2025)."""

    async def merged(parts: list[Branch]) -> Branch:
        texts = "\n".join(part.text for part in parts)
        [branch] = await s.extend(await s.sample(1, messages=[*s.problem.messages, *user(f"From these:\n{texts}")]))
        return branch

    members = await s.extend(await s.sample(population))
    for _ in range(rounds):
        groups = [s.rng.sample(members, together) for _ in range(population)]
        members = await s.gather(*(merged(group) for group in groups))
    return vote(members)


@strategy("judged")
async def judged(s: Session, drafts: int = 3, judges: int = 3) -> Answer:
    """Several judgements of every draft; the one that is praised most is taken (LLM as a judge: Zheng et al. 2023)."""

    async def praise(draft: Branch) -> int:
        asked = user(f"How good is this?\n{draft.text}")
        replies = await s.chat(asked, n=judges, max_tokens=9, temperature=1.0, purpose="judge")
        return sum(len(reply.text) for reply in replies)

    found = await s.extend(await s.sample(drafts))
    worth = await s.gather(*(praise(draft) for draft in found))
    best = max(zip(worth, found, strict=True), key=lambda pair: (pair[0], pair[1].id))[1]
    return vote([best], because=" ".join(map(str, worth)))
