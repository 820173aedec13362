"""What has to fit together in a configuration."""

from __future__ import annotations

from collections.abc import Mapping

from ponder.core.bill import Price
from ponder.gateway.config.checked_tables import Faults, Place
from ponder.gateway.settings import SINGLE, Config, Defaults

__all__ = ["check_together"]


def check_together(config: Config, faults: Faults) -> None:
    """Note what is wrong with a configuration whose values are right one by one."""
    served: dict[str, str] = {}
    for name, upstream in config.upstreams.items():
        place = ("upstreams", name)
        if upstream.fallback not in (None, SINGLE, *config.upstreams) or upstream.fallback == name:
            others = ", ".join([SINGLE, *(other for other in config.upstreams if other != name)])
            faults.add((*place, "fallback"), f"upstreams.{name}: fallback={upstream.fallback!r} is none of {others}")
        for model in upstream.models:
            if model in served:
                faults.add((*place, "models"), f"upstreams.{name}: {served[model]} serves {model!r}, too; name it once")
            served[model] = name
    _check_reached(config, served, faults)
    if not faults.found:  # what follows from values that are wrong is no news
        _check_strategies(config, faults)
        _check_prices(config, faults)


def _check_reached(config: Config, served: Mapping[str, str], faults: Faults) -> None:
    """What nobody can ask for is a mistake."""
    for model in config.defaults.models:
        if model not in served and all(upstream.models for upstream in config.upstreams.values()):
            faults.add(("defaults", "models", model), f"defaults.models: no upstream serves {model!r}")
    without = [name for name, upstream in config.upstreams.items() if not upstream.models and not upstream.embedded]
    for name in without[1:]:
        if all(name != upstream.fallback for upstream in config.upstreams.values()):
            faults.add(
                ("upstreams", name),
                f"upstreams.{name} is never asked: {without[0]} comes before it and has no list of models, either",
            )


def _check_strategies(config: Config, faults: Faults) -> None:
    """A strategy that is nobody's wish in particular has to keep the caps: else every request is refused."""
    from ponder.gateway.admission.demand import Ask, demand
    from ponder.gateway.errors import Refused

    defaults, nothing = config.defaults, Price(0, 0, 0, "given")
    own = defaults.strategy != Defaults().strategy
    place: Place = ("defaults", "strategy") if own else ("caps",)
    used = [(place, defaults.strategy, config.caps)]
    used += [(("defaults", "models", model), spec, config.caps) for model, spec in defaults.models.items()]
    for name, key in config.keys.items():
        used.append((("keys", name, "caps"), key.strategy or defaults.strategy, key.caps))
    for place, spec, caps in used:
        try:
            demand(Ask(upstream="", prompt_bytes=0, strategy=spec, price=nothing), caps, defaults.max_tokens)
        except Refused as refused:
            faults.add(place, f"the default strategy {spec} would always be refused: {refused}; name another")


def _check_prices(config: Config, faults: Faults) -> None:
    """Dollars cannot be limited where nobody knows the price."""
    from ponder.backends.openai.address import VENDOR_URL, Address

    keys = config.keys.values()
    caps = any(caps.usd for caps in (config.caps, *(key.caps for key in keys)))
    limits = (config.limits, config.total, *(key.limits for key in keys))
    if not caps and not any(one.usd or one.usd_per_day for one in limits):
        return
    for name, upstream in config.upstreams.items():
        known = upstream.price is not None or upstream.embedded
        if not known and Address.of(upstream.url).url != VENDOR_URL:
            place = ("upstreams", name)
            faults.add(place, f'upstreams.{name} has no price, and dollars are limited; write price = "0.10/0.40"')
