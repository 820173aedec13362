"""The hub comes first where there is one; where there is none, the next source is tried within seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from carrier_server import Carrier, model_card, model_parts

from ponder.backends.weights import HubFile, ModelCard, cached

WHOLE = b"".join(model_parts())


def card_on_the_hub() -> ModelCard:
    return model_card(sources=(HubFile("some/repo", "tiny.gguf"), *model_card().sources))


@pytest.fixture
def hub(index: Carrier, monkeypatch: pytest.MonkeyPatch) -> Carrier:
    """The same server as `index`, asked as a hub too."""
    index.files["tiny.gguf"] = WHOLE
    index.hub_etag = card_on_the_hub().sha256
    monkeypatch.setenv("HF_ENDPOINT", index.url)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    return index


def fetched(fetcher: Any, before: str = "") -> str:
    """What the process printed; it must have ended with the right file."""
    text: str = fetcher.run(card_on_the_hub(), before)
    path = cached(card_on_the_hub())
    assert f"got {path}" in text
    assert path is not None
    assert path.read_bytes() == WHOLE
    assert "Traceback" not in text
    return text


def names(carrier: Carrier) -> set[str]:
    return {asked.name for asked in carrier.asked}


def test_the_hub_is_asked_first_and_is_enough(hub: Carrier, fetcher: Any) -> None:
    fetched(fetcher)
    assert names(hub) == {"HEAD tiny.gguf", "tiny.gguf"}


def test_a_download_from_the_hub_goes_on_where_it_broke(hub: Carrier, fetcher: Any) -> None:
    hub.cut["tiny.gguf"] = 500_000
    fetched(fetcher)
    assert [asked.range for asked in hub.requests_for("tiny.gguf")] == [None, "bytes=500000-"]


def test_another_file_on_the_hub_is_refused_before_its_first_byte(hub: Carrier, fetcher: Any) -> None:
    hub.hub_etag = "0" * 64
    assert "the file there has sha256 0000" in fetched(fetcher)
    assert "tiny.gguf" not in names(hub)


def test_a_hub_that_lies_about_the_content_is_found_out(hub: Carrier, fetcher: Any) -> None:
    hub.files["tiny.gguf"] = WHOLE[:-1] + b"?"
    assert "the file from there has sha256" in fetched(fetcher)


def test_a_hub_without_the_file_is_passed_over(hub: Carrier, fetcher: Any) -> None:
    hub.hub_etag = None
    assert "404" in fetched(fetcher)


def test_no_hub_at_all_costs_one_line(index: Carrier, fetcher: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    text = fetched(fetcher)
    assert "no luck there: Connection refused" in text
    assert "Retry" not in text


def test_a_hub_that_never_comes_to_an_end_is_given_up(hub: Carrier, fetcher: Any) -> None:
    hub.dripping = True
    text = fetched(fetcher, "from ponder.backends.weights import hub; hub.PATIENCE = 0.5")
    assert "no luck there: no answer in 0.5 seconds" in text
    assert "tiny.gguf" not in names(hub)


def test_offline_means_that_the_hub_is_not_asked(hub: Carrier, fetcher: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "no luck there: HF_HUB_OFFLINE is set" in fetched(fetcher)
    assert not any("tiny.gguf" in name for name in names(hub))


def test_the_hub_library_may_be_missing(hub: Carrier, fetcher: Any, cache: Path) -> None:
    text = fetched(fetcher, "import sys; sys.modules['huggingface_hub'] = None")
    assert "huggingface_hub is not installed" in text
