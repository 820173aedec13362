"""What is installed: the wheel, the locks, and what `import ponder` costs."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import ponder

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def locked(name: str) -> dict[str, Requirement]:
    """The pinned requirements of a lock file, by canonical name."""
    lines = (ROOT / "requirements" / f"{name}.lock").read_text().replace("\\\n", " ").splitlines()
    pins = [Requirement(line.split("--hash")[0]) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(pin.name): pin for pin in pins}


LOADED_BY_UVICORN = {"httptools", "uvloop"}


RUNTIME = ["local", "replay", "plots", "gateway"]
"""The extras that the quickstart installs."""

DEVELOPMENT = [*RUNTIME, "otel", "postgres"]
"""Those whose packages the package imports."""


def needed(extras: list[str]) -> list[Requirement]:
    """What the package needs, with these extras."""
    project = PROJECT["project"]
    optional = [text for name in extras for text in project["optional-dependencies"][name]]
    return [Requirement(text) for text in [*project["dependencies"], *optional]]


def group(name: str) -> list[Requirement]:
    """What the development of the package needs."""
    return [Requirement(text) for text in PROJECT["dependency-groups"][name] if isinstance(text, str)]


def imported() -> list[set[str]]:
    """For each module that the package imports, wherever in a file that stands, the distributions that have it."""
    nodes = [node for path in (ROOT / "src").rglob("*.py") for node in ast.walk(ast.parse(path.read_text()))]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    modules = {name.split(".")[0] for name in names} - sys.stdlib_module_names - {"ponder"}
    distributions = importlib.metadata.packages_distributions()
    return [{canonicalize_name(name) for name in distributions[module]} for module in modules]


def test_the_project_requires_what_it_imports() -> None:
    required = {canonicalize_name(requirement.name) for requirement in needed(DEVELOPMENT)}
    assert [names for names in imported() if not names & required] == []
    assert required <= LOADED_BY_UVICORN.union(*imported())


@pytest.mark.parametrize(
    ("lock", "extras", "groups"), [("runtime", RUNTIME, ["build"]), ("dev", DEVELOPMENT, ["build", "dev"])]
)
def test_a_lock_covers_what_the_project_requires(lock: str, extras: list[str], groups: list[str]) -> None:
    pins = locked(lock)
    for requirement in needed(extras) + [requirement for name in groups for requirement in group(name)]:
        (exact,) = pins[canonicalize_name(requirement.name)].specifier
        assert exact.operator == "=="
        assert requirement.specifier.contains(exact.version), f"{requirement}: {exact} (run scripts/lock)"


def test_the_development_lock_extends_the_runtime_lock() -> None:
    development = locked("dev")
    for name, pin in locked("runtime").items():
        assert development[name] == pin


@pytest.mark.parametrize("lock", ["runtime", "dev"])
def test_every_pin_has_a_hash_and_no_index_is_named(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.lock").read_text()
    entries = text.replace("\\\n", " ").splitlines()
    assert all("--hash=sha256:" in entry for entry in entries if "==" in entry.split(" ")[0])
    assert "://" not in text


def test_the_wheel_is_typed_and_holds_only_the_package(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    info = f"ponder-{ponder.__version__}.dist-info"
    assert {name.split("/")[0] for name in names} == {"ponder", info}
    assert {"ponder/py.typed", f"{info}/licenses/LICENSE", f"{info}/entry_points.txt"} <= names
    sources = {str(path.relative_to(ROOT / "src")) for path in (ROOT / "src/ponder").rglob("*.py")}
    assert sources <= names
    assert {"ponder/replay/shipped/chain-sum.parquet", "ponder/bench/style.css"} <= names


@pytest.mark.parametrize("module", ["ponder", "ponder.cli"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    heavy = {"aiohttp", "genai_prices", "huggingface_hub", "math_verify", "numpy", "pydantic", "sympy", "xllamacpp"}
    heavy |= {"rich"} if module == "ponder" else set()
    code = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert heavy.isdisjoint(json.loads(loaded))
