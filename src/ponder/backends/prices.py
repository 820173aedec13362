"""What a model costs."""

from __future__ import annotations

import math

from ponder.core.backend import Backend
from ponder.core.bill import Price
from ponder.core.errors import InvalidOption

__all__ = ["look_up", "of", "parse"]


def look_up(model: str) -> Price | None:
    """The list price of a vendor's model by `genai-prices`, or None when nobody knows it."""
    from genai_prices import Usage, calc_price

    def dollars(**tokens: int) -> float:
        return float(calc_price(Usage(**tokens), model).total_price)

    try:
        million = 1_000_000
        prompt = dollars(input_tokens=1000) * 1000
        cached = dollars(input_tokens=1000, cache_read_tokens=1000) * 1000
        output = dollars(output_tokens=million)
    except LookupError:
        return None
    return Price(prompt, cached, output, "genai-prices")


def of(backend: Backend) -> Price | None:
    """The price that a backend names, or its vendor; None when nobody knows it."""
    if backend.price is not None:
        return backend.price
    # Only the vendor's own API charges the vendor's list price; a server of one's own may carry any name.
    vendors = backend.name.partition("?")[0] == f"openai/{backend.model}"
    return look_up(backend.model) if vendors else None


def parse(text: str) -> Price:
    """Read ``"0.15/0.60"`` or ``"0.15/0.075/0.60"``: dollars per million prompt, [cached prompt,] output tokens.

    Raises:
        InvalidOption: it is neither.
    """
    try:
        figures = [float(part) for part in text.split("/")]
        if len(figures) not in (2, 3) or not all(0 <= figure < math.inf for figure in figures):
            raise ValueError
    except ValueError:
        raise InvalidOption(
            f"price {text!r} is not PROMPT/OUTPUT or PROMPT/CACHED/OUTPUT in dollars per million tokens"
        ) from None
    return Price(figures[0], figures[1] if len(figures) == 3 else figures[0], figures[-1], "given")
