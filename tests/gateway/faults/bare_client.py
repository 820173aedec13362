"""Clients without a library: bytes over a socket, and a look at the gateway from outside."""

from __future__ import annotations

import json
import re
import socket
import urllib.request
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway_process import Gateway

__all__ = ["address", "ask", "head", "metrics", "resident", "spoken"]


def metrics(gateway: Gateway) -> str:
    """What Prometheus reads."""
    with urllib.request.urlopen(gateway.url.removesuffix("/v1") + "/metrics", timeout=60) as response:
        text: str = response.read().decode()
        return text


def resident(gateway: Gateway) -> int:
    """Bytes of memory that the gateway has."""
    status = Path(f"/proc/{gateway.process.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found
    return int(found[1]) * 1024


def address(gateway: Gateway) -> tuple[str, int]:
    """Where it listens."""
    parts = urlsplit(gateway.url)
    assert parts.hostname
    assert parts.port
    return parts.hostname, parts.port


def ask(gateway: Gateway, body: Any) -> tuple[int, Any]:
    """One request: its status, and the JSON that came."""
    connection = HTTPConnection(*address(gateway), timeout=60)
    connection.request("POST", "/v1/chat/completions", body if isinstance(body, bytes) else json.dumps(body).encode())
    response = connection.getresponse()
    data = response.read()
    connection.close()
    return response.status, json.loads(data)


def head(length: object, **headers: str) -> bytes:
    """The first line and the headers of a completion."""
    lines = [f"{name}: {value}" for name, value in {"Host": "it", "Content-Length": str(length), **headers}.items()]
    return "\r\n".join(["POST /v1/chat/completions HTTP/1.1", *lines, "", ""]).encode()


def spoken(gateway: Gateway, *pieces: bytes, seconds: float = 60) -> bytes:
    """What comes back for these bytes, until the gateway closes the connection."""
    with socket.create_connection(address(gateway), timeout=seconds) as connection:
        for piece in pieces:
            connection.sendall(piece)
        received = b""
        try:
            while data := connection.recv(65_536):
                received += data
        except ConnectionResetError:
            pass
        return received
