"""What the model is asked, in the settings of one run."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from ponder.core.backend import Backend, Batches, Capability, Message, Request
from ponder.core.bill import MAIN
from ponder.core.branch import Branch
from ponder.core.errors import MissingCapability, UnknownName
from ponder.core.problem import Problem
from ponder.core.settings import Settings

__all__ = ["Requests"]


class Requests:
    """Builds the requests of one run to its models, which are known by their roles.

    `logprobs` is how many alternatives to ask for with the first token of each branch.
    """

    def __init__(
        self, problem: Problem, settings: Settings, models: Mapping[str, Backend], seed: int, logprobs: int
    ) -> None:
        self.problem = problem
        self.settings = settings
        self._models = models
        self._seed = seed
        self._logprobs = logprobs

    def can(self, capability: Capability, model: str = MAIN) -> bool:
        """True if the model can do it."""
        return capability in self._models[model].capabilities

    def in_one_call(self, choices: int, model: str = MAIN) -> int:
        """How many of so many choices the model takes in one call."""
        backend = self._models[model]
        most = backend.most_choices if isinstance(backend, Batches) else None
        return choices if most is None else min(choices, most)

    def check_role(self, model: str) -> None:
        """See that there is a model of this role.

        Raises:
            UnknownName: there is none.
        """
        if model not in self._models:
            raise UnknownName("model", model, self._models)

    def require(self, capability: Capability, what: str, model: str = MAIN) -> None:
        """See that the model can do it.

        Raises:
            MissingCapability: it cannot.
        """
        if not self.can(capability, model):
            name = self._models[model].name
            raise MissingCapability(f"{name} cannot {what}: it lacks the capability {capability.value!r}")

    def build(
        self,
        *,
        max_tokens: int,
        messages: tuple[Message, ...] | None = None,
        model: str = MAIN,
        prefix: str = "",
        stop: tuple[str, ...] = (),
        seed: int | None = None,
        temperature: float | None = None,
        branches: tuple[str, ...] = (),
        stream: bool = False,
    ) -> Request:
        """A request with the run's settings; `messages` is a branch's own prompt.

        How much to reason is said to the main model only: what others can do with it is not known.
        """
        settings = self.settings
        return Request(
            messages=self.problem.messages if messages is None else messages,
            prefix=prefix,
            max_tokens=max_tokens,
            temperature=settings.temperature if temperature is None else temperature,
            top_p=settings.top_p,
            stop=stop,
            seed=seed,
            logprobs=self._logprobs,
            thinking=settings.thinking if model == MAIN else None,
            limit_name=settings.limit_name,
            branches=branches,
            stream=stream,
            options=settings.options,
        )

    def seed(self, name: str, model: str = MAIN) -> int | None:
        """The sampling seed of what has this name in the run: the same in every life of it."""
        if not self.can(Capability.SEED, model):
            return None
        return zlib.crc32(f"{self._seed}:{name}".encode()) & 0x7FFFFFFF

    def seed_of(self, branch: Branch) -> int | None:
        """That of a branch's next stretch."""
        return self.seed(f"{branch.id}:{branch.tokens}", branch.model)
