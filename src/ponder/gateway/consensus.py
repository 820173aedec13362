"""Which of several free texts stands for all of them, where there is no final answer to vote on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

__all__ = ["most_typical"]

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
