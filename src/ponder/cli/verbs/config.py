"""`ponder config`."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from ponder.cli.settings.options import examples, json_option

__all__ = ["config"]


@click.command(
    epilog=examples(
        "ponder config",
        "PONDER_BUDGET=tokens=20k ponder config --json",
    )
)
@json_option
def config(as_json: bool) -> int:
    """Show the defaults that hold here, and where each comes from.

    An option that is not given comes from its variable, PONDER_MODEL for --model, then from the file
    ~/.config/ponder/config.toml, or the one that PONDER_CONFIG names. It is TOML: lines such as max_tokens = 2000, and
    a table [prices] of "MODEL" = "0.15/0.60", dollars per million tokens, by the names or specs of models.

    The exit code is 2 if one of them cannot be used.
    """
    from ponder.cli.settings.defaults import config_file, read_defaults, source
    from ponder.cli.settings.effective import effective
    from ponder.cli.shell import say
    from ponder.cli.terminal.table import print_table

    found = list(effective(read_defaults()))
    wrong = [one for one in found if one.wrong is not None]
    if as_json:
        print(json.dumps({"file": str(config_file()), "settings": [asdict(one) for one in found]}, indent=2))
    else:
        print_table(("SETTING", "VALUE", "FROM"), [(one.name, one.value, one.source) for one in found])
        print(f"the file is {config_file()}{'' if config_file().exists() else ', and it is not there'}")
    for one in wrong:
        say(f"{source(one.name, one.source)}: {one.wrong}")
    return 2 if wrong else 0
