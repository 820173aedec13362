"""`ponder completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from ponder.cli.settings.options import examples

__all__ = ["completion"]


@click.command(
    epilog=examples(
        'eval "$(ponder completion bash)"  # in ~/.bashrc',
        'eval "$(ponder completion zsh)"   # in ~/.zshrc, after compinit',
        "ponder completion fish > ~/.config/fish/completions/ponder.fish",
    )
)
@click.argument("shell", metavar="bash|zsh|fish", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script for a shell."""
    make = get_completion_class(shell)
    assert make is not None
    print(make(context.find_root().command, {}, "ponder", "_PONDER_COMPLETE").source())
