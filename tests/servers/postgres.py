"""A real PostgreSQL for tests: a throwaway cluster that lives as long as this process."""

from __future__ import annotations

import atexit
import functools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

__all__ = ["PASSWORD", "Cluster", "emptied"]

REQUIRED = bool(os.environ.get("PONDER_REQUIRE_POSTGRES"))
"""True where a machine without PostgreSQL is a fault, not a reason to skip."""

PASSWORD = "hunter2-of-the-store"
"""Of the user `ponder`. No test may ever see it in what Ponder says."""


class _Missing(Exception):
    """There is no PostgreSQL on this machine, or it cannot be started."""


class Cluster:
    """A server with one database; listens on loopback and on a socket in its folder."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries = binaries
        self._folder = folder
        self._user = _unprivileged()
        with socket.create_server(("127.0.0.1", 0)) as found:
            self.port: int = found.getsockname()[1]

    @property
    def url(self) -> str:
        """Of its database, with a password."""
        return f"postgresql://ponder:{PASSWORD}@127.0.0.1:{self.port}/shared"

    @property
    def pid(self) -> int:
        """The server's own process."""
        return int((self._folder / "data" / "postmaster.pid").read_text().splitlines()[0])

    def create(self) -> None:
        """Make it, and start it."""
        if self._user is not None:
            os.chown(self._folder, self._user.pw_uid, self._user.pw_gid)
        secret = self._folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        owner = ("--username=ponder", f"--pwfile={secret}", "--auth=scram-sha-256")
        self._run("initdb", *owner, "--no-sync", "--encoding=UTF8")
        self.start()
        self.execute("CREATE DATABASE shared", database="postgres")

    def start(self) -> None:
        """Start the server; returns when it accepts connections."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self._folder,
            "fsync": "off",  # what a power cut would take from it, nobody needs
        }
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        self._run("pg_ctl", "-w", "-s", "-o", options, "-l", str(self._folder / "log"), "start")

    def stop(self) -> None:
        """Stop it, and end the sessions."""
        self._run("pg_ctl", "-w", "-s", "-m", "fast", "stop")

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Keep it from answering for as long as the block runs, with all connections open."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        processes = (self.pid, *map(int, children))
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in processes:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGCONT)

    def execute(self, statement: str, database: str = "shared") -> list[tuple[object, ...]]:
        """Run one statement as the owner of everything; what it finds."""
        import psycopg

        url = self.url.removesuffix("shared") + database
        with psycopg.connect(url, autocommit=True, options="-csearch_path=ponder") as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def empty(self) -> None:
        """Forget all that is in the database, and end the sessions that a test has left."""
        self.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = 'shared' AND pid <> pg_backend_pid()"
        )
        self.execute("DROP SCHEMA IF EXISTS ponder CASCADE")

    def remove(self) -> None:
        """Stop it, and leave nothing behind."""
        subprocess.run(self._command("pg_ctl", "-w", "-s", "-m", "immediate", "stop"), capture_output=True, check=False)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _command(self, program: str, *arguments: str) -> list[str]:
        command = [str(self._binaries / program), "-D", str(self._folder / "data"), *arguments]
        # PostgreSQL refuses to run as root.
        return command if self._user is None else ["setpriv", *_as(self._user), *command]

    def _run(self, program: str, *arguments: str) -> None:
        made = subprocess.run(
            self._command(program, *arguments), cwd=self._folder, env={"PATH": "/usr/bin:/bin"}, timeout=120,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        if made.returncode != 0:
            raise _Missing(f"{program} failed: {made.stdout[-500:]}")


def emptied() -> Cluster:
    """The cluster of this process, with nothing in its database; skips the test where there can be none."""
    try:
        made = _cluster()
    except _Missing as missing:
        if REQUIRED:
            raise
        pytest.skip(str(missing))
    made.empty()
    return made


@functools.cache
def _cluster() -> Cluster:
    found = shutil.which("initdb")
    binaries = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not binaries:
        raise _Missing("PostgreSQL is not installed: apt-get install postgresql")
    made = Cluster(binaries[-1], Path(tempfile.mkdtemp(prefix="ponder-postgres-")))
    atexit.register(made.remove)
    made.create()
    return made


def _unprivileged() -> pwd.struct_passwd | None:
    """Who runs it in place of root."""
    if os.getuid() != 0:
        return None
    known = {user.pw_name: user for user in pwd.getpwall()}
    return known.get("postgres") or known["nobody"]


def _as(user: pwd.struct_passwd) -> list[str]:
    return [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--reset-env"]
