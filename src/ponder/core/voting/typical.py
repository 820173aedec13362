"""Which of several replies stands for all of them, where there is no final answer to vote on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from ponder.core.branch import Branch

__all__ = ["best_reply", "most_typical"]

_WORD = re.compile(r"\w+")
_WORDS_READ = 4_000


def most_typical(texts: Sequence[str]) -> int:
    """The index of the text that shares most with the others; the first of equals.

    Minimum Bayes risk decoding with the F1 of words as the gain (Eikema and Aziz 2020, arXiv 2005.10283), each text
    held against the average of all (Vamvas and Sennrich 2024, arXiv 2402.04251), which takes linear time.
    """
    bags = [Counter(_WORD.findall(text.lower())[:_WORDS_READ]) for text in texts]
    whole: Counter[str] = Counter()
    for bag in bags:
        whole.update(bag)
    average = {word: count / len(bags) for word, count in whole.items()}
    length = sum(average.values())

    def gain(index: int) -> float:
        bag = bags[index]
        shared = sum(min(count, average[word]) for word, count in bag.items())
        size = bag.total() + length
        return 2 * shared / size if size else 0.0

    return max(range(len(texts)), key=gain)


def best_reply(branches: Sequence[Branch]) -> Branch | None:
    """The branch whose reply is shown where none has an answer that can be voted on; None if there is no branch.

    Of those that ended by themselves it is the one with the best score, where the verifier liked any, or else the most
    typical; where none did, of those that were cut; where none is complete, the longest.
    """
    for ending in ("stop", "length", "content_filter"):
        ended = [branch for branch in branches if branch.ending == ending]
        if any(branch.score for branch in ended):
            return max(ended, key=lambda branch: branch.score if branch.score is not None else float("-inf"))
        if ended:
            return ended[most_typical([branch.text for branch in ended])]
    return max(branches, key=lambda branch: len(branch.text), default=None)
