"""`ponder serve`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from ponder.cli.settings.defaults import Defaults
from ponder.cli.settings.options import examples, model_option
from ponder.cli.settings.sources import blamed
from ponder.cli.shell import Unwritable

if TYPE_CHECKING:
    from ponder.gateway.settings import Config, Upstream

__all__ = ["serve"]


@click.command(
    epilog=examples(
        "ponder serve",
        "ponder serve --model local/smollm2-135m --port 9000",
        "ponder serve --model qwen3-8b@http://localhost:8001/v1",
        "ponder serve --config ponder.toml",
        "ponder serve --config ponder.toml --check",
    )
)
@model_option
@click.option("--host", help="The address to listen on; 127.0.0.1 unless the configuration has another.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    help="The port to listen on, 8080 unless the configuration has another; 0: a free one.",
)
@click.option("-c", "--config", "path", type=click.Path(path_type=Path), metavar="FILE", help="A configuration, TOML.")
@click.option("--check", is_flag=True, help="Say what is wrong with the configuration, and serve nothing.")
@click.pass_context
def serve(
    context: click.Context, model: str | None, host: str | None, port: int | None, path: Path | None, check: bool
) -> int:
    """Serve the chat API, with better answers behind it.

    Any client of that API reaches the model through the printed URL. A model called ponder/STRATEGY/MODEL answers with
    the strategy in front, such as "ponder/self-consistency(n=4)/smollm2-135m". Ctrl-C stops.

    Without a configuration the model and its price may come from PONDER_MODEL and ~/.config/ponder/config.toml, as for
    `ponder solve`; with one they are in it.
    """
    try:
        from ponder.gateway.server import serve as run
    except ImportError as error:
        from ponder.core.errors import UsageError

        raise UsageError(f"serving needs more packages: pip install 'ponder[gateway]' ({error})") from error
    from ponder.cli.terminal.open_model import open_model

    if check:
        return _check(path)
    if path is not None and context.get_parameter_source("model") is not ParameterSource.COMMANDLINE:
        model = None
    with blamed("model"):
        config = _configured(model, host, port, path, context.find_object(Defaults))

    def ready(url: str, keyed: bool) -> None:
        with suppress(BrokenPipeError, Unwritable):  # whoever serves need not be read
            _announce(url, config, model, keyed=keyed)

    run(config, open_model, ready)
    return 0


def _check(path: Path | None) -> int:
    from ponder.cli.shell import say
    from ponder.core.errors import UsageError
    from ponder.gateway.config.file import check_config

    if path is None:
        raise UsageError("--check needs a configuration; name it with --config")
    wrong = check_config(path)
    for line in wrong:
        say(line)
    if not wrong:
        print(f"{path} is in order")
    return 2 if wrong else 0


def _configured(
    model: str | None, host: str | None, port: int | None, path: Path | None, defaults: Defaults | None
) -> Config:
    from dataclasses import replace

    from ponder.core.errors import InvalidOption
    from ponder.gateway.config.file import read_config
    from ponder.gateway.settings import Config

    if path is not None and model is not None:
        raise InvalidOption("give --model or --config, not both: the configuration names its models")
    config = Config() if path is None else read_config(path)
    if model is not None:
        config = replace(config, upstreams={"upstream": _upstream(model, defaults)})
    return replace(config, host=host or config.host, port=config.port if port is None else port)


def _upstream(model: str, defaults: Defaults | None) -> Upstream:
    """The upstream for a model spec."""
    from ponder.backends.openai.address import key_in, parse_spec
    from ponder.core.errors import InvalidOption
    from ponder.gateway.settings import LOCAL, Upstream

    if model.startswith(LOCAL) or model.endswith(".gguf"):
        return Upstream(name="upstream", url=model if model.startswith(LOCAL) else LOCAL + model)
    if model.startswith("text/") or ("@http" not in model and not model.startswith("openai/")):
        raise InvalidOption(
            f"model {model!r} is none of local/NAME, local/PATH.gguf, openai/MODEL, MODEL@http://host:port/v1"
        )
    spec = parse_spec(model)
    key_in("OPENAI_API_KEY")  # the first request need not find out that it is damaged
    return Upstream(
        name="upstream", url=spec.url, key_env="OPENAI_API_KEY", kind=spec.kind, capabilities=spec.capabilities or (),
        price=defaults.price_of(model, spec.model) if defaults else None,
    )  # fmt: skip


def _announce(url: str, config: Config, spec: str | None, *, keyed: bool) -> None:
    from ponder.gateway.settings import LOCAL

    first = next(iter(config.upstreams.values()))
    name = next(iter(first.models), first.url if first.embedded else "MODEL")
    model = (
        name
        if spec is None or spec.startswith(LOCAL)
        else spec.partition("?")[0].partition("@")[0].removeprefix("openai/")
    )
    ask = '{"model": "%s", "messages": [{"role": "user", "content": "What is 17 * 23?"}]}'
    key = ' -H "Authorization: Bearer $PONDER_KEY"' if keyed else ""
    print(f"serving {model} at {url}; Ctrl-C stops. Try:\n")
    print(f"  curl {url}/chat/completions{key} -H 'Content-Type: application/json' \\")
    print(f"    -d '{ask % f'ponder/self-consistency(n=4)/{model}'}'", flush=True)
