"""Numbers and texts as people read them."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

__all__ = ["clean", "clip", "confidence", "count", "dollars", "duration", "of_bytes", "one_line", "tail", "votes_line"]


def clean(text: str) -> str:
    """`text` without control characters, which a terminal would obey; line breaks and tabs stay."""
    return "".join(
        character for character in text if character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cs")
    )


def one_line(text: str) -> str:
    """`text` with every stretch of white space as one space."""
    return " ".join(clean(text).split())


def clip(text: str, width: int) -> str:
    """The beginning of `text` in at most `width` terminal cells."""
    return _cut(text, width, end=False)


def tail(text: str, width: int) -> str:
    """The end of `text` in at most `width` terminal cells."""
    return _cut(text, width, end=True)


def _cut(text: str, width: int, *, end: bool) -> str:
    from rich.cells import cell_len

    # No character is narrower than half a cell on average; longer texts need not be measured.
    if len(text) <= width and cell_len(text) <= width:
        return text
    if width < 2:
        return "…"[:width]
    kept = text[-width + 1 :] if end else text[: width - 1]
    while cell_len(kept) > width - 1:
        kept = kept[1:] if end else kept[:-1]
    return f"…{kept}" if end else f"{kept}…"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """``1 call``, ``1,200 calls``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def dollars(usd: float | None) -> str:
    """An amount; unknown is not nothing."""
    if usd is None:
        return "unknown"
    return f"${usd:.2f}" if usd >= 1 or usd == 0 else f"${usd:.6f}".rstrip("0")


def of_bytes(size: int) -> str:
    """``812 bytes``, ``1.2 MB``; a kB is 1,000 of them."""
    for unit, power in (("TB", 12), ("GB", 9), ("MB", 6), ("kB", 3)):
        if size >= 10**power:
            return f"{size / 10**power:.1f} {unit}"
    return count(size, "byte")


def duration(seconds: float) -> str:
    """``12.3 s``, ``4 min 05 s``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def confidence(share: float | None) -> str:
    """A confidence in [0, 1]."""
    return "unknown" if share is None else f"{share:.2f}"


def votes_line(votes: Mapping[str, float], most: int = 6, width: int = 32) -> str:
    """``42 ×6 · 41 ×1``, the heaviest first."""
    if not votes:
        return "none"
    shown = [f"{clip(one_line(answer), width)} ×{_weight(weight)}" for answer, weight in list(votes.items())[:most]]
    if len(votes) > most:
        shown.append(f"{len(votes) - most} more")
    return " · ".join(shown)


def _weight(weight: float) -> str:
    return f"{weight:.0f}" if float(weight).is_integer() else f"{weight:.2f}"
