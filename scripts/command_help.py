"""The help of every `ponder` command as Markdown, for the generated parts of the documentation."""

from __future__ import annotations

from collections.abc import Iterator

import click

__all__ = ["sections"]

WIDTH = 100


def sections(command: click.Command, *path: str) -> Iterator[str]:
    """A section for the command named by `path`, then one for each command below it."""
    name = " ".join(path)
    context = click.Context(command, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH)
    yield f"## `{name}`\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            if found is not None and not found.hidden:
                yield from sections(found, *path, below)
