"""What an action means, for every driver: what it may be asked of, and what it gives without being carried out."""

from __future__ import annotations

from ponder.core.branch import Branch
from ponder.core.errors import MissingCapability
from ponder.core.problem import Reads

__all__ = ["check_scorable", "worthless"]


def check_scorable(branch: Branch, reads: Reads, verifier: str) -> None:
    """See that a verifier can score a branch as it stands.

    Raises:
        MissingCapability: the branch can still grow, and the verifier scores what has ended only.
    """
    if branch.live and reads != "prefix":
        raise MissingCapability(
            f"verifier {verifier} scores finished branches, and {branch.id} can still grow: extend it to its end, or "
            'take a verifier with reads = "prefix"'
        )


def worthless(branch: Branch, reads: Reads) -> bool:
    """Whether a branch scores 0 without being looked at: nobody uses it, or it lacks the answer to be scored."""
    if branch.live or branch.complete:
        return reads == "answer" and branch.answer is None
    return True
