"""The URL of a PostgreSQL database, which may hold a password that nobody is to see."""

from __future__ import annotations

from typing import Any

from ponder.core.errors import InvalidOption, UsageError

__all__ = ["PostgresUrl"]


class PostgresUrl:
    """A database, as libpq's ``postgresql://user:password@host:port/name`` names it; `str` of it has no password.

    What it leaves out, libpq takes from its environment: ``PGPASSWORD``, ``PGSERVICE``, ``~/.pgpass``.

    Raises:
        InvalidOption: libpq cannot read it.
        UsageError: the package that speaks to PostgreSQL is missing.
    """

    def __init__(self, text: str) -> None:
        try:
            import psycopg
            from psycopg.conninfo import conninfo_to_dict
        except ImportError as error:
            raise UsageError(
                f"PostgreSQL needs another package: pip install 'ponder[postgres]' ({str(error).splitlines()[0]})"
            ) from None
        try:
            self.parameters: dict[str, Any] = conninfo_to_dict(text)
        except psycopg.Error:  # its text repeats the URL
            raise InvalidOption(
                "the store's URL cannot be read; write postgresql://USER@HOST:PORT/DATABASE, and %40 for an @ in it"
            ) from None

    def __str__(self) -> str:
        known = self.parameters
        host, port, user = (str(known.get(name, "")) for name in ("host", "port", "user"))
        address = f"{user}@{host}" if user else host
        service = f"?service={known['service']}" if "service" in known else ""
        return f"postgresql://{address}{':' if port else ''}{port}/{known.get('dbname', '')}{service}"

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PostgresUrl) and self.parameters == other.parameters

    __hash__ = None  # type: ignore[assignment]

    def clean(self, text: str) -> str:
        """The first line of a text, without what is secret here."""
        line = text.strip().partition("\n")[0]
        for name in ("password", "sslpassword"):
            secret = str(self.parameters.get(name, ""))
            line = line.replace(secret, "***") if secret else line
        return line
