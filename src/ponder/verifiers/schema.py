"""Right if it is JSON of the right shape."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ponder.answers.extract import json_part
from ponder.answers.long import in_a_worker, is_long
from ponder.core.backend import Capability
from ponder.core.branch import Branch
from ponder.core.errors import InvalidOption
from ponder.core.problem import Ask, Problem
from ponder.verifiers.stated import stated
from ponder.workers.pool import JobFailed, Undecided, Workers, shared_workers

__all__ = ["JsonSchema"]


class JsonSchema:
    """Scores 1 if the answer, or the whole JSON object that holds it, is what `schema` allows, else 0.

    The draft is the one that ``$schema`` names, the latest one without it; references lead nowhere but into the schema
    itself. Checking runs in a process that is killed at its time limit; undecided scores 0.

    Raises:
        InvalidOption: `schema` is no valid JSON schema.
    """

    needs: frozenset[Capability] = frozenset()

    def __init__(self, schema: dict[str, Any], name: str = "json-schema", workers: Workers | None = None) -> None:
        from jsonschema.exceptions import SchemaError
        from jsonschema.validators import validator_for

        self.name = name
        self._schema, self._workers = schema, workers or shared_workers()
        try:
            validator_for(schema).check_schema(schema)
        except (SchemaError, RecursionError) as error:
            reason = getattr(error, "message", "nested too deeply")
            raise InvalidOption(f"{name}: not a valid JSON schema: {reason:.200}") from None

    @classmethod
    def from_file(cls, path: str) -> JsonSchema:
        """Read the schema from a JSON file.

        Raises:
            InvalidOption: the file cannot be read, or holds no valid JSON schema.
        """
        try:
            schema = json.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise InvalidOption(f"json-schema:{path}: {error.strerror or error}") from None
        except (ValueError, RecursionError) as error:
            raise InvalidOption(f"json-schema:{path}: not a JSON file: {error}") from None
        if not isinstance(schema, dict):
            raise InvalidOption(f"json-schema:{path}: a schema is a JSON object, not {type(schema).__name__}")
        return cls(schema, f"json-schema:{path}")

    async def score(self, problem: Problem, branch: Branch, ask: Ask) -> float:
        """1 or 0.

        Raises:
            InvalidOption: the schema refers to what it does not contain, or has a pattern that is none.
        """
        answer = stated(branch)
        if answer is None:
            return 0.0
        whole = await self._json(branch.text)
        return float(await self._allows(answer) or (whole is not None and await self._allows(whole)))

    async def _json(self, text: str) -> str | None:
        if is_long(text):
            return await in_a_worker(self._workers, "ponder.answers.extract:json_part", text)
        return json_part(text)

    async def _allows(self, text: str) -> bool:
        try:
            return bool(await self._workers.run("valid", self._schema, text))
        except Undecided:
            return False
        except JobFailed as error:
            raise InvalidOption(f"{self.name}: the schema cannot be applied: {error}") from None
