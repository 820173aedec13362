"""Connections that are kept, and what they are opened through, against servers on real sockets."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import trustme

from ponder.backends.http1 import pool as pools
from ponder.backends.http1.connection import READ_AHEAD
from ponder.backends.http1.failures import Broken, Insecure, Silent, Unconnected
from ponder.backends.http1.pool import Pool
from ponder.core.errors import InvalidOption
from tests.servers.bytes import OK, answering, speaking

pytestmark = pytest.mark.anyio


async def ask(pool: Pool, path: str = "/v1/x", *, seconds: float = 10.0) -> bytes:
    """One request, and the body of its response."""
    async with pool.call("POST", path, [(b"x-test", b"1")], b"{}", seconds) as response:
        return b"".join([piece async for piece in response])


async def until(condition: object) -> None:
    """Wait until `condition()` holds, a test's time at most."""
    assert callable(condition)
    while not condition():
        await asyncio.sleep(0.01)


async def test_requests_go_one_after_another_over_one_connection() -> None:
    async with speaking() as talk:
        pool = Pool(talk.url, connect_seconds=5, headers=[(b"authorization", b"Bearer k")])
        assert [await ask(pool), await ask(pool, "/a b/ü")] == [b"ok", b"ok"]
        pool.close()
        await until(lambda: talk.closed)
    assert talk.opened == 1
    first, second = talk.heads
    host = talk.url.removeprefix("http://").encode()
    assert first.startswith(b"POST /v1/x HTTP/1.1\r\nhost: %b\r\ncontent-length: 2\r\n" % host)
    assert b"\r\nauthorization: Bearer k\r\nx-test: 1\r\n\r\n" in first
    assert second.startswith(b"POST /a%20b/%C3%BC HTTP/1.1\r\n")


