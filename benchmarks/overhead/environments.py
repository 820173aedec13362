"""Environments for the other libraries: made once each, apart from Ponder's, with every version pinned."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ITS_HUB", "LITELLM", "OPTILLM", "Environment"]


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment by name; `bare` packages are installed without what they depend on."""

    name: str
    packages: tuple[str, ...]
    bare: tuple[str, ...] = ()

    def python(self, folder: Path) -> Path:
        """The interpreter of this environment under `folder`; makes the environment where it is missing or outdated.

        Raises:
            subprocess.CalledProcessError: the package index cannot be reached, or lacks a version.
        """
        home = folder / self.name
        python = home / "bin/python"
        made_of = home / "made-of.txt"
        contents = "\n".join((sys.version, *self.packages, *self.bare))
        if not made_of.is_file() or made_of.read_text() != contents:
            print(f"making the environment of {self.name} in {home}", file=sys.stderr, flush=True)
            shutil.rmtree(home, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", home], check=True)
            _install(python, self.packages)
            _install(python, self.bare, "--no-deps")
            made_of.write_text(contents)
        return python


def _install(python: Path, packages: tuple[str, ...], *options: str) -> None:
    if not packages:
        return
    uv = shutil.which("uv", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""))))
    tool: list[str | Path] = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
    subprocess.run([*tool, "--quiet", *options, *packages], check=True, stdout=sys.stderr)


# aiohttp is pinned to what the bare loop and Ponder run on, so that the HTTP client is no difference.
ITS_HUB = Environment(
    "its_hub",
    (
        "its_hub[iaas]==1.2.0",
        "aiohttp==3.14.5",
        "backoff==2.2.1",
        "fastapi==0.165.0",
        "multidict==7.2.1",
        "numpy==2.4.6",
        "openai==3.54.0",
        "propcache==0.5.4",
        "pydantic==2.14.3",
        "starlette==1.10.0",
        "uvicorn==0.54.0",
        "yarl==1.25.1",
    ),
)

# Its proxy, on the libraries that Ponder's gateway has where both have them.
LITELLM = Environment(
    "litellm",
    (
        "litellm[proxy]==1.106.2",
        "aiohttp==3.14.5",
        "fastapi==0.165.0",
        "httpx==0.28.1",
        "openai==2.54.0",
        "orjson==3.13.0",
        "pydantic==2.14.3",
        "starlette==1.10.0",
        "uvicorn==0.54.0",
        "uvloop==0.23.0",
    ),
)

# All that optillm imports when its self-consistency is imported. Its 40 dependencies also hold torch, transformers,
# gradio and spacy, some gigabytes that this path never loads; leaving them out changes nothing that is measured.
OPTILLM = Environment(
    "optillm",
    (
        "aiohttp==3.14.5",
        "cerebras-cloud-sdk==1.91.0",
        "flask==3.1.3",
        "math-verify==0.9.0",
        "networkx==3.6.1",
        "numpy==2.4.6",
        "openai==3.54.0",
        "pyyaml==6.0.3",
        "sympy==1.14.0",
        "z3-solver==4.15.4.0",
    ),
    bare=("optillm==0.4.0",),
)
