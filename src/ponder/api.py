"""The Python front door: from a question to an answer with its bill."""

from __future__ import annotations

import asyncio
import functools
import secrets
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ParamSpec, TypeVar

import anyio.to_thread

import ponder.controllers
import ponder.strategies  # noqa: F401 - registers them
from ponder.core.answer import Answer
from ponder.core.answer_format import AnswerFormat
from ponder.core.arguments import check_arguments
from ponder.core.backend import Backend, Capability, Message, Prepares
from ponder.core.bill import Price
from ponder.core.budget import Budget
from ponder.core.errors import InvalidOption, MissingCapability, StoreError, UsageError, describe
from ponder.core.methods.registry import Plan, Strategy
from ponder.core.problem import Problem, Selective, Verifier, beyond_text, reads_of
from ponder.core.settings import LEVELS, Look, Settings, Thinking
from ponder.engine.live.call import Watch
from ponder.engine.live.driver import Live
from ponder.engine.methods import parse_spec, runnable
from ponder.engine.resume.journal import Recorded
from ponder.store.base import RunStore
from ponder.workers.share import Share

__all__ = ["DEFAULT_STRATEGY", "Job", "OnStart", "aresume", "asolve", "check_fits", "execute", "solve"]

P = ParamSpec("P")
T = TypeVar("T")

DEFAULT_STRATEGY = "self-consistency"

