"""What is kept of the past: runs beyond a limit are found and removed, and their room comes back."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ponder.core.errors import RunBusy
from ponder.store.base import RunStore
from ponder.store.limits import Limits
from ponder.store.sqlite import Store
from tests.servers.stores import Place, opened

DAY = 86_400.0


def filled(store: RunStore, place: Place, runs: int, text: str = "") -> list[str]:
    """So many runs, one a day, the first of them today."""
    names = [store.begin({"text": text}, f"r{days:03}") for days in range(runs)]
    for days, name in enumerate(names):
        journal = store.journal(name)
        journal.note("/", 0, "pick", {"text": text}, 0.0)
        journal.flush()
        store.finish(name, "done", {"value": str(days)})
        place.execute(f"UPDATE runs SET created = {time.time() - days * DAY} WHERE id = '{name}'")
    return names


@pytest.mark.parametrize(
    ("limits", "gone"),
    [
        (Limits(), 0),
        (Limits(seconds=3.5 * DAY), 2),
        (Limits(seconds=0.0), 6),
        (Limits(runs=4), 2),
        (Limits(runs=0), 6),
        (Limits(runs=10**30, bytes=10**30), 0),
        (Limits(bytes=0), 6),
        (Limits(seconds=3.5 * DAY, runs=1), 5),
    ],
)
def test_the_oldest_are_beyond_a_limit(place: Place, store: RunStore, limits: Limits, gone: int) -> None:
    names = filled(store, place, 6)
    found = [run.id for run in store.beyond(limits, time.time())]
    assert found == names[::-1][:gone]


def test_a_limit_of_bytes_counts_the_newest_first(place: Place, store: RunStore) -> None:
    filled(store, place, 6)
    sizes = {run.id: run.bytes for run in store.beyond(Limits(runs=0), time.time())}
    assert all(size > 20 for size in sizes.values())
    room = sum(sizes[name] for name in ("r000", "r001", "r002"))
    assert [run.id for run in store.beyond(Limits(bytes=room), time.time())] == ["r005", "r004", "r003"]


def test_of_a_removed_run_nothing_stays(place: Place, store: RunStore) -> None:
    one, other = filled(store, place, 2, text="a secret of its own")
    assert store.remove(one)
    assert not store.remove(one)
    assert store.find(one) is None
    assert store.entries(one) == []
    assert store.find(other) is not None
    assert len(store.entries(other)) == 1


def test_a_run_that_somebody_works_on_is_not_removed(place: Place, store: RunStore) -> None:
    [name] = filled(store, place, 1)
    with opened(place) as other, other.claim(name), pytest.raises(RunBusy):
        store.remove(name)
    assert store.find(name) is not None


def test_room_comes_back(place: Place, store: RunStore) -> None:
    names = filled(store, place, 20, text="".join(map(chr, range(300, 40_000))))
    before = store.size()
    for name in names[1:]:
        store.remove(name)
    store.vacuum()
    assert store.size() < before / 3
    assert store.run("last").id == names[0]


def test_what_was_removed_is_not_left_in_the_file(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs.db")
    name = store.begin({"text": "a secret of alice's"}, "r1")
    store.begin({"text": "another"}, "r2")
    store.remove(name)
    store.close()
    data = b"".join(file.read_bytes() for file in tmp_path.iterdir() if file.is_file())
    assert b"another" in data
    assert b"secret" not in data
