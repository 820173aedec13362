#!/usr/bin/env python3
"""Set Ponder up in `.venv-ponder` and run it, with nothing but Python 3.11 or later.

    python3 quickstart.py            solve a word problem on the embedded model
    python3 quickstart.py test       run the whole test suite; further options go to pytest (-n0: in one process)

Both install the locked dependencies first, and only what is missing: the second run installs nothing. What is
installed comes from the package index that pip is configured for, and only with the hashes in `requirements/`.
"""

from __future__ import annotations

import configparser
import contextlib
import dataclasses
import fcntl
import hashlib
import http.client
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

MAIN_JOB = ("ponder", "demo")
TESTS = ("python", "-m", "pytest", "--numprocesses=auto", "--maxprocesses=8", "--dist=worksteal", "--durations=25")

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv-ponder"
STATE = VENV / "installed.json"
PYTHON = f"{sys.version} at {sys.base_prefix} in {VENV}"
LOCKS = {name: ROOT / "requirements" / f"{name}.lock" for name in ("runtime", "dev")}

PATIENCE = 5.0
"""Seconds without a sign of life."""

PIP_WHEEL = "pip-26.3-py3-none-any.whl"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"


@dataclasses.dataclass
class State:
    """What is installed: for which Python, from which locks (name to digest) and which pyproject.toml (digest)."""

    python: str = ""
    locks: dict[str, str] = dataclasses.field(default_factory=dict)
    project: str = ""


class SetupError(Exception):
    """The installation failed; the text says what to do."""


def main(arguments: list[str]) -> int:
    """Install what is missing, then become the job; the exit status if that fails."""
    if sys.version_info < (3, 11):  # noqa: UP036 (this file is what an older Python meets first)
        return fail(f"Ponder needs Python 3.11 or later, and this is {sys.version.split()[0]}{newer_python()}")
    if arguments and arguments[0] != "test":
        print(__doc__, file=sys.stderr)
        return 0 if arguments[0] in ("-h", "--help") else 2
    try:
        with alone():
            set_up("dev" if arguments else "runtime")
    except SetupError as error:
        return fail(str(error))
    except KeyboardInterrupt:
        fail("interrupted; the next run starts the installation again")
        return 130
    program, *options = (*TESTS, *arguments[1:]) if arguments else MAIN_JOB
    os.chdir(ROOT)
    return become(VENV / "bin" / program, options)


def become(program: Path, options: list[str]) -> NoReturn:
    """Go on as `program`, so that signals and the exit status are its own."""
    os.execv(program, [str(program), *options])


def fail(message: str) -> int:
    """Say what is wrong; the exit status."""
    print(f"quickstart: {message}", file=sys.stderr)
    return 1


