"""The methods as one would write them down, with lists and dictionaries: the baseline of the ratio."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from math import comb
from typing import Any

__all__ = ["METHODS", "Answers"]


class Branch:
    """One recorded branch: its probes, its length in tokens, its final answer."""

    def __init__(self, record: Sequence[Any]) -> None:
        self.probes, self.length, self.final = record
        self.depth = 0
        self.cost = 0
        self.finished = False
        self.latest: str | None = None
        self.abandoned = False
        self.off = 0

    def read(self) -> str:
        """To the end in one go."""
        self.cost, self.finished, self.latest = max(self.cost, self.length), True, self.final
        return str(self.final)

    def step(self, interval: int) -> None:
        """One interval further."""
        if self.depth < len(self.probes):
            self.latest = self.probes[self.depth]
            self.depth += 1
            self.cost += interval
        else:
            self.read()


Answers = tuple[str | None, int]
Method = Callable[[list[Branch], int], Answers]


def mode(answers: Sequence[str | None]) -> str | None:
    """The most frequent; the first seen of several."""
    return Counter(answers).most_common(1)[0][0] if answers else None


def confidence(answers: Sequence[str | None]) -> float:
    """P(the leader is ahead) by the two largest counts."""
    first, second = ([count for _, count in Counter(answers).most_common(2)] + [0, 0])[:2]
    n = first + second + 1
    return sum(comb(n, j) for j in range(first + 1)) / 2**n if first else 0.0


def cost(branches: list[Branch]) -> int:
    """What they have produced, cut or not."""
    return sum(branch.cost for branch in branches)


def self_consistency(n: int) -> Method:
    def solve(branches: list[Branch], interval: int) -> Answers:
        return mode([branch.read() for branch in branches[:n]]), cost(branches)

    return solve


def adaptive_consistency(n: int, threshold: float) -> Method:
    def solve(branches: list[Branch], interval: int) -> Answers:
        answers: list[str] = []
        for branch in branches[:n]:
            answers.append(branch.read())
            if confidence(answers) > threshold:
                break
        return mode(answers), cost(branches)

    return solve


def esc(n: int, window: int) -> Method:
    def solve(branches: list[Branch], interval: int) -> Answers:
        answers: list[str] = []
        for start in range(0, n, window):
            drawn = [branch.read() for branch in branches[start : start + window]]
            answers += drawn
            if len(set(drawn)) == 1:
                return drawn[0], cost(branches)
        return mode(answers), cost(branches)

    return solve


def short_m_at_k(m: int, k: int) -> Method:
    def solve(branches: list[Branch], interval: int) -> Answers:
        ends = sorted((len(branch.probes) + 1, i) for i, branch in enumerate(branches[:k]))
        last = ends[m - 1][0]
        finished = {i for rounds, i in ends if rounds <= last}
        spent = sum(
            branch.length if i in finished else min(branch.length, last * interval)
            for i, branch in enumerate(branches[:k])
        )
        return mode([branches[i].final for _, i in ends[:m]]), spent

    return solve


def parallel_probe(n: int, stable: int, warmup: int, patience: int) -> Method:
    def solve(branches: list[Branch], interval: int) -> Answers:
        pool = branches[:n]
        for branch in pool:
            branch.step(interval)
        previous, agreed = None, 0
        for step in range(100):
            for branch in pool:
                if not branch.finished:
                    branch.step(interval)
            leader = mode([branch.latest for branch in pool])
            if step >= warmup and len(pool) > 1:
                for branch in pool:
                    if not branch.finished:
                        branch.off = branch.off + 1 if branch.latest != leader else 0
                pool = [branch for branch in pool if branch.off < patience or branch.finished]
                if not pool:
                    break
                leader = mode([branch.latest for branch in pool])
            agreed = agreed + 1 if leader == previous else 0
            previous = leader
            if agreed >= stable or all(branch.finished for branch in pool):
                break
        return previous, cost(branches)

    return solve


def cmc(b: float) -> Method:  # noqa: C901 - it is in one piece, as published
    ceiling, warm_up, patience = min(64, round(4 + 60 * b)), max(2, round(2 + 8 * b)), max(3, round(3 + 9 * b))
    window, alpha, threshold = max(2, round(2 + 6 * b)), 0.70 - 0.40 * b, 0.85 + 0.12 * b
    slack = trend = 0.04 - 0.03 * b
    burst, widen = max(1, round(1 + 2 * b)), max(1, round(1 + 3 * b))
    enough = max(2, round(2 + 3 * b))

    def solve(branches: list[Branch], interval: int) -> Answers:  # noqa: C901
        opened = 0
        done: list[str] = []
        ema = 0.0
        history: list[float] = []

        def advance(branch: Branch) -> None:
            if not branch.finished:
                branch.step(interval)
                if branch.finished:
                    done.append(str(branch.latest))

        def widen_by(count: int) -> None:
            nonlocal opened
            for branch in branches[opened : min(ceiling, opened + count)]:
                advance(branch)
                opened += 1

        widen_by(max(2, round(2 + 6 * b)))
        for t in range(500):
            leader = mode(done)
            warm = t >= warm_up
            ema = (1 - alpha) * ema + alpha * confidence(done)
            history = [*history, ema][-window:]
            live = [branch for branch in branches[:opened] if not branch.finished and not branch.abandoned]
            if warm and leader is not None:
                for branch in live:
                    branch.off = branch.off + 1 if branch.latest != leader else 0
                doomed = sorted((branch for branch in live if branch.off >= patience), key=lambda branch: -branch.off)
                for branch in doomed[: max(0, len(live) - 2)]:
                    branch.abandoned = True
            live = [branch for branch in live if not branch.abandoned]
            for branch in sorted(live, key=lambda branch: -branch.depth):
                for _ in range(burst if warm and leader is not None and branch.latest == leader else 1):
                    advance(branch)
            leader = mode(done)
            ema = (1 - alpha) * ema + alpha * confidence(done)
            history[-1] = ema
            delta = history[-1] - history[0] if len(history) > 1 else 0.0
            if warm and len(done) >= enough and ema >= threshold and delta >= -slack:
                return leader, cost(branches)
            if all(branch.finished or branch.abandoned for branch in branches[:opened]):
                break
            if opened < ceiling and delta <= trend and t >= max(1, warm_up // 2) and ema < threshold:
                widen_by(widen)
        rest = [branch.latest for branch in branches[:opened] if not branch.abandoned]
        return mode(done or rest), cost(branches)

    return solve


METHODS: dict[str, Method] = {
    "self-consistency(n=64)": self_consistency(64),
    "adaptive-consistency(n=64,threshold=0.95)": adaptive_consistency(64, 0.95),
    "esc(n=64,window=8)": esc(64, 8),
    "parallel-probe(n=64,stable=40,warmup=15,patience=7)": parallel_probe(64, 40, 15, 7),
    **{f"self-consistency(n={n})": self_consistency(n) for n in (1, 8, 16, 32)},
    **{f"short-m-at-k(m={m},k={k})": short_m_at_k(m, k) for m, k in ((8, 16), (8, 32), (16, 32), (16, 64), (32, 64))},
    **{f"cmc@{effort}": cmc(effort) for effort in (0.0, 0.25, 0.5, 0.75, 1.0)},
}
