"""docs/gateway.md: its configuration is in order, and its reference has every key with its true default."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest

from ponder.gateway.admission.fair_queue import FairQueue
from ponder.gateway.config.file import check_config, read_config
from ponder.gateway.operations.metrics import Metrics
from ponder.gateway.operations.retention import StoreSize
from ponder.gateway.settings import Caps, Config, Defaults, Kept, Key, Limits, Upstream

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "gateway.md").read_text()

TABLES: dict[str, tuple[Any, set[str]]] = {
    "[server]": (Config(), {"upstreams", "defaults", "caps", "limits", "total", "kept", "keys"}),
    "[upstreams.NAME]": (Upstream(name="a", url=""), {"name"}),
    "[defaults]": (Defaults(), {"models"}),
    "[caps]": (Caps(), set()),
    "[limits]": (Limits(), set()),
    "[kept]": (Kept(), set()),
    "[keys.NAME]": (Key(name="a"), {"name", "caps", "limits"}),
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def rows(table: str) -> dict[str, str]:
    """The keys of one table of the reference, with their defaults."""
    section = PAGE.split(f"### `{table}`\n")[1].split("\n## ")[0].split("\n### ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", section, re.MULTILINE))


def test_the_example_is_in_order_and_means_what_its_comments_say(tmp_path: Path) -> None:
    [example] = blocks("toml")
    path = tmp_path / "gateway.toml"
    path.write_text(example)
    assert check_config(path) == []
    config = read_config(path)
    assert config.total.usd_per_day == 50
    assert (config.key("alice").limits.tokens_per_day, config.key("batch").limits.tokens_per_day) == (
        5 * 10**6,
        5 * 10**7,
    )
    assert config.key("batch").limits.requests_per_minute == 120


@pytest.mark.parametrize("table", TABLES)
def test_the_reference_has_every_key_with_its_default(table: str) -> None:
    default, other = TABLES[table]
    fields = {field.name: getattr(default, field.name) for field in dataclasses.fields(default)}
    shown = rows(table)
    assert set(shown) == set(fields) - other
    for name, text in shown.items():
        value = fields[name]
        if text.startswith("`"):
            written = f'"{value}"' if isinstance(value, str) else str(value)
            assert text == f"`{written}`", name
        else:
            assert value in (None, (), ""), name


def test_every_metric_is_documented() -> None:
    names = set(
        re.findall(r"^# TYPE (\w+)", Metrics(FairQueue(1, 1, 1), {}, StoreSize()).page()[0].decode(), re.MULTILINE)
    )
    documented = set(re.findall(r"`(ponder_\w+)`", PAGE))
    assert {name for name in names if not name.endswith("_created")} == documented


def test_the_dashboard_asks_for_metrics_and_labels_that_there_are() -> None:
    dashboard = json.loads((DOCS / "gateway-dashboard.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    documented = dict(re.findall(r"^\| (`ponder_[^|]*) \| ([^|]*)\|$", PAGE, re.MULTILINE))
    labels = {name: text for names, text in documented.items() for name in re.findall(r"ponder_\w+", names)}
    for expression in asked:
        for name in re.findall(r"ponder_\w+", expression):
            known = labels[name.removesuffix("_bucket")]
            grouped = re.findall(r"by \(([^)]*)\)", expression)
            wanted = {label for group in grouped for label in group.split(", ")} - {"le"}
            wanted |= set(re.findall(r"\{(\w+)=", expression))
            assert all(label in known for label in wanted), expression


def test_every_command_line_is_one_that_there_is() -> None:
    from ponder.cli.commands import ponder as main

    for line in "\n".join(blocks("sh")).splitlines():
        if line.startswith("ponder "):
            assert line.split()[1] in main.commands