def newer_python() -> str:
    """A hint at an interpreter that would do, or nothing."""
    for minor in range(14, 10, -1):
        if shutil.which(f"python3.{minor}"):
            return f"; run: python3.{minor} {' '.join(sys.argv)}"
    return ""


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Make two runs at once install one after the other."""
    with Path(__file__).open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def set_up(lock: str) -> None:
    """Bring the environment to the state that `requirements/<lock>.lock` describes.

    The state file is absent while anything is being changed, so an interrupted installation is started afresh.

    Raises:
        SetupError: pip or the network failed.
    """
    wanted = {name: digest(path) for name, path in LOCKS.items()}
    state = read_state()
    locks, project = state.locks, digest(ROOT / "pyproject.toml")
    if state.python != PYTHON or any(wanted.get(name) != found for name, found in locks.items()):
        locks = {}
    # The development lock holds everything that the runtime lock holds.
    complete = lock in locks or "dev" in locks
    if complete and state.project == project:
        return
    STATE.unlink(missing_ok=True)
    if not locks:
        note(f"Setting up {VENV.name} (once, about a minute) ...")
        create_environment()
    if not complete:
        note(f"Installing requirements/{lock}.lock ...")
        pip("--require-hashes", "--only-binary=:all:", "--requirement", str(LOCKS[lock]))
        locks = {**locks, lock: wanted[lock]}
    # The build backend is in the locks too, so that nothing without a hash is fetched.
    pip("--no-build-isolation", "--editable", str(ROOT))
    STATE.write_text(json.dumps(dataclasses.asdict(State(PYTHON, locks, project))), encoding="utf-8")


def note(text: str) -> None:
    """Progress, kept apart from what the job prints."""
    print(text, file=sys.stderr, flush=True)


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_state() -> State:
    """What the last completed run left; empty if none completed."""
    try:
        return State(**json.loads(STATE.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return State()


def create_environment() -> None:
    """Make a new environment with pip in it: the pinned one, or else the one that Python brings along.

    Raises:
        SetupError: there is neither; Debian's Python, for one, has no ensurepip of its own.
    """
    import venv

    if VENV.exists():
        shutil.rmtree(VENV)
    venv.create(VENV, symlinks=True)
    try:
        install_pinned_pip()
    except (SetupError, OSError, http.client.HTTPException) as error:
        if run("-m", "ensurepip", "--default-pip", quiet=True) != 0:
            raise SetupError(f"cannot fetch pip ({error}); check the network, or install python3-venv") from None


def pip(*arguments: str) -> None:
    """Run `pip install`, which says on standard error what went wrong; the user's pip configuration holds.

    Raises:
        SetupError: pip failed.
    """
    # Python compiles what it imports; compiling all would double the time.
    options = ("--quiet", "--disable-pip-version-check", "--no-user", "--no-deps", "--no-compile")
    if run("-m", "pip", "install", *options, *arguments) != 0:
        raise SetupError("the installation failed, for the reason that pip gives above; run the same command again")


def run(*arguments: str, quiet: bool = False) -> int:
    """Run the new environment's Python, apart from the user's own packages; the exit status."""
    command = [str(VENV / "bin" / "python"), "-I", *arguments]
    output = subprocess.DEVNULL if quiet else None
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output) as process:
        began = time.monotonic()
        while True:
            try:
                return process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                note(f"... still at it, {time.monotonic() - began:.0f} s")


def install_pinned_pip() -> None:
    """Fetch the pip wheel from the package index and let it install itself.

    Raises:
        SetupError: the index does not have it, or only for users with a password.
        OSError, http.client.HTTPException: the index cannot be reached.
    """
    index = (pip_setting("index-url") or "https://pypi.org/simple").rstrip("/") + "/pip/"
    address = urllib.parse.urlsplit(index)
    if address.username:
        raise SetupError(f"{address.hostname} wants a password")
    link = re.search(rf'href="([^"]*{re.escape(PIP_WHEEL)}[^"]*)"', fetch(index).decode())
    content = fetch(urllib.parse.urljoin(index, link[1])) if link else b""
    if hashlib.sha256(content).hexdigest() != PIP_SHA256:
        raise SetupError(f"{address.hostname} does not offer {PIP_WHEEL} with the right hash")
    wheel = VENV / PIP_WHEEL
    wheel.write_bytes(content)
    if run(str(wheel / "pip"), "install", "--quiet", "--no-index", "--no-compile", str(wheel)) != 0:
        raise SetupError(f"{PIP_WHEEL} could not install itself")
    wheel.unlink()


def fetch(url: str) -> bytes:
    """Download by the proxy and certificates that pip is configured for.

    Raises:
        OSError: the server cannot be reached or refuses.
    """
    context = ssl.create_default_context(cafile=pip_setting("cert"))
    handlers: list[urllib.request.BaseHandler] = [urllib.request.HTTPSHandler(context=context)]
    if proxy := pip_setting("proxy"):
        handlers.append(urllib.request.ProxyHandler({"http": proxy, "https": proxy}))
    with urllib.request.build_opener(*handlers).open(url, timeout=15) as reply:
        content: bytes = reply.read()
    return content


def pip_setting(name: str) -> str | None:
    """A setting of pip, from its environment variable or its configuration files, the user's before the system's."""
    if value := os.environ.get("PIP_" + name.upper().replace("-", "_")):
        return value
    config_home = Path(os.environ.get("XDG_CONFIG_HOME", Path.home() / ".config"))
    files = [config_home / "pip" / "pip.conf", Path.home() / ".pip" / "pip.conf", Path("/etc/pip.conf")]
    if chosen := os.environ.get("PIP_CONFIG_FILE"):
        files.insert(0, Path(chosen))
    for file in files:
        parser = configparser.RawConfigParser()
        with contextlib.suppress(configparser.Error, UnicodeDecodeError):
            parser.read(file, encoding="utf-8")
        for section in ("install", "global"):
            if value := parser.get(section, name, fallback=None):
                return value
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
