"""What the model is asked, in the settings of one run."""

from __future__ import annotations

import zlib

from ponder.core.backend import Backend, Batches, Capability, Message, Request
from ponder.core.branch import Branch
from ponder.core.errors import MissingCapability
from ponder.core.problem import Problem
from ponder.core.settings import Settings

__all__ = ["Requests"]


class Requests:
    """Builds the requests of one run; `logprobs` is how many alternatives to ask for with each first token."""

    def __init__(self, problem: Problem, settings: Settings, backend: Backend, seed: int, logprobs: int) -> None:
        self.problem = problem
        self.settings = settings
        self._backend = backend
        self._seed = seed
        self._logprobs = logprobs
        self._most_choices = backend.most_choices if isinstance(backend, Batches) else None

    def can(self, capability: Capability) -> bool:
        """True if the backend can do it."""
        return capability in self._backend.capabilities

    def in_one_call(self, choices: int) -> int:
        """How many of so many choices the backend takes in one call."""
        return choices if self._most_choices is None else min(choices, self._most_choices)

    def require(self, capability: Capability, what: str) -> None:
        """See that the backend can do it.

        Raises:
            MissingCapability: it cannot.
        """
        if not self.can(capability):
            raise MissingCapability(f"{self._backend.name} cannot {what}: it lacks the capability {capability.value!r}")

    def build(
        self,
        *,
        max_tokens: int,
        messages: tuple[Message, ...] | None = None,
        prefix: str = "",
        stop: tuple[str, ...] = (),
        seed: int | None = None,
        temperature: float | None = None,
        branches: tuple[str, ...] = (),
        stream: bool = False,
    ) -> Request:
        """A request with the run's settings; `messages` is a branch's own prompt."""
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
            thinking=settings.thinking,
            limit_name=settings.limit_name,
            branches=branches,
            stream=stream,
            options=settings.options,
        )

    def seed(self, branch: Branch | None, name: str = "") -> int | None:
        """The sampling seed of a branch's next stretch: the same in every life of the run."""
        if not self.can(Capability.SEED):
            return None
        if branch is not None:
            name = f"{branch.id}:{branch.tokens}"
        return zlib.crc32(f"{self._seed}:{name}".encode()) & 0x7FFFFFFF
