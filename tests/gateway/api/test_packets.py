"""What a response leaves the gateway in: a client that reads its head need not wait for another packet."""

from __future__ import annotations

import asyncio

import pytest

from ponder.gateway.http.packets import WholeHeads

pytestmark = pytest.mark.anyio

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"


class Wire(asyncio.Transport):
    """What was sent, packet by packet."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent.append(bytes(data))

    def close(self) -> None:
        self.sent.append(b"closed")


async def test_a_head_goes_out_with_what_comes_after_it_and_does_not_wait_for_more() -> None:
    wire = Wire()
    transport = WholeHeads(wire, asyncio.get_running_loop())
    for data in (HEAD, b"ok", HEAD, b"ok", b"more"):
        transport.write(data)
    assert wire.sent == [HEAD + b"ok", HEAD + b"ok", b"more"]


async def test_a_head_alone_goes_out_in_the_same_turn_of_the_event_loop() -> None:
    wire = Wire()
    transport = WholeHeads(wire, asyncio.get_running_loop())
    transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    await asyncio.sleep(0)
    assert wire.sent == [b"HTTP/1.1 100 Continue\r\n\r\n"]
    transport.write(HEAD)
    transport.close()
    await asyncio.sleep(0)
    assert wire.sent[1:] == [HEAD, b"closed"]
