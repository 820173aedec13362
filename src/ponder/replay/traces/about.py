"""What a recorded trace says of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ponder.core.errors import TraceError

__all__ = ["MOST_TOKENS", "VERSION", "About", "read_about", "write_about"]

VERSION = 1
"""Of the format on disk. It grows when a reader of the old one would misunderstand the new one."""

MOST_TOKENS = 100_000_000
"""In one branch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Where a trace comes from.

    `interval` is the tokens between two probes, None where no branch was probed. `settings` are those of the sampling,
    `probe` is the text after which a branch was asked for its answer. `source` is the file or the suite of questions,
    `made` a date (ISO 8601), `versions` are those of Ponder and of what ran the model.
    """

    name: str
    interval: int | None = None
    model: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    probe: str = ""
    source: str = ""
    made: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.interval is not None and not 1 <= self.interval <= MOST_TOKENS:
            raise TraceError(
                f"{self.name}: the interval of {self.interval} tokens must lie between 1 and {MOST_TOKENS:,}"
            )


def write_about(about: About) -> bytes:
    """As JSON, with the version of the format."""
    return json.dumps({"version": VERSION, **asdict(about)}, ensure_ascii=False).encode("utf-8", "surrogatepass")


def read_about(file: object, data: bytes) -> About:
    """The inverse of `write_about`; `file` is what errors are about.

    Raises:
        TraceError: a newer version of the format, or no such JSON.
    """
    try:
        fields = json.loads(data)
        version = fields.pop("version")
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        raise TraceError(f"{file}: what the trace says of itself is no JSON object with a version") from None
    if not _is_whole(version) or version < 1:
        raise TraceError(f"{file}: the version of the format must be a whole number, not {version!r:.40}")
    if version > VERSION:
        raise TraceError(
            f"{file}: format version {version} is newer than {VERSION}, the last one known; upgrade Ponder"
        )
    kinds = {"name": str, "model": str, "settings": dict, "probe": str, "source": str, "made": str, "versions": dict}
    for name, kind in kinds.items():
        if not isinstance(fields.setdefault(name, kind()), kind):
            raise TraceError(f"{file}: {name} must be {'text' if kind is str else 'an object'}")
    interval = fields.get("interval")
    if interval is not None and not _is_whole(interval):
        raise TraceError(f"{file}: the interval must be a whole number, not {interval!r:.40}")
    about = {name: fields[name] for name in kinds}
    return About(**{**about, "name": about["name"] or str(file)}, interval=interval)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