OnStart = Callable[[Live, str | None], None]
"""Told of a run as it begins, and of its name in the store, if there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Everything that defines a run, as plain data: what the store keeps and `aresume` starts from.

    `seeded` says that the seed was asked for, not drawn.
    `models` are the specs of further models by their roles, with their `prices`.
    `owner` is the API key that asked for it, by name, where there are such; `asked` is a digest of what was asked.
    """

    messages: tuple[Message, ...]
    strategy: str
    model: str
    settings: Settings
    seed: int
    reference: str | None = None
    budget: Budget = field(default_factory=Budget)
    price: Price | None = None
    verifier: str | None = None
    abstain_below: float | None = None
    owner: str | None = None
    asked: str | None = None
    seeded: bool = False
    models: Mapping[str, str] = field(default_factory=dict)
    prices: Mapping[str, Price | None] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        # Without what may be large, images in messages and a client's own options: it would copy them, value by value.
        settings = replace(self.settings, options={})
        data = asdict(replace(self, messages=(), settings=settings))
        data["settings"]["options"] = dict(self.settings.options)
        return {**data, "messages": [dict(message) for message in self.messages]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Job:
        """The inverse of `as_dict`."""
        values = dict(data)
        values["messages"] = tuple(values["messages"])
        settings = dict(values["settings"])
        if "thinking_budget" in settings:  # what `thinking` was called before 0.2
            settings["thinking"] = settings.pop("thinking_budget")
        values["settings"] = Settings(**settings)
        values["budget"] = Budget(**values["budget"])
        values["price"] = Price(**values["price"]) if values["price"] else None
        prices = values.get("prices", {}).items()
        values["prices"] = {role: Price(**price) if price else None for role, price in prices}
        return cls(**values)


async def asolve(
    question: str | bytes | Sequence[Message] | Problem,
    *,
    strategy: str | Strategy | Plan = DEFAULT_STRATEGY,
    model: str | Backend | None = None,
    models: Mapping[str, str | Backend] | None = None,
    budget: str | Budget | None = None,
    verifier: str | Verifier | Callable[..., Any] | None = None,
    max_tokens: int = 1024,
    temperature: float | None = None,
    top_p: float | None = None,
    thinking: Thinking | None = None,
    seed: int | None = None,
    price: str | Price | None = None,
    abstain_below: float | None = None,
    answers: Look = "rules",
    options: Mapping[str, Any] | None = None,
    store: RunStore | None = None,
    watch: Watch | None = None,
    on_start: OnStart | None = None,
) -> Answer:
    """Answer a question by spending more computation on it.

    `strategy` is a spec such as ``"adaptive-consistency@0.5"``, or that of a controller, ``"cmc@0.5"``, or what
    `ponder.strategy` has made of a function; `model` a spec such as ``"local/qwen2.5-coder-1.5b"`` (the default),
    ``"openai/gpt-4o-mini"`` or ``"qwen3@http://localhost:8000/v1"``, or a backend that is open already; `models`
    are further ones, by the roles in which the strategy calls them (``{"judge": ...}``); `budget` is
    ``"tokens=20k,seconds=30,usd=0.05,calls=100"``. `max_tokens` bounds one branch; `thinking` its reasoning, by a
    level (``"none"``, ``"low"``, ``"medium"``, ``"high"``) or a number of tokens. What is not set is left to strategy
    and model. An answer whose confidence is under `abstain_below` is withheld. With `answers` "model" the model is
    asked for the answer in a reply where rules find none, and whether two short texts are the same answer. `options`
    are further fields of the chat API for every call, such as ``{"response_format": {...}}``. With a `store` the run
    is journalled and can be resumed after a crash. `watch` and `on_start` are those of `execute`.

    Raises:
        UsageError: something that was asked for cannot be done; nothing was sent.
        WeightsError: the model's weights cannot be had.
        BackendError: the model failed before any branch was complete.
        StrategyError: the strategy is wrong.
        BaseException: what the strategy raised that is no `Exception`, as it is; the run is settled.
    """
    check_arguments(locals())
    plan = parse_spec(strategy) if isinstance(strategy, str) else strategy
    if isinstance(plan, Strategy):
        plan = plan.plan()
    problem = question if isinstance(question, Problem) else Problem.of(_listed(question))
    settings = Settings(
        max_tokens=max_tokens, temperature=temperature, top_p=top_p, thinking=thinking, answers=answers,
        options=dict(options or {}),
    )  # fmt: skip
    limits = Budget.parse(budget) if isinstance(budget, str) else budget or Budget()
    async with AsyncExitStack() as stack:
        backend = await _connected(model, stack)
        others = {role: await _connected(other, stack) for role, other in (models or {}).items()}
        job = Job(
            messages=problem.messages,
            reference=problem.reference,
            strategy=plan.spec,
            model=backend.name,
            settings=settings,
            seed=secrets.randbits(31) if seed is None else seed,
            seeded=seed is not None,
            budget=limits,
            price=_price(price, backend),
            verifier=verifier if isinstance(verifier, str) else None,
            abstain_below=abstain_below,
            models={role: other.name for role, other in others.items()},
            prices={role: _price(None, other) for role, other in others.items()},
        )
        checker = _verifier(verifier if verifier is not None else problem.verifier)
        return await execute(
            job, backend, models=others, plan=plan, problem=problem, verifier=checker, store=store, watch=watch,
            on_start=on_start,
        )  # fmt: skip


def _blocking(function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    @functools.wraps(function)
    def call(*arguments: P.args, **options: P.kwargs) -> T:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(function(*arguments, **options))
        raise UsageError("solve() cannot run inside an event loop; use `await ponder.asolve(...)` there")

    return call


solve = _blocking(asolve)
"""`asolve` for programs without an event loop; takes the same options."""


async def execute(
    job: Job,
    backend: Backend,
    *,
    models: Mapping[str, Backend] | None = None,
    plan: Plan | None = None,
    problem: Problem | None = None,
    verifier: Verifier | None = None,
    store: RunStore | None = None,
    run: str | None = None,
    watch: Watch | None = None,
    on_start: OnStart | None = None,
    claimed: bool = False,
) -> Answer:
    """Carry out a job, or what is left of it when `store` has a run `run`; a new one gets that name.

    `backend` is the main model, `models` are those of the job's other roles. With `claimed` the caller holds the claim
    of `run`.
    `on_start` receives the run before it begins, to show or stop it, and the name it has in `store`; `watch` is told
    of streamed text.
    """
    plan = plan or parse_spec(job.strategy)
    problem = problem or Problem(messages=job.messages, reference=job.reference)
    verifier = verifier or _verifier(job.verifier)
    models = models or {}
    for one in (backend, *models.values()):
        if isinstance(one, Prepares):
            await one.prepare()
    _check(job, plan, problem, backend, verifier)
    _check_roles(job, plan, models)
    with ExitStack() as stack:
        earlier = Recorded()
        if store is not None:
            named, run = run is not None, run or store.begin(job.as_dict())
            if not claimed:
                stack.enter_context(store.claim(run))
            earlier = _earlier(store, run, job) if named else earlier
        journal = store.journal(run) if store is not None and run is not None else None
        share = Share(job.owner)
        live = Live(
            plan, problem, backend, answers=_answers(job.settings, problem), settings=job.settings, seed=job.seed,
            budget=job.budget, price=job.price, models=models, prices=job.prices, verifier=verifier,
            journal=journal, recorded=earlier, watch=watch,
        )  # fmt: skip
        if on_start is not None:
            on_start(live, run)
        try:
            with share.working():
                answer = _withhold(await live.run(), job.abstain_below)
        except BaseException as error:
            if store is not None and run is not None:
                status = "interrupted" if _is_interruption(error, live) else "failed"
                with suppress(StoreError):  # what ended the run is more to the point
                    store.finish(run, status, live.so_far(status).as_dict())
            if earlier.entries and isinstance(error, KeyError | TypeError | ValueError | AttributeError):
                raise StoreError(f"run {run} cannot go on: its journal is damaged ({describe(error)})") from error
            raise
        answer = replace(
            answer, run=run, notes=(*answer.notes, *share.notes, *_unheeded(job, backend), *_unused(plan, models))
        )
        if journal is not None and journal.broken is not None:
            answer = replace(answer, notes=(*answer.notes, journal.broken))
        if store is not None and run is not None:
            try:
                store.finish(run, _status(live), answer.as_dict())
            except StoreError as error:
                answer = replace(answer, notes=(*answer.notes, str(error)))
        return answer


def _is_interruption(error: BaseException, live: Live) -> bool:
    """True for what came from outside, or from the keyboard while the strategy computed; it may go on."""
    return not isinstance(error, Exception) and (live.escaped is None or isinstance(error, KeyboardInterrupt))


def _unheeded(job: Job, backend: Backend) -> list[str]:
    """What is to be said of a seed that was asked for and has no effect; known only when the run is over."""
    if not job.seeded or Capability.SEED in backend.capabilities:
        return []
    return [f"the seed was not used: {backend.name} does not take one, or does not repeat itself with it"]


def _unused(plan: Plan, models: Mapping[str, Backend]) -> list[str]:
    """What is to be said of models that the strategy has no use for."""
    return [f"{plan.spec} has no use for the model {role!r}" for role in models if role not in plan.roles]


def _earlier(store: RunStore, run: str, job: Job) -> Recorded:
    """What earlier lives of the run have done."""
    if store.find(run) is None:
        store.begin(job.as_dict(), run)
        return Recorded()
    return Recorded(store.begin_again(run))


def _status(live: Live) -> str:
    """How a run with an answer ended; all but one that is done may go on."""
    if live.stopped:
        return "interrupted"
    return "failed" if live.broke else "done"


async def aresume(
    name: str,
    store: RunStore,
    *,
    backend: Backend | None = None,
    models: Mapping[str, Backend] | None = None,
    watch: Watch | None = None,
    on_start: OnStart | None = None,
) -> Answer:
    """Finish a run that was cut off; a finished one just gives its answer again.

    A failed one goes on after its last answered call: what failed since is tried again.

    Raises:
        UsageError: there is no such run, or its model or verifier was given as an object, not by name.
        StoreError: another process is working on it.
    """
    row = store.run(name)
    if row.status == "done" and row.answer is not None:
        return Answer.from_dict(row.answer)
    job = Job.from_dict(row.job)
    async with AsyncExitStack() as stack:
        backend = backend or await _connected(job.model, stack)
        given = models or {}
        others = {role: given.get(role) or await _connected(spec, stack) for role, spec in job.models.items()}
        return await execute(job, backend, models=others, store=store, run=row.id, watch=watch, on_start=on_start)


def _check(job: Job, plan: Plan, problem: Problem, backend: Backend, verifier: Verifier | None) -> None:
    """See that all that is asked for can be done.

    Raises:
        UsageError: it cannot.
    """
    check_fits(plan, backend, verifier)
    part = beyond_text(problem.messages)
    if part is not None and Capability.IMAGES not in backend.capabilities:
        raise MissingCapability(
            f"{backend.name} reads no images, only text, and the messages hold a part of type {part!r:.40}; "
            "ask a model that does, at a server"
        )
    if plan.needs_verifier and isinstance(verifier, Selective):
        verifier.check(problem)
    if job.settings.thinking is not None:
        _check_thinking(job.settings.thinking, backend)
    if job.budget.usd is not None and job.price is None:
        raise UsageError(f"a budget in usd needs a price, and that of {backend.model} is not known; give price=")
    if job.abstain_below is not None and not 0 <= job.abstain_below <= 1:
        raise InvalidOption(f"abstain_below={job.abstain_below:g} must lie between 0 and 1")


def _check_roles(job: Job, plan: Plan, models: Mapping[str, Backend]) -> None:
    for role, needs in plan.roles.items():
        if role not in models:
            raise UsageError(f"{plan.spec} calls a second model as {role!r}; give one, models={{{role!r}: ...}}")
        if missing := needs - models[role].capabilities:
            names = ", ".join(sorted(capability.value for capability in missing))
            raise MissingCapability(
                f"{plan.spec} needs {names} of the model {role!r}, which {models[role].name} cannot do"
            )
    for role, model in models.items():
        if job.budget.usd is not None and job.prices.get(role) is None:
            raise UsageError(
                f"a budget in usd needs all prices, and that of the model {role!r}, {model.name}, is not known"
            )


def _check_thinking(thinking: Thinking, backend: Backend) -> None:
    levels = Capability.THINKING in backend.capabilities
    if isinstance(thinking, str) and not levels:
        raise MissingCapability(f"{backend.name} cannot reason more or less on demand; leave thinking out")
    if isinstance(thinking, int) and Capability.THINKING_BUDGET not in backend.capabilities:
        instead = f"give a level, one of {', '.join(LEVELS)}" if levels else "leave thinking out"
        raise MissingCapability(f"{backend.name} cannot limit hidden reasoning to a number of tokens; {instead}")


def check_fits(plan: Plan, backend: Backend, verifier: Verifier | None) -> None:
    """See that the backend can do what the strategy needs.

    Raises:
        MissingCapability: it cannot; the text names what is missing and a strategy that would work.
    """
    needs = plan.needs | (verifier.needs if verifier is not None and plan.needs_verifier else frozenset())
    missing = needs - backend.capabilities
    if missing:
        names = ", ".join(sorted(capability.value for capability in missing))
        known = runnable()
        fitting = [
            name
            for name in ("self-consistency", "adaptive-consistency", "single", *known)
            if name in known and not known[name].plan().needs - backend.capabilities
        ]
        would = f"; {fitting[0]} would work" if fitting else ""
        raise MissingCapability(f"{plan.spec} needs {names}, which {backend.name} cannot do{would}")
    if plan.needs_verifier and verifier is None:
        raise MissingCapability(
            f"{plan.spec} needs a verifier; give one (p-yes asks the model itself), or use self-consistency"
        )
    if plan.scores_prefixes and verifier is not None and reads_of(verifier) != "prefix":
        raise MissingCapability(
            f"{plan.spec} scores replies that are still under way, and verifier {verifier.name} cannot: give one with "
            'reads = "prefix"'
        )


async def _connected(model: str | Backend | None, stack: AsyncExitStack) -> Backend:
    from ponder.backends import DEFAULT_MODEL, connect

    if model is not None and not isinstance(model, str):
        return model
    spec = DEFAULT_MODEL if model is None else model
    backend = await anyio.to_thread.run_sync(connect, spec)  # weights take their time
    stack.push_async_callback(backend.aclose)
    return backend


def _listed(question: str | bytes | Sequence[Message]) -> str | bytes | list[Message]:
    return question if isinstance(question, str | bytes) else list(question)


def _price(price: str | Price | None, backend: Backend) -> Price | None:
    from ponder.backends import prices

    if isinstance(price, str):
        return prices.parse(price)
    return price or prices.of(backend)


def _verifier(given: str | Verifier | Callable[..., Any] | None) -> Verifier | None:
    from ponder import verifiers

    if given is None or isinstance(given, Verifier):
        return given
    return verifiers.resolve(given) if isinstance(given, str) else verifiers.Function(given)


def _answers(settings: Settings, problem: Problem) -> AnswerFormat:
    from ponder.answers import Answers, JsonValues

    asked = settings.options.get("response_format") or {}
    return JsonValues() if str(asked.get("type")).startswith("json") else Answers(question=problem.question)


def _withhold(answer: Answer, threshold: float | None) -> Answer:
    if threshold is None or (answer.confidence or 0.0) >= threshold:
        return answer
    confidence = "unknown" if answer.confidence is None else f"{answer.confidence:.2f}"
    because = f"abstained: confidence {confidence} is under {threshold:g}; {answer.stopped_because}"
    return replace(answer, value=None, abstained=True, stopped_because=because)
