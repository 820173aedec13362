"""How a PostgreSQL database is named, and that its password is seen nowhere."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from ponder.core.errors import InvalidOption, StoreError, UsageError
from ponder.gateway.config.file import check_config, read_config
from ponder.store.opening import open_store
from ponder.store.place import default_place, place_of
from ponder.store.sqlite import Store
from tests.servers.postgres import PASSWORD, Cluster

EXECUTABLE = str(Path(sys.executable).with_name("ponder"))


def ponder(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([EXECUTABLE, *arguments], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ponder:hunter2@db.example:6432/shared", "postgresql://ponder@db.example:6432/shared"),
        ("postgres://db.example/shared?user=ponder&password=hunter2", "postgresql://ponder@db.example/shared"),
        ("postgresql:///shared?host=/run/postgresql", "postgresql:///run/postgresql/shared"),
        ("postgresql://?service=ponder", "postgresql:///?service=ponder"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    place = place_of(url)
    assert (str(place), repr(place)) == (shown, shown)
    assert place == place_of(url)


@pytest.mark.parametrize("url", ["postgresql://ponder:hunter2@db:x/y?z", "postgresql://a:hunter2@b@c:d/e?hunter2=1"])
def test_a_url_that_cannot_be_read_is_refused_without_being_shown(url: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match="the store's URL cannot be read") as error:
        place_of(url)
    assert "hunter2" not in str(error.value)
    path = tmp_path / "gateway.toml"
    for value in (f'"{url}"', f'["{url}"]'):
        path.write_text(f"[server]\nport = 1\nstore = {value}\n")
        [line] = check_config(path)
        assert line.startswith(f"{path}:3: server")
        assert "hunter2" not in line


def test_a_configuration_never_shows_the_password(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text('[server]\nstore = "postgresql://ponder:hunter2@db.example/shared"\n')
    assert check_config(path) == []
    assert "hunter2" not in repr(read_config(path))
    assert "ponder@db.example" in repr(read_config(path))


def test_a_file_may_be_called_almost_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    assert place_of("postgresql.db") == Path("postgresql.db")
    monkeypatch.setenv("PONDER_STORE", "postgresql://db.example/shared")
    assert str(default_place()) == "postgresql://db.example/shared"
    with pytest.raises(StoreError, match="is no file"):
        Store()


def test_without_the_package_one_line_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UsageError, match=r"pip install 'ponder\[postgres\]'"):
        place_of("postgresql://db.example/shared")


def test_what_cannot_be_opened_is_one_line_without_the_password(cluster: Cluster) -> None:
    nobody = cluster.url.replace("ponder:", "nobody:")
    nowhere = cluster.url.replace(str(cluster.port), "1")
    other = cluster.url.replace("/shared", "/other")
    for url, why in ((nobody, "authentication failed"), (nowhere, "Connection refused"), (other, "does not exist")):
        with pytest.raises(StoreError, match=f"^cannot open the run store postgresql://.*{why}") as error:
            open_store(place_of(url))
        assert PASSWORD not in str(error.value)
        assert "\n" not in str(error.value)
    refused = ponder("runs", PONDER_STORE=nobody)
    assert (refused.returncode, refused.stdout) == (2, "")
    [line] = refused.stderr.splitlines()
    assert "authentication failed" in line
    assert PASSWORD not in line


def test_a_database_that_may_only_be_read_is_refused(cluster: Cluster) -> None:
    with closing(open_store(place_of(cluster.url))):
        pass
    reading = place_of(f"{cluster.url}?options=-cdefault_transaction_read_only%3Don")
    with closing(open_store(reading)) as store, pytest.raises(StoreError, match="read-only transaction"):
        store.check()


def test_libpqs_own_environment_counts(cluster: Cluster, tmp_path: Path) -> None:
    service = tmp_path / "services.conf"
    service.write_text(f"[ponder]\nhost=127.0.0.1\nport={cluster.port}\nuser=ponder\ndbname=shared\n")
    url, secret = f"postgresql://ponder@127.0.0.1:{cluster.port}/shared", {"PGPASSWORD": PASSWORD}
    added = ponder("keys", "add", "alice", PONDER_STORE=url, **secret)
    assert added.returncode == 0, added.stderr
    listed = ponder("keys", "list", PONDER_STORE="postgresql://?service=ponder", PGSERVICEFILE=str(service), **secret)
    assert "alice" in listed.stdout, listed.stderr
    revoked = ponder("keys", "revoke", "alice", PONDER_STORE=url, **secret)
    assert revoked.stdout == "key alice is revoked\n"


def test_runs_of_a_newer_version_are_left_alone(cluster: Cluster) -> None:
    open_store(place_of(cluster.url)).close()
    cluster.execute("UPDATE formats SET version = 99")
    with pytest.raises(StoreError, match=r"the runs in postgresql://.* were written by a newer version of Ponder"):
        open_store(place_of(cluster.url))


def test_who_may_not_make_tables_uses_those_that_are_there(cluster: Cluster) -> None:
    open_store(place_of(cluster.url)).close()
    cluster.execute("DROP ROLE IF EXISTS modest")
    cluster.execute("CREATE ROLE modest LOGIN PASSWORD 'secret'")
    modest = place_of(cluster.url.replace(f"ponder:{PASSWORD}", "modest:secret"))
    with pytest.raises(StoreError, match="permission denied"):
        open_store(modest)
    cluster.execute("GRANT USAGE ON SCHEMA ponder TO modest")
    cluster.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ponder TO modest")
    with closing(open_store(modest)) as store:
        assert store.run(store.begin({"a": 1})).job == {"a": 1}
    cluster.execute("DROP OWNED BY modest")
    cluster.execute("DROP ROLE modest")


def test_other_tables_of_the_database_are_no_concern(cluster: Cluster) -> None:
    with psycopg.connect(cluster.url, autocommit=True) as db:
        db.execute("DROP TABLE IF EXISTS public.runs")
        db.execute("CREATE TABLE public.runs (miles integer)")
        with closing(open_store(place_of(cluster.url))) as store:
            store.begin({})
            assert len(store.runs()) == 1
        assert db.execute("SELECT count(*) FROM public.runs").fetchone() == (0,)
        db.execute("DROP TABLE public.runs")
