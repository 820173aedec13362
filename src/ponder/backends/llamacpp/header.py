"""What a GGUF file says about its model (format: ggml-org/ggml, docs/gguf.md, version 3)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ponder.core.errors import WeightsError

__all__ = ["Header", "read_header"]

_SCALARS = {0: "B", 1: "b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9
_F16_BYTES = 2
_SANE = 1 << 24
"""No header has longer strings or arrays; a damaged one asks for anything."""


@dataclass(frozen=True, slots=True)
class Header:
    """The few facts that the backend needs.

    `context` is the longest text in tokens that the model was trained for; `kv_bytes` the bytes of attention state
    that are cached for each token, in half precision. Either is None where the file does not say.
    """

    architecture: str
    context: int | None
    kv_bytes: int | None


def read_header(path: Path) -> Header:
    """Read what stands before the vocabulary, which is long and comes last.

    Raises:
        WeightsError: it is cut off, or no GGUF file.
    """
    found: dict[str, Any] = {}
    try:
        with path.open("rb") as file:
            magic, version, _, fields = struct.unpack("<4sIQQ", file.read(24))
            if magic != b"GGUF" or not 2 <= version <= 3:
                raise WeightsError(f"{path} is no GGUF file of version 2 or 3")
            for _ in range(fields):
                key = _string(file).decode()
                if key.startswith("tokenizer."):
                    break
                found[key] = _value(file, _number(file, "<I"))
    except OSError as error:
        raise WeightsError(f"cannot read the model file {path}: {error.strerror}") from error
    except (struct.error, ValueError, KeyError):
        raise WeightsError(f"{path} is a damaged GGUF file: its header cannot be read; fetch it again") from None
    return _header(found)


def _header(found: dict[str, Any]) -> Header:
    architecture = str(found.get("general.architecture", ""))

    def of(name: str) -> Any:
        return found.get(f"{architecture}.{name}")

    layers, heads, width = of("block_count"), of("attention.head_count"), of("embedding_length")
    kv_heads = of("attention.head_count_kv") or heads
    kv_bytes = None
    if isinstance(layers, int) and isinstance(heads, int) and heads and isinstance(width, int):
        key, value = of("attention.key_length") or width // heads, of("attention.value_length") or width // heads
        in_all = sum(kv_heads) if isinstance(kv_heads, list) else layers * kv_heads
        kv_bytes = in_all * (key + value) * _F16_BYTES
    context = of("context_length")
    return Header(architecture, context if isinstance(context, int) else None, kv_bytes)


def _number(file: BinaryIO, form: str) -> Any:
    return struct.unpack(form, file.read(struct.calcsize(form)))[0]


def _size(file: BinaryIO) -> int:
    size: int = _number(file, "<Q")
    if size > _SANE:
        raise ValueError("a length out of all reason")
    return size


def _string(file: BinaryIO) -> bytes:
    size = _size(file)
    text = file.read(size)
    if len(text) < size:
        raise ValueError("the file ends within a string")
    return text


def _value(file: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _string(file).decode(errors="replace")
    if kind == _ARRAY:
        of = _number(file, "<I")
        return [_value(file, of) for _ in range(_size(file))]
    return _number(file, _SCALARS[kind])
