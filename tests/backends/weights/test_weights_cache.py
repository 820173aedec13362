"""Where the cache is, what it trusts, and what a full check finds."""

from __future__ import annotations

from pathlib import Path

import pytest
from carrier_server import Carrier, model_card

from ponder.backends.weights import IndexWheels, ModelCard, cache_dir, cached, card, cards, resolve, verify
from ponder.core.errors import UnknownName, WeightsError


def test_the_cache_is_where_the_person_wants_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PONDER_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_dir() == tmp_path / "ponder"
    monkeypatch.setenv("PONDER_CACHE", str(tmp_path / "other"))
    assert cache_dir() == tmp_path / "other"


def test_a_file_of_another_size_is_not_a_hit(index: Carrier) -> None:
    path = resolve(model_card())
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert cached(model_card()) is None
    assert resolve(model_card()).read_bytes() == whole


def test_verify_reads_every_byte(index: Carrier) -> None:
    with pytest.raises(WeightsError, match="local/tiny is not in the cache"):
        verify(model_card())
    path = resolve(model_card())
    assert verify(model_card()) == path
    damaged = bytearray(path.read_bytes())
    damaged[1_000_000] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(WeightsError, match=r"is damaged.*delete it to fetch it again"):
        verify(model_card())


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"did you mean 'local/qwen2\.5-coder-1\.5b'"):
        resolve("local/qwen2.5-coder-1.5")


@pytest.mark.parametrize("known", cards(), ids=lambda known: known.name)
def test_the_pieces_of_each_card_cover_the_file_once(known: ModelCard) -> None:
    assert card(known.name) is known
    source = known.sources[-1]
    assert isinstance(source, IndexWheels)
    parts = source.parts(known.size)
    ends = [0, *(part.offset + part.size for part in parts)]
    assert [part.offset for part in parts] == ends[:-1]
    assert ends[-1] == known.size
    assert all(part.size > 0 for part in parts)
