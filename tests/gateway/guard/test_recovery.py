"""Runs that nobody works on are settled; one that is held again after a moment is not."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ponder.api import Job
from ponder.core.settings import Settings
from ponder.gateway.accounts.sqlite import SqliteAccounts
from ponder.gateway.admission.gate import Admission
from ponder.gateway.scaled.recovery import Recovery
from ponder.gateway.settings import Config
from ponder.store.sqlite import Store

pytestmark = pytest.mark.anyio


async def test_a_run_is_settled_only_if_nobody_holds_it_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ponder.gateway.scaled.recovery.AGAIN", 1.0)
    store = Store(tmp_path / "runs.db")
    recovery = Recovery(store, Admission(Config(), SqliteAccounts(store)))
    job = Job(messages=(), strategy="single", model="m", settings=Settings(), seed=1, owner="alice")
    dead, away = store.begin(job.as_dict()), store.begin(job.as_dict())
    sweeping = asyncio.create_task(recovery.sweep())
    await asyncio.sleep(0.1)
    with store.claim(away):
        await sweeping
    assert (store.run(dead).status, store.run(away).status) == ("interrupted", "running")
    await recovery.sweep()
    assert store.run(away).status == "interrupted"
    store.close()
