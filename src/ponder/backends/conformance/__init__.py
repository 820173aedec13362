"""What every backend has to do: run this against yours.

    findings = await check(backend)          # empty if it conforms

or one by one, as a test suite does:

    @pytest.mark.parametrize("name", CHECKS)
    async def test_my_backend(name): await CHECKS[name].run(backend)

A check runs if the backend declares all that the check `needs`; what it does not declare, it has to refuse: a request
that needs more raises `MissingCapability` before anything is sent (a seed without `Capability.SEED` is just ignored).
The checks put short questions to the model and use no knowledge of it, so that a real one passes as well as a
scripted one. `aclose` comes last: the backend is closed after `check`.
"""

from __future__ import annotations

from dataclasses import dataclass

from ponder.backends.conformance.checks import CHECKS, Check
from ponder.backends.conformance.demands import Nonconforming
from ponder.core.backend import Backend

__all__ = ["CHECKS", "Check", "Finding", "Nonconforming", "check"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One check that the backend failed."""

    check: str
    message: str

    def __str__(self) -> str:
        return f"{self.check}: {self.message}"


async def check(backend: Backend) -> list[Finding]:
    """Run every check that applies, the closing one last; an error of any kind is a finding."""
    findings = []
    for one in CHECKS.values():
        if one.applies(backend):
            try:
                await one.run(backend)
            except Exception as error:  # noqa: BLE001 - whatever a backend raises is a finding
                text = str(error) if isinstance(error, Nonconforming) else f"{type(error).__name__}: {error}"
                findings.append(Finding(one.name, text))
    return findings
