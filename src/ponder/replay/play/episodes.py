"""The episodes of one program on one trace: played as plain Python or compiled, and explained where one goes wrong."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ponder.core.errors import describe
from ponder.core.methods.controller import Plan, Program, View
from ponder.core.methods.plane import MISTAKES
from ponder.replay.plane.arrays import furnish, outcomes, tables
from ponder.replay.plane.charges import SPENT
from ponder.replay.plane.compiled import compiled_play_all
from ponder.replay.plane.rounds import begin, carry_out, play_all
from ponder.replay.plane.tables import Outcomes, Tables
from ponder.replay.traces.trace import Trace
from ponder.replay.untrusted.checked_lists import planned, shown
from ponder.replay.untrusted.compile import foreign_play_all, narrowed
from ponder.replay.untrusted.loop_limits import EndlessLoop, counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["RAISED", "Episodes", "Part"]

Part = Callable[[tuple[int, int], Outcomes], tuple[int, int, int]]
"""Plays the questions from the first to before the second; gives the first mistake, its question and order."""

RAISED = len(MISTAKES)
"""The mistake of a program that raises."""


@dataclass(frozen=True, slots=True)
class Episodes:
    """Every question of a trace under every order; `orders` is [O, B], `budget` in tokens an episode, 0 for none."""

    trace: Trace
    program: Program
    options: tuple[Any, ...]
    orders: NDArray[np.int32]
    probe_cost: int = 0
    budget: int = 0

    @property
    def trusted(self) -> bool:
        """True for what is shipped, and tested to keep to its arrays; all else is checked at every access."""
        return (self.program.__module__ or "").startswith("ponder.controllers.")  # None: made by exec

    @property
    def work(self) -> int:
        """Steps of a branch, if every branch is opened and goes to its end: some microseconds each as plain Python."""
        return len(self.orders) * (self.trace.lengths.size + self.trace.probes.size)

    def plainly(self) -> Part:
        """As plain Python."""
        data, start, room = self._tables(lists=True), self._start(), furnish(self.trace, lists=True)

        def part(questions: tuple[int, int], results: Outcomes) -> tuple[int, int, int]:
            return play_all(start, self.options, *room, data, results, questions, len(self.orders))

        return self._caught(part)

    def compiled(self) -> Part:
        """Compiled; what it gives may run in several threads.

        Raises:
            Uncompilable: Numba cannot compile the program.
            MissingCapability: Numba is not installed.
        """
        data = self._tables(lists=False)
        if self.trusted:
            play_compiled = compiled_play_all(self.program)
        else:
            play_compiled = foreign_play_all(self.program, self.options, *furnish(self.trace, lists=False)[:2])

        def part(questions: tuple[int, int], results: Outcomes) -> tuple[int, int, int]:
            room = furnish(self.trace, lists=False)
            reach = () if self.trusted else (tuple(narrowed(one, self.trace.branches) for one in room[:2]),)
            found: tuple[int, int, int] = play_compiled(
                *reach, self.options, *room, data, results, questions, len(self.orders)
            )
            return found

        part((0, 0), outcomes(0))  # compile it here, not in every thread
        return self._caught(part)

    def explained(self, mistake: int, question: int, order: int) -> str:
        """Where in its source the program stands when it makes this mistake: the episode again, as plain Python."""
        sentence = "fails when it is compiled, though not as plain Python"
        line = self.program.__code__.co_firstlineno
        try:
            for place, found in self._rounds(question, order):
                line = place
                if 0 < found < RAISED:
                    sentence = MISTAKES[found]
                    break
            else:
                sentence = MISTAKES[mistake] if mistake < RAISED else sentence
        except EndlessLoop as error:
            line, sentence = self._line(error, line), str(error)
        except Exception as error:  # noqa: BLE001 - whatever a person's program raises
            line, sentence = self._line(error, line), f"raised {describe(error)}"
        file = self.program.__code__.co_filename
        return f"{file}, line {line}: the controller {sentence} (question {question}, order {order})"

    def _rounds(self, question: int, order: int) -> Iterator[tuple[int, int]]:
        """The line of every plan of an episode, and what became of it."""
        view, plan, books = furnish(self.trace, lists=True)
        data, branches = self._tables(lists=True), self.trace.branches
        begin(view, plan, books, branches)
        steps: Any = self._start()(view, plan, *self.options)
        for _ in steps:
            line = steps.gi_frame.f_lineno
            books.lowest[0] = 0  # look at every branch
            found = carry_out(view, plan, books, data, question * branches, order * branches)
            yield line, found
            if found == SPENT:
                return

    def _tables(self, *, lists: bool) -> Tables:
        return tables(self.trace, self.orders, self.probe_cost, lists=lists, budget=self.budget)

    def _start(self) -> Program:
        """The program as it runs on lists."""
        if self.trusted:
            return self.program
        program, branches = counted(self.program), self.trace.branches

        def start(view: View, plan: Plan, *options: Any) -> Any:
            for a in range(len(plan.tally)):  # type: ignore[arg-type] # of which only what was shown is cleared
                plan.tally[a] = 0
            return program(shown(view, branches), planned(plan, branches), *options)

        return start

    def _caught(self, part: Part) -> Part:
        """A program that raises makes a mistake, in the first episode that has no outcome yet."""

        def careful(questions: tuple[int, int], results: Outcomes) -> tuple[int, int, int]:
            try:
                return part(questions, results)
            except Exception:  # noqa: BLE001 - it is played again for its line
                at = questions[0] * len(self.orders)
                while results.opened[at] >= 0:
                    at += 1
                return RAISED, *divmod(at, len(self.orders))

        return careful

    def _line(self, error: BaseException, otherwise: int) -> int:
        """The line of the program's file that an exception has come through last."""
        file = self.program.__code__.co_filename
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
        return lines[-1] if lines and lines[-1] else otherwise
