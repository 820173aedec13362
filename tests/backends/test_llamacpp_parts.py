"""What the embedded backend is made of, where no model is needed."""

from __future__ import annotations

import struct
from pathlib import Path

import anyio
import pytest

from ponder.backends.llamacpp.backend import fitting_context
from ponder.backends.llamacpp.gate import Gate
from ponder.backends.llamacpp.header import Header, read_header
from ponder.core.errors import WeightsError
from ponder.core.host.capacity import cores, free_memory

pytestmark = pytest.mark.anyio


async def test_the_gate_gives_as_many_as_fit() -> None:
    gate = Gate(slots=4, context=1000)
    assert await gate.take(10, prompt=100, each=400) == 2  # the context holds no third one
    gate.give(2, 900)
    assert await gate.take(10, prompt=100, each=50) == 4  # there is no fifth slot
    assert (gate.slots, gate.context) == (0, 700)


async def test_the_gate_is_first_come_first_served() -> None:
    gate = Gate(slots=2, context=100)
    assert await gate.take(1, prompt=0, each=60) == 1
    served: list[str] = []

    async def come(name: str, each: int) -> None:
        await gate.take(1, prompt=0, each=each)
        served.append(name)

    async with anyio.create_task_group() as group:
        group.start_soon(come, "large", 90)
        await anyio.wait_all_tasks_blocked()
        group.start_soon(come, "small", 10)  # would fit, but must not starve the large one
        await anyio.wait_all_tasks_blocked()
        assert served == []
        gate.give(1, 60)
    assert served == ["large", "small"]


async def test_one_who_leaves_the_queue_holds_nobody_up() -> None:
    gate = Gate(slots=1, context=100)
    await gate.take(1, prompt=0, each=60)
    async with anyio.create_task_group() as group:
        with anyio.move_on_after(0) as scope:
            await gate.take(1, prompt=0, each=90)
        assert scope.cancelled_caught
        group.start_soon(gate.take, 1, 0, 40)
        await anyio.wait_all_tasks_blocked()
        gate.give(1, 60)
    assert (gate.slots, gate.context) == (0, 60)


def gguf(**fields: int | str | list[int]) -> bytes:
    """A file with a header and nothing else."""

    def string(text: str) -> bytes:
        return struct.pack("<Q", len(text)) + text.encode()

    def value(given: int | str | list[int]) -> bytes:
        if isinstance(given, str):
            return struct.pack("<I", 8) + string(given)
        if isinstance(given, list):
            return struct.pack(f"<IIQ{len(given)}I", 9, 4, len(given), *given)
        return struct.pack("<II", 4, given)

    pairs = b"".join(string(key) + value(given) for key, given in fields.items())
    return struct.pack("<4sIQQ", b"GGUF", 3, 0, len(fields)) + pairs


QWEN = {
    "general.architecture": "qwen2",
    "qwen2.block_count": 28,
    "qwen2.context_length": 32768,
    "qwen2.embedding_length": 1536,
    "qwen2.attention.head_count": 12,
    "qwen2.attention.head_count_kv": 2,
}


@pytest.mark.parametrize(
    ("fields", "header"),
    [
        # 28 layers, 2 heads of 128 for keys and as many for values, 2 bytes each
        (QWEN, Header("qwen2", 32768, 28 * 2 * (128 + 128) * 2)),
        (QWEN | {"qwen2.attention.head_count_kv": [1] * 28}, Header("qwen2", 32768, 28 * (128 + 128) * 2)),
        (QWEN | {"qwen2.attention.key_length": 64}, Header("qwen2", 32768, 28 * 2 * (64 + 128) * 2)),
        ({"general.architecture": "odd"}, Header("odd", None, None)),
        (QWEN | {"tokenizer.ggml.model": "gpt2", "never.read": "x"}, Header("qwen2", 32768, 28672)),
    ],
)
def test_the_header_of_a_model(tmp_path: Path, fields: dict[str, int | str | list[int]], header: Header) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(gguf(**fields))
    assert read_header(path) == header


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "header cannot be read"),
        (b"GGUF" + bytes(5), "header cannot be read"),
        (gguf(**QWEN)[:-3], "header cannot be read"),
        (struct.pack("<4sIQQQ", b"GGUF", 3, 0, 1, 2**60), "header cannot be read"),
        (struct.pack("<4sIQQQII", b"GGUF", 3, 0, 1, 0, 77, 0), "header cannot be read"),
        (struct.pack("<4sIQQ", b"GGUF", 1, 0, 0), "version 2 or 3"),
        (struct.pack("<4sIQQ", b"ggml", 3, 0, 0), "no GGUF file"),
    ],
)
def test_a_damaged_header_is_one_clear_line(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=says) as failure:
        read_header(path)
    assert str(path) in str(failure.value)


@pytest.mark.parametrize(
    ("kv_bytes", "gigabytes", "context"),
    [(28_672, 16, 32_768), (28_672, 2, 18_688), (131_072, 4, 8_192), (131_072, 0.1, 2_048), (None, 16, 8_192)],
)
def test_the_default_context_takes_at_most_a_quarter_of_the_memory(
    kv_bytes: int | None, gigabytes: float, context: int
) -> None:
    assert fitting_context(Header("any", 32_768, kv_bytes), int(gigabytes * 2**30)) == context


def test_what_the_machine_offers() -> None:
    assert cores() >= 1
    assert free_memory() > 0