async def test_requests_at_the_same_time_have_connections_of_their_own() -> None:
    async with speaking(answering(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", b"ok")) as talk:
        pool = Pool(talk.url, connect_seconds=5)
        await asyncio.gather(*(ask(pool) for _ in range(5)))
        assert talk.opened == 5
        await asyncio.gather(*(ask(pool) for _ in range(5)))
        assert talk.opened == 5
        pool.close()


async def test_there_are_at_most_as_many_as_the_limit() -> None:
    async with speaking(answering(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n", b"ok")) as talk:
        pool = Pool(talk.url, connect_seconds=5, limit=2)
        await asyncio.gather(*(ask(pool) for _ in range(6)))
        assert len(talk.heads) == 6
    async with speaking() as talk:
        pool = Pool(talk.url, connect_seconds=5, limit=2)
        await asyncio.gather(*(ask(pool) for _ in range(6)))
        assert talk.most <= 2
        pool.close()


async def test_a_failed_call_leaves_its_slot_to_the_next() -> None:
    async with speaking(answering(close=True)) as talk:
        pool = Pool(talk.url, connect_seconds=5, limit=1)
        for _ in range(3):
            with pytest.raises(Broken, match="without an answer"):
                await ask(pool)
    with pytest.raises(Unconnected):
        await ask(pool)
    with pytest.raises(Unconnected):
        await ask(pool)


async def test_a_connection_is_not_used_again_where_that_is_not_wanted() -> None:
    async with speaking() as talk:
        pool = Pool(talk.url, connect_seconds=5, keep_alive=False)
        await ask(pool)
        await ask(pool)
    assert talk.opened == 2
    assert all(b"\r\nconnection: close\r\n" in head for head in talk.heads)


async def test_a_connection_is_not_used_again_after_half_a_body() -> None:
    async with speaking(answering(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nha", b"lf")) as talk:
        pool = Pool(talk.url, connect_seconds=5)
        async with pool.call("POST", "/", [], b"", 5) as response:
            assert await response.piece() == b"ha"
        assert await ask(pool) == b"half"
        assert talk.opened == 2
        pool.close()


async def test_one_that_says_something_unasked_is_not_used_again() -> None:
    async with speaking(answering(OK, b"HTTP/1.1 408 Late\r\n\r\n")) as talk:
        pool = Pool(talk.url, connect_seconds=5)
        assert await ask(pool) == b"ok"
        await until(lambda: talk.closed)
        assert await ask(pool) == b"ok"
        assert talk.opened == 2
        pool.close()


async def test_one_that_rests_for_long_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "REST_SECONDS", 0.1)
    async with speaking() as talk:
        pool = Pool(talk.url, connect_seconds=5)
        await ask(pool)
        await until(lambda: talk.closed)
        pool.close()


async def test_a_server_is_not_read_from_further_than_somebody_takes() -> None:
    sent = 0

    async def say(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (256 * 2**18))
        for _ in range(256):
            writer.write(bytes(2**18))
            await writer.drain()
            sent += 2**18

    async with speaking(say) as talk:
        pool = Pool(talk.url, connect_seconds=5)
        async with pool.call("GET", "/", [], None, 5) as response:
            before = -1
            while before != sent:  # until it stands still
                before = sent
                await asyncio.sleep(0.2)
            assert READ_AHEAD < sent < 128 * 2**18
            assert sum([len(piece) async for piece in response]) == 256 * 2**18
        assert await ask(pool)
        assert talk.opened == 1
        pool.close()


async def test_a_call_that_is_cancelled_closes_its_connection() -> None:
    async with speaking(answering(b"HTTP/1.1 200 OK\r\n")) as talk:
        pool = Pool(talk.url, connect_seconds=5)
        call = asyncio.create_task(ask(pool))
        await until(lambda: talk.heads)
        call.cancel()
        await until(lambda: talk.closed)
        with pytest.raises(asyncio.CancelledError):
            await call


@pytest.mark.parametrize("pieces", [[], [b"HTTP/1.1 200 OK\r\n"], [b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"]])
async def test_a_server_that_falls_silent(pieces: list[bytes]) -> None:
    async with speaking(answering(*pieces)) as talk:
        with pytest.raises(Silent) as silent:
            await ask(Pool(talk.url, connect_seconds=5), seconds=0.1)
    assert silent.value.seconds == 0.1


async def test_a_server_that_is_slow_but_not_silent() -> None:
    pieces = [b"HTTP/1.1 200 OK\r\ncontent-length: 30\r\n\r\n", *[b"x"] * 30]
    async with speaking(answering(*pieces)) as talk:
        pool = Pool(talk.url, connect_seconds=5)
        assert await ask(pool, seconds=0.15) == b"x" * 30
        pool.close()


@pytest.mark.parametrize(
    ("root", "why"),
    [
        ("http://127.0.0.1:1", "Connection refused"),
        ("http://model.invalid", "not known|resolution|No address"),
        (f"http://{'x' * 70}.example", "no valid host name"),
    ],
)
async def test_a_server_that_is_not_there(root: str, why: str) -> None:
    with pytest.raises(Unconnected, match=why):
        await ask(Pool(root, connect_seconds=20))


async def test_a_header_cannot_smuggle_in_another() -> None:
    async with speaking() as talk:
        with pytest.raises(ValueError, match="line break"):
            Pool(talk.url, connect_seconds=5).call("POST", "/", [(b"a", b"b\r\nc: d")], b"", 5)
    assert not talk.opened


# Encrypted, and through proxies.


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    """What a server called localhost shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The authority is one that this machine trusts."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    pools._context.cache_clear()
    yield
    pools._context.cache_clear()


@pytest.mark.usefixtures("trusted")
async def test_an_encrypted_connection(tls: ssl.SSLContext) -> None:
    async with speaking(tls=tls) as talk:
        pool = Pool(talk.url, connect_seconds=5)
        assert [await ask(pool), await ask(pool)] == [b"ok", b"ok"]
        assert talk.opened == 1
        pool.close()


async def test_a_certificate_that_nobody_vouches_for(tls: ssl.SSLContext) -> None:
    async with speaking(tls=tls) as talk:
        with pytest.raises(Insecure, match=r"certificate is not valid: .*issuer"):
            await ask(Pool(talk.url, connect_seconds=5))


@pytest.mark.usefixtures("trusted")
async def test_a_certificate_for_another_host(tls: ssl.SSLContext) -> None:
    async with speaking(tls=tls) as talk:
        with pytest.raises(Insecure, match=r"127\.0\.0\.1"):
            await ask(Pool(talk.url.replace("localhost", "127.0.0.1"), connect_seconds=5))


async def test_a_server_that_does_not_encrypt() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Insecure, match="WRONG_VERSION_NUMBER"):
            await ask(Pool(f"https://127.0.0.1:{port}", connect_seconds=5))


async def test_a_proxy_is_asked_for_the_whole_url() -> None:
    async with speaking() as talk:
        proxy = talk.url.replace("//", "//me:p%40ss@")
        pool = Pool("http://model.invalid:8000", connect_seconds=5, proxy=proxy)
        assert await ask(pool) == b"ok"
        pool.close()
    assert talk.heads[0].startswith(b"POST http://model.invalid:8000/v1/x HTTP/1.1\r\nhost: model.invalid:8000\r\n")
    assert b"\r\nproxy-authorization: Basic bWU6cEBzcw==\r\n" in talk.heads[0]


async def tunnel(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What a proxy does for an encrypted connection, if it was shown a password."""
    if b"proxy-authorization: Basic bWU6cEBzcw==" not in head:
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
        return
    host, _, port = head.split()[1].decode().rpartition(":")
    there, back = await asyncio.open_connection(host, int(port))
    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")

    async def pump(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        with closing(to):
            while data := await source.read(2**16):
                to.write(data)

    await asyncio.gather(pump(reader, back), pump(there, writer))


@pytest.mark.usefixtures("trusted")
async def test_an_encrypted_connection_through_a_proxy(tls: ssl.SSLContext) -> None:
    async with speaking(tls=tls) as server, speaking(tunnel) as proxy:
        pool = Pool(server.url, connect_seconds=5, proxy=proxy.url.replace("//", "//me:p%40ss@"))
        assert [await ask(pool), await ask(pool)] == [b"ok", b"ok"]
        assert (server.opened, proxy.opened) == (1, 1)
        assert b"proxy-authorization" not in server.heads[0]
        with pytest.raises(Unconnected, match="the proxy answered 407"):
            await ask(Pool(server.url, connect_seconds=5, proxy=proxy.url))
        pool.close()


def test_a_proxy_of_another_kind() -> None:
    async def make(proxy: str) -> None:
        Pool("http://h", connect_seconds=5, proxy=proxy)

    with pytest.raises(InvalidOption, match=r"the proxy socks5://h:1 is none of the kind http://HOST:PORT"):
        asyncio.run(make("socks5://me:secret@h:1"))
    asyncio.run(make("proxy.example:3128"))
