"""`ponder keys`: shown once, listed with what they have spent, and taken back."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from command import Ponder

from ponder.store.sqlite import Store


def test_a_key_is_shown_once_and_alone(ponder: Ponder) -> None:
    made = ponder("keys", "add", "alice")
    assert made.returncode == 0
    assert made.stdout.startswith("pk-")
    assert made.stdout.count("\n") == 1
    assert made.stderr == "ponder: key alice is in use; this is the only time that it is shown\n"
    assert made.stdout.strip() not in ponder("keys", "list").stdout


def test_the_list_names_what_is_in_use_and_what_was_spent(ponder: Ponder) -> None:
    assert ponder("keys", "list").stdout == "no keys yet; `ponder keys add NAME` makes one\n"
    for name in ("alice", "bob"):
        ponder("keys", "add", name)
    assert ponder("keys", "revoke", "alice").stdout == "key alice is revoked\n"
    head, alice, bob = ponder("keys", "list").stdout.splitlines()
    assert head.split()[:3] == ["NAME", "CREATED", "STATUS"]
    assert alice.split()[3:] == ["revoked", "0", "0.0000", "0", "0.0000"]
    assert bob.split()[3] == "in"
    first, second = json.loads(ponder("keys", "list", "--json").stdout)
    assert first["revoked"] is not None
    assert second == {**second, "name": "bob", "revoked": None, "tokens_today": 0, "usd": 0.0}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["keys", "add", "a b"], "key name 'a b': write letters, digits"),
        (["keys", "add", "anonymous"], "no key may be called anonymous"),
        (["keys", "revoke", "carol"], "no key 'carol' is in use; `ponder keys list` names them"),
        (["keys", "add"], "missing argument"),
        (["keys", "ad", "x"], "no such command"),
        (["keys", "list", "-c", "none.toml"], "none.toml: cannot be read: No such file"),
    ],
)
def test_what_is_wrong_is_one_line(ponder: Ponder, arguments: list[str], said: str) -> None:
    refused = ponder(*arguments)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert said.lower() in refused.stderr.lower()
    assert "Traceback" not in refused.stderr


def test_a_name_in_use_is_not_given_twice(ponder: Ponder) -> None:
    ponder("keys", "add", "alice")
    assert "there is a key 'alice' already; revoke it first" in ponder("keys", "add", "alice").stderr


def test_the_configuration_says_where_the_keys_are(ponder: Ponder, tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text('[server]\nstore = "own.db"\n[upstreams.a]\nurl = "http://x/v1"\nkey_env = "NOT_IN_THIS_SHELL"\n')
    assert ponder("keys", "add", "alice", "--config", str(path)).returncode == 0
    assert (tmp_path / "own.db").exists()
    assert "alice" not in ponder("keys", "list").stdout
    assert "alice" in ponder("keys", "list", "--config", str(path)).stdout
    path.write_text("[server]\n\nstore = 3\n")
    assert f"{path}:3: server: store is not text" in ponder("keys", "list", "-c", str(path)).stderr


def test_what_the_requests_of_a_key_have_left_is_removed(ponder: Ponder, tmp_path: Path) -> None:
    config = tmp_path / "own.toml"
    config.write_text('[server]\nstore = "own.db"\n')
    with closing(Store(tmp_path / "own.db")) as store:
        for number in range(230):
            store.begin({"owner": "alice" if number % 2 else "bob"}, f"r{number}")
        with store.claim("r1"):
            said = ponder("keys", "forget", "alice", "--config", str(config)).stdout
        assert said == "removed 114 runs of key alice; 1 run under way stayed, repeat the command later\n"
        assert list(store.of_owner("alice")) == ["r1"]
        assert len(list(store.of_owner("bob"))) == 115
