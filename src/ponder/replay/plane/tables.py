"""What an episode is played on, flat, for lists and for arrays."""

from __future__ import annotations

from typing import NamedTuple

from ponder.core.methods.controller import Flags, Numbers, Reals

__all__ = ["Books", "Outcomes", "Tables"]


class Tables(NamedTuple):
    """A trace of Q questions with B branches each, flat: branch i of question q stands at q * B + i."""

    probes: Numbers
    """[P] The ids of all probes; ids are per question, -1 abstains."""
    marks: Numbers
    """[P] Tokens of the branch at each probe; empty if `regular`."""
    starts: Numbers
    """[Q * B] Where a branch's probes begin in `probes`."""
    counts: Numbers
    """[Q * B] How many it has."""
    lengths: Numbers
    """[Q * B] Tokens."""
    finals: Numbers
    """[Q * B] The id of the final answer, -1 abstains."""
    references: Numbers
    """[Q] The id of the reference answer, -2 if no branch ever gave it. No controller is shown it."""
    orders: Numbers
    """[O * B] In which order the branches are opened."""
    confidence: Reals
    """[(B + 1)^2] `beta_confidence` of two counts, at first * (B + 1) + second."""
    branches: int
    interval: int
    """Tokens between two probes, at most."""
    regular: bool
    """True if every probe comes after full intervals."""
    probe_cost: int
    """Tokens charged for a probe; 0 as published."""
    longest: int
    """Tokens that no branch exceeds, like ``max_tokens`` live."""
    budget: int
    """Tokens that an episode may cost; 0 is no limit."""


class Books(NamedTuple):
    """What the environment writes down of an episode; no controller sees it."""

    cost: Numbers
    """[B] Tokens charged to a branch."""
    probed: Numbers
    """[1] Probes asked."""
    started: Numbers
    """[B] The depth of a branch before its last round."""
    clock: Numbers
    """[1] Tokens on the longest dependent chain up to the end of the last round: a round waits for the one before."""
    sequential: Numbers
    """[1] Tokens on the longest dependent chain of all."""
    shown: Numbers
    """[largest id + 1] The id under which the controller knows a recorded id, -1 if it has not been shown."""
    known: Numbers
    """[largest id + 1] The recorded id behind one that was shown."""
    first: Numbers
    """[largest id + 1] The position, among the finished, of the first vote for a shown id."""
    lowest: Numbers
    """[1] No branch below this one is live."""


class Outcomes(NamedTuple):
    """Q * O episodes; question q under order o stands at q * O + o."""

    correct: Flags
    answers: Numbers
    """The recorded id, -1 for none."""
    tokens: Numbers
    sequential: Numbers
    probes: Numbers
    opened: Numbers
