"""What a response is, from the bytes that come, however they are cut."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.backends.http1.connection import LARGEST_HEAD, MOST_HEADERS, Connection, Response
from ponder.backends.http1.failures import Broken, Malformed

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"


def framed(body: bytes, by: str) -> bytes:
    """A response with this body, whose length is told by a header, by chunks, or by the end of the connection."""
    if by == "length":
        return HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    if by == "chunks":
        chunks = b"".join(
            b"%x\r\n%b\r\n" % (len(body[at : at + 7]), body[at : at + 7]) for at in range(0, len(body), 7)
        )
        return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\nTrailer: x\r\n\r\n"
    return HEAD + b"\r\n" + body


async def received(*pieces: bytes, error: Exception | None = None) -> tuple[Response, bytes]:
    """The response that these pieces make, after which the connection ends, and its body."""
    loop = asyncio.get_running_loop()
    response = Response(Connection(loop), loop, seconds=5)
    for piece in pieces:
        response.feed(piece)
    response.end(error)
    await response.head()
    return response, b"".join([piece async for piece in response])


@given(st.binary(max_size=60), st.sampled_from(["length", "chunks", "end"]), st.booleans(), st.data())
def test_a_response_is_the_same_however_its_bytes_are_cut(
    body: bytes, by: str, interim: bool, data: st.DataObject
) -> None:
    sent = (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" if interim else b"") + framed(body, by)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(sent) - 1), max_size=8)))
    pieces = [sent[start:end] for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
    response, came = asyncio.run(received(*pieces))
    assert (response.status, response.content_type, came) == (200, "text/plain", body)
    assert response.header(b"link") == response.header(b"trailer") == ""
    assert response.leaves_free == (by != "end")


@given(st.sampled_from(["length", "chunks"]), st.data())
def test_a_response_that_is_cut_off_is_never_taken_for_a_whole_one(by: str, data: st.DataObject) -> None:
    sent = framed(b"twelve bytes", by)
    end = data.draw(st.integers(0, len(sent) - 1))
    with pytest.raises(Broken) as broken:
        asyncio.run(received(sent[:end]))
    assert broken.value.begun == (end > 0)


def test_a_body_that_ends_with_its_connection_is_not_whole_if_that_was_reset() -> None:
    with pytest.raises(Broken):
        asyncio.run(received(framed(b"some", "end"), error=ConnectionResetError()))


@pytest.mark.anyio
async def test_what_came_before_the_end_is_given_first() -> None:
    loop = asyncio.get_running_loop()
    response = Response(Connection(loop), loop, seconds=5)
    response.feed(HEAD + b"Content-Length: 10\r\n\r\nsome")
    response.end(None)
    assert await response.piece() == b"some"
    with pytest.raises(Broken, match="in the middle"):
        await response.piece()


@pytest.mark.anyio
@pytest.mark.parametrize(
    "sent",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b'{"choices": []}',
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * LARGEST_HEAD,
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + b"X: x\r\n" * MOST_HEADERS + b"\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"x" * LARGEST_HEAD,
    ],
    ids=[
        "other protocol",
        "no head",
        "upgrade",
        "two lengths",
        "length and chunks",
        "no chunk",
        "endless head",
        "many headers",
        "endless trailer",
    ],
)
async def test_what_is_no_response(sent: bytes) -> None:
    with pytest.raises(Malformed):
        await received(sent)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno",
    ],
    ids=["1.0", "close", "another response"],
)
async def test_a_connection_that_carries_no_other_request(sent: bytes) -> None:
    response, body = await received(sent)
    assert (body, response.leaves_free) == (b"ok", False)


@pytest.mark.anyio
async def test_a_response_without_a_body() -> None:
    response, body = await received(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert (response.status, body, response.leaves_free) == (204, b"", True)
