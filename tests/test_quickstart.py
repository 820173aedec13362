"""The script that sets everything up: what it refuses, what it reads, and that it does nothing twice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import quickstart


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, quickstart.__file__, *arguments]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)


def test_an_unknown_job_is_refused_with_what_there_is() -> None:
    refused = run("tests")
    assert refused.returncode == 2
    assert "quickstart.py test " in refused.stderr
    assert run("--help").returncode == 0


@pytest.mark.skipif(
    Path(sys.prefix) != quickstart.VENV or quickstart.VENV.is_symlink(),
    reason="not in the environment that quickstart.py made",
)
def test_the_second_run_installs_nothing(tmp_path: Path) -> None:
    # Were there anything to fetch, this would fail: the package index is an empty directory.
    again = run("test", "--version", PIP_NO_INDEX="1", PIP_FIND_LINKS=str(tmp_path))
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.startswith("pytest ")


def test_what_takes_long_gives_signs_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quickstart, "VENV", Path(sys.prefix))
    monkeypatch.setattr(quickstart, "PATIENCE", 0.05)
    seen = tmp_path / "seen"
    monkeypatch.setattr(quickstart, "note", seen.write_text)
    waits = "import os, sys\nwhile not os.path.exists(sys.argv[1]): pass\nsys.exit(3)"
    assert quickstart.run("-c", waits, str(seen)) == 3
    assert seen.read_text().startswith("... still at it, ")


@pytest.mark.parametrize("remains", ["", "{", "[]", '{"unknown": 1}'])
def test_what_an_interrupted_run_left_counts_for_nothing(
    remains: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quickstart, "STATE", tmp_path / "installed.json")
    assert quickstart.read_state() == quickstart.State()
    quickstart.STATE.write_text(remains)
    assert quickstart.read_state() == quickstart.State()


def test_pip_settings_come_from_the_environment_then_from_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "pip" / "pip.conf"
    file.parent.mkdir()
    file.write_text(
        "[global]\nindex-url = https://mirror.example/simple\n[install]\nproxy = http://proxy.example:8080\n"
    )
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("PIP_CONFIG_FILE", raising=False)
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    monkeypatch.delenv("PIP_PROXY", raising=False)
    assert quickstart.pip_setting("index-url") == "https://mirror.example/simple"
    assert quickstart.pip_setting("proxy") == "http://proxy.example:8080"
    monkeypatch.setenv("PIP_INDEX_URL", "https://other.example/simple")
    assert quickstart.pip_setting("index-url") == "https://other.example/simple"
