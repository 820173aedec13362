"""The configuration as a TOML file: everything in it is known, of the right type and within its bounds."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ponder.core.errors import InvalidOption, UsageError
from ponder.gateway.accounts.keys import check_name
from ponder.gateway.config.checked_tables import Faults, Place
from ponder.gateway.config.consistency import check_together
from ponder.gateway.config.own_strategies import load_strategies
from ponder.gateway.config.toml_lines import line_of_error, lines_of
from ponder.gateway.cors import check_origin
from ponder.gateway.http.headers import check_request_header, check_response_header
from ponder.gateway.settings import LOCAL, SINGLE, Caps, Config, Defaults, Kept, Key, Limits, Upstream
from ponder.store.postgres.url import PostgresUrl

__all__ = ["check_config", "read", "read_config", "store_of"]

SERVER = ("host", "port", "store", "origins", "strategies", "branches", "queue", "queue_seconds")


def check_config(path: Path) -> list[str]:
    """Everything that is wrong with a configuration file, as ``FILE:LINE: what is wrong``; empty if nothing is."""
    return read(path)[1]


def read(path: Path) -> tuple[Config, list[str]]:
    """The configuration in a file, and what is wrong with it, by line: only without a fault is the former of use."""
    try:
        text, document = _parsed(path)
    except InvalidOption as error:
        return Config(), [str(error)]
    faults = Faults()
    config = _config(document, path, faults)
    if not faults.found:
        return config, []
    lines = lines_of(text)
    return config, [f"{path}:{line}: {what}" for line, what in sorted(faults.on(lines))]


def store_of(path: Path) -> Path | PostgresUrl | None:
    """The store that a configuration names, None if none, whatever else is wrong with it.

    Raises:
        InvalidOption: ``FILE:LINE: ...``, it cannot be read, or its store is neither a path nor a URL.
    """
    text, document = _parsed(path)
    faults = Faults()
    store = _store(faults.table(document.get("server", {}), ("server",)), path, faults)
    for line, what in faults.on(lines_of(text)):
        raise InvalidOption(f"{path}:{line}: {what}")
    return store


def _parsed(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidOption(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise InvalidOption(f"{path}: cannot be read: it is not UTF-8") from None
    try:
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        what = str(error).split(" (at ")[0]
        line = line_of_error(error, text)
        raise InvalidOption(f"{path}:{line}: this is no TOML: {what[:1].lower()}{what[1:]}") from None


def _store(server: dict[str, Any], path: Path, faults: Faults) -> Path | PostgresUrl | None:
    """Remove the store from a table; its path counts from the folder that the configuration is in."""
    from ponder.store.place import place_of

    place, given = ("server", "store"), server.pop("store", None)
    if given is None or not isinstance(given, str):
        if given is not None:  # what it is may hold a password
            faults.add(place, "server: store is not text")
        return None
    named = faults.attempt(place, lambda: place_of(given))
    return path.parent / named if isinstance(named, Path) else named


def _config(document: Mapping[str, Any], path: Path, faults: Faults) -> Config:
    known = ("server", "upstreams", "defaults", "caps", "limits", "kept", "keys")
    tables = faults.known(document, (), "table", known)
    server = faults.table(tables.get("server", {}), ("server",))
    origins = _each(server, "origins", check_origin, faults)
    strategies = _each(server, "strategies", lambda one: load_strategies(one, path.parent), faults)
    caps = faults.values(Caps(), tables.get("caps", {}), ("caps",))
    limits = faults.values(Limits(), tables.get("limits", {}), ("limits",))
    total = faults.values(Limits(), server.pop("limits", {}), ("server", "limits"))
    config = Config(
        store=_store(server, path, faults),
        origins=origins,
        strategies=strategies,
        defaults=_defaults(tables.get("defaults", {}), faults),
        caps=caps,
        limits=limits,
        total=total,
        kept=faults.values(Kept(), tables.get("kept", {}), ("kept",)),
        keys={
            name: _key(name, table, caps, limits, faults)
            for name, table in faults.table(tables.get("keys", {}), ("keys",)).items()
        },
    )
    config = faults.values(config, server, ("server",), only=SERVER)
    if "upstreams" in tables:
        given = faults.table(tables["upstreams"], ("upstreams",))
        config = replace(config, upstreams={name: _upstream(name, table, faults) for name, table in given.items()})
        if not given:
            faults.add(("upstreams",), "upstreams is empty; leave it out for the embedded model")
    check_together(config, faults)
    return config


def _each(server: dict[str, Any], name: str, check: Callable[[str], None], faults: Faults) -> tuple[str, ...]:
    """Remove a list of texts from a table, each of which passes `check`."""
    place, given = ("server", name), faults.take(server, name, list, ("server",)) or []
    if not all(isinstance(one, str) for one in given):
        faults.add(place, f"server: {name}={given!r} is not a list of texts")
        return ()
    for one in given:
        faults.attempt(place, partial(check, one))
    return tuple(given)


def _upstream(name: str, given: Any, faults: Faults) -> Upstream:
    place = ("upstreams", name)
    table = faults.table(given, place)
    url = faults.take(table, "url", str, place)
    models = faults.take(table, "models", list, place) or []
    price = faults.take(table, "price", str, place)
    kind = faults.take(table, "kind", str, place)
    capabilities = faults.take(table, "capabilities", list, place) or []
    if name == SINGLE:
        faults.add(place, f"no upstream may be called {SINGLE}, which is a fallback of its own")
    if url is None:
        faults.add(place, f'{".".join(place)} has no url; write url = "http://localhost:8000/v1", or "local/NAME"')
    elif not url.startswith(LOCAL):
        faults.attempt((*place, "url"), lambda: _address(url))
    if not all(isinstance(model, str) and model for model in models):
        faults.add((*place, "models"), f"{'.'.join(place)}: models={models!r} is not a list of names")
    if kind is not None:
        faults.attempt((*place, "kind"), lambda: _kind(kind))
    asked = _headers(table, "request_headers", check_request_header, place, faults)
    told = _headers(table, "response_headers", check_response_header, place, faults)
    if capabilities:
        faults.attempt((*place, "capabilities"), lambda: _capabilities(capabilities))
    upstream = faults.values(Upstream(name=name, url=url or LOCAL), table, place)
    if upstream.key_env is not None:
        variable = upstream.key_env
        faults.attempt((*place, "key_env"), lambda: _secret(variable))
    return replace(
        upstream,
        models=tuple(map(str, models)),
        kind=kind,
        capabilities=tuple(map(str, capabilities)),
        request_headers=asked,
        response_headers=told,
        price=None if price is None else faults.attempt((*place, "price"), lambda: _price(price)),
    )


def _headers(
    table: dict[str, Any], name: str, check: Callable[[object], None], place: Place, faults: Faults
) -> tuple[str, ...]:
    given = faults.take(table, name, list, place) or []
    for one in given:
        faults.attempt((*place, name), partial(check, one))
    return tuple(str(one).lower() for one in given)


def _address(url: str) -> None:
    from ponder.backends.openai.address import Address

    if Address.of(url).authorization is not None:
        raise UsageError("there is a password in the url; put it into a variable, and name that in key_env")


def _kind(name: str) -> None:
    from ponder.backends.openai.servers import named

    named(name)


def _capabilities(names: list[Any]) -> None:
    from ponder.backends.needs import declared

    declared(map(str, names), frozenset())


def _secret(variable: str) -> None:
    from ponder.backends.openai.address import key_in

    if not key_in(variable):
        raise UsageError(f"the environment variable {variable} is not set")


def _price(text: str) -> Any:
    from ponder.backends import prices

    return prices.parse(text)


def _defaults(given: Any, faults: Faults) -> Defaults:
    table = faults.table(given, ("defaults",))
    models = faults.table(table.pop("models", {}), ("defaults", "models"))
    for model, spec in models.items():
        _strategy(spec, ("defaults", "models", model), faults)
    defaults = faults.values(Defaults(models=models), table, ("defaults",))
    if "strategy" in table:
        _strategy(defaults.strategy, ("defaults", "strategy"), faults)
    return defaults


def _key(name: str, given: Any, caps: Caps, limits: Limits, faults: Faults) -> Key:
    place = ("keys", name)
    faults.attempt(place, lambda: check_name(name))
    table = faults.table(given, place)
    key = Key(
        name=name,
        caps=faults.values(caps, table.pop("caps", {}), (*place, "caps")),
        limits=faults.values(limits, table.pop("limits", {}), (*place, "limits")),
    )
    key = faults.values(key, table, place)
    if key.strategy is not None:
        _strategy(key.strategy, (*place, "strategy"), faults)
    return key


def _strategy(spec: Any, place: Place, faults: Faults) -> None:
    import ponder.api  # noqa: F401 - registers what can be named
    from ponder.engine.methods import parse_spec

    if not isinstance(spec, str):
        faults.add(place, f"{'.'.join(place)}={spec!r} is not text")
    else:
        faults.attempt(place, lambda: parse_spec(spec))


def read_config(path: Path) -> Config:
    """The configuration in a TOML file.

    Raises:
        InvalidOption: ``FILE:LINE: what is wrong``, for the first thing that is.
    """
    from ponder.core.errors import InvalidOption

    config, wrong = read(path)
    if wrong:
        raise InvalidOption(wrong[0])
    return config
