"""Defaults from the environment and from a file; runs without a record; signs of life."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from command import Ponder

import ponder as library
from ponder.backends.scripted import Scripted
from ponder.replay.load import shipped
from ponder.verifiers import NAMES
from tests.servers import faults
from tests.servers.chat import ChatServer

GONE = "http://127.0.0.1:9/v1"


def config(place: Path, text: str) -> dict[str, str]:
    (place / "config.toml").write_text(text, encoding="utf-8")
    return {"PONDER_CONFIG": str(place / "config.toml")}


def test_the_command_line_comes_before_the_environment_and_that_before_the_file(ponder: Ponder, tmp_path: Path) -> None:
    file = config(tmp_path, f'model = "of-the-file@{GONE}"\n')
    environment = {**file, "PONDER_MODEL": f"of-the-environment@{GONE}"}
    assert "'of-the-file'" in ponder("solve", "hi", **file).stderr
    assert "'of-the-environment'" in ponder("solve", "hi", **environment).stderr
    assert "'given'" in ponder("solve", "-m", f"given@{GONE}", "hi", **environment).stderr


def test_the_file_in_the_users_configuration_is_found(ponder: Ponder, tmp_path: Path) -> None:
    (tmp_path / "ponder").mkdir()
    config(tmp_path / "ponder", f'model = "mine@{GONE}"\n')
    assert "'mine'" in ponder("solve", "hi", XDG_CONFIG_HOME=str(tmp_path)).stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("modl = 'x'", "'modl' is none of model, strategy"),
        ("max_tokens = 'many'", "max_tokens = 'many' is of the wrong type"),
        ("model = ", "config.toml: "),
        ("strategy = 'nope'", "config.toml: strategy: unknown strategy 'nope'"),
        ("verifier = 'nope'", "config.toml: verifier: unknown verifier 'nope'"),
        ("model = 'nope'", "config.toml: model: model 'nope' is none of"),
        ("max_tokens = 0", "config.toml: max_tokens: max_tokens=0 must lie between"),
        ("temperature = -1", "config.toml: temperature: temperature=-1 must lie between"),
        ("thinking = 'lots'", "config.toml: thinking: thinking='lots' is none of"),
        ("budget = 'eur=1'", "config.toml: budget: budget 'eur=1' is not one of"),
        ("budget = 'tokens=0'", "config.toml: budget: budget tokens=0 must be greater"),
        ("price = 'cheap'", "config.toml: price: price 'cheap' is not PROMPT/OUTPUT"),
        ("prices = 5", "config.toml: prices = 5 is no table"),
        ("[prices]\n'm' = '1'", "config.toml: prices.\"m\": price '1' is not PROMPT/OUTPUT"),
        ("[prices]\n'm' = 0.5", 'config.toml: prices."m": 0.5 is of the wrong type'),
    ],
)
def test_what_is_wrong_with_the_file_is_one_line(ponder: Ponder, tmp_path: Path, text: str, says: str) -> None:
    model = () if "model" in text else ("-m", f"m@{GONE}")
    refused = ponder("solve", *model, "hi", **config(tmp_path, text))
    assert refused.returncode == 2
    assert says in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("MAX_TOKENS", "many", "'many' is not a valid integer"),
        ("MAX_TOKENS", "-5", "max_tokens=-5 must lie between"),
        ("TEMPERATURE", "warm", "'warm' is not a valid float"),
        ("TEMPERATURE", "inf", "temperature=inf must lie between"),
        ("BUDGET", "20k", "budget '20k' is not one of"),
        ("STRATEGY", "esc(windw=5)", "unknown option of esc 'windw'"),
        ("VERIFIER", "regex:(", "regex"),
        ("THINKING", "-1", "thinking='-1' is none of"),
        ("PRICE", "nan/1", "price 'nan/1' is not PROMPT/OUTPUT"),
        ("MODEL", "nope", "model 'nope' is none of"),
    ],
)
def test_what_is_wrong_with_the_environment_names_the_variable(
    ponder: Ponder, model: str, name: str, value: str, says: str
) -> None:
    options = () if name == "MODEL" else ("-m", model)
    refused = ponder("solve", *options, "hi", **{f"PONDER_{name}": value})
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"ponder: PONDER_{name}: ")
    assert says in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_config_names_all_that_is_wrong(ponder: Ponder) -> None:
    wrong = {"PONDER_MAX_TOKENS": "many", "PONDER_BUDGET": "20k", "PONDER_STRATEGY": "nope", "PONDER_MODEL": "nope"}
    shown = ponder("config", **wrong)
    assert shown.returncode == 2
    assert sorted(line.split(": ")[1] for line in shown.stderr.splitlines()) == sorted(wrong)


def test_a_value_that_does_not_fit_the_run_is_told_with_its_source(
    ponder: Ponder, server: ChatServer, model: str, tmp_path: Path
) -> None:
    refused = ponder("solve", "-m", model, "hi", PONDER_BUDGET="usd=1", **config(tmp_path, "max_tokens = 5\n"))
    assert refused.returncode == 2
    assert refused.stderr.endswith(f"(max_tokens is from {tmp_path}/config.toml, budget is from PONDER_BUDGET)\n") or (
        refused.stderr.endswith(f"(budget is from PONDER_BUDGET, max_tokens is from {tmp_path}/config.toml)\n")
    )
    assert server.bodies == []


@pytest.mark.parametrize("key", ["{model}", "test-model", "openai/{model}"])
def test_prices_are_by_the_name_or_the_spec_of_a_model(
    ponder: Ponder, server: ChatServer, model: str, tmp_path: Path, key: str
) -> None:
    file = config(tmp_path, f'price = "7/7"\n[prices]\n"{key.format(model=model)}" = "1000/2000"\n"other" = "5/5"\n')
    solve = ("solve", "-m", model, "-s", "single", "--json", "hi")
    bill = json.loads(ponder(*solve, **file).stdout)["bill"]
    assert (bill["price"]["prompt"], bill["price"]["output"]) == (1000, 2000)
    assert bill["price"]["source"] == str(tmp_path / "config.toml")
    assert bill["usd"] > 0
    given = json.loads(ponder(*solve, "--price", "1/2", **file).stdout)["bill"]["price"]
    assert (given["output"], given["source"]) == (2, "given")
    assert json.loads(ponder(*solve, PONDER_PRICE="3/4", **file).stdout)["bill"]["price"]["output"] == 4


def test_the_price_of_all_models_is_for_those_that_have_none(
    ponder: Ponder, server: ChatServer, model: str, tmp_path: Path
) -> None:
    file = config(tmp_path, 'price = "7/8"\n[prices]\n"other" = "5/5"\n')
    done = ponder("solve", "-m", model, "-s", "single", "-b", "usd=9", "--json", "hi", **file)
    assert json.loads(done.stdout)["bill"]["price"]["output"] == 8


def test_a_recording_in_dollars_takes_its_price_from_the_file_or_the_command_line(
    ponder: Ponder, server: ChatServer, model: str, tmp_path: Path
) -> None:
    (tmp_path / "q.jsonl").write_text('{"question": "1+1?"}\n', encoding="utf-8")
    record = ("record", "--problems", str(tmp_path / "q.jsonl"), "-m", model, "-n", "1", "--max-tokens", "20")
    out, more = tmp_path / "a.parquet", tmp_path / "b.parquet"
    refused = ponder(*record, "-o", str(out), PONDER_BUDGET="usd=1")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "budget is from PONDER_BUDGET" in refused.stderr
    done = ponder(
        *record, "-o", str(out), PONDER_BUDGET="usd=1", **config(tmp_path, '[prices]\n"test-model" = "1/2"\n')
    )
    assert (done.returncode, out.exists()) == (0, True), done.stderr
    assert ponder(*record, "-o", str(more), "-b", "usd=1", "--price", "1/2").returncode == 0
    ended = ponder(*record, "-o", str(tmp_path / "c.parquet"), "--price", "1/2", PONDER_BUDGET="usd=1e-9")
    assert ended.returncode == 1
    assert "budget is from PONDER_BUDGET" in ended.stderr


def test_a_run_without_a_price_that_is_resumed_gets_the_one_in_the_file(
    ponder: Ponder, server: ChatServer, model: str, tmp_path: Path
) -> None:
    server.faults.append(faults.status(401))
    assert ponder("solve", "-m", model, "-s", "single", "hi").returncode == 2
    done = ponder("resume", "last", "--json", **config(tmp_path, '[prices]\n"test-model" = "1/2"\n'))
    assert json.loads(done.stdout)["bill"]["price"]["output"] == 2


def test_config_and_doctor_say_where_each_value_comes_from(ponder: Ponder, tmp_path: Path) -> None:
    file = config(tmp_path, 'model = "m@http://me:secret-word@127.0.0.1:9/v1"\nmax_tokens = 7\n[prices]\n"m" = "1/2"\n')
    shown = ponder("config", "--json", PONDER_BUDGET="tokens=5", PONDER_MAX_TOKENS="8", **file)
    assert shown.returncode == 0
    settings = {one["name"]: (one["value"], one["source"]) for one in json.loads(shown.stdout)["settings"]}
    path = str(tmp_path / "config.toml")
    assert settings["model"] == ("m@http://127.0.0.1:9/v1", path)
    assert settings["budget"] == ("tokens=5", "PONDER_BUDGET")
    assert settings["max_tokens"] == ("8", "PONDER_MAX_TOKENS")
    assert settings["strategy"] == ("self-consistency", "built in")
    assert settings['prices."m"'] == ("1/1/2", path)
    table = ponder("config", PONDER_BUDGET="tokens=5", **file)
    checked = ponder("doctor", PONDER_BUDGET="tokens=0", **file)
    assert f"model = m@http://127.0.0.1:9/v1, from {path}" in checked.stdout
    assert "fail  defaults  budget = tokens=0, from PONDER_BUDGET: budget tokens=0 must be greater" in checked.stdout
    assert checked.returncode == 1
    assert "secret-word" not in shown.stdout + table.stdout + checked.stdout


def test_serve_takes_model_and_price_from_the_file_unless_it_has_a_configuration(
    ponder: Ponder, tmp_path: Path
) -> None:
    refused = ponder("serve", "--port", "0", **config(tmp_path, 'model = "nope"\n'))
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"ponder: {tmp_path}/config.toml: model: model 'nope' is none of")
    (tmp_path / "gateway.toml").write_text("[server]\nport = -1\n", encoding="utf-8")
    other = ponder("serve", "-c", str(tmp_path / "gateway.toml"), PONDER_MODEL="nope")
    assert "gateway.toml:2: " in other.stderr


def test_a_file_that_is_named_and_not_there(ponder: Ponder) -> None:
    refused = ponder("solve", "hi", PONDER_CONFIG="/nowhere/config.toml")
    assert (refused.returncode, refused.stderr) == (2, "ponder: PONDER_CONFIG: there is no file /nowhere/config.toml\n")


def test_a_run_without_a_store_leaves_nothing(ponder: Ponder, server: ChatServer, model: str) -> None:
    done = ponder("solve", "-m", model, "-s", "single", "--no-store", "--json", "hi")
    assert done.returncode == 0
    assert json.loads(done.stdout)["run"] is None
    assert not Path(ponder.environment["PONDER_STORE"]).exists()


def test_a_run_in_a_pipe_says_that_it_is_under_way(ponder: Ponder, server: ChatServer, model: str) -> None:
    server.faults.append(faults.hang)
    done = ponder("solve", "-m", model, "-s", "single", "-b", "seconds=1", "--json", "hi", PONDER_SIGN_AFTER="0")
    assert " is under way: 0 of 1 branch done, 0 tokens, " in done.stderr
    assert json.loads(done.stdout)["stopped_because"] == "the deadline passed"


def test_the_sign_counts_what_streams_in(ponder: Ponder, server: ChatServer, model: str) -> None:
    server.token_latency = 0.2
    done = ponder("solve", "-m", model, "-s", "single", "-b", "seconds=3", "--json", "hi", PONDER_SIGN_AFTER="1")
    assert re.search(r"under way: 0 of 1 branch done, [1-9]\d* tokens?, ", done.stderr)


def test_a_server_that_does_not_answer_is_waited_for_visibly(ponder: Ponder, server: ChatServer, model: str) -> None:
    server.models_fault = faults.hang
    started = ponder.start("solve", "-m", f"{model}", "hi", PONDER_SIGN_AFTER="0")
    try:
        assert started.stderr is not None
        assert started.stderr.readline().startswith("ponder: waiting for openai/test-model@http://127.0.0.1:")
    finally:
        started.kill()
        started.communicate()


@pytest.mark.parametrize("command", ["replay", "compare"])
def test_playing_in_a_pipe_gives_signs(ponder: Ponder, command: str) -> None:
    trace = () if command == "replay" else (str(shipped()), "--orders", "2")
    done = ponder(command, *trace, PONDER_SIGN_AFTER="0.01")
    assert done.returncode == 0
    assert re.match(r"ponder: \d+ (method|of \d+ setting)s? played", done.stderr)


def test_a_sign_after_no_number_of_seconds(ponder: Ponder, server: ChatServer, model: str) -> None:
    refused = ponder("solve", "-m", model, "hi", PONDER_SIGN_AFTER="soon")
    assert (refused.returncode, refused.stderr) == (2, "ponder: PONDER_SIGN_AFTER: 'soon' is no number of seconds\n")


def test_verifiers_are_listed(ponder: Ponder) -> None:
    listed = ponder("verifiers")
    assert listed.returncode == 0
    assert all(name in listed.stdout for name in NAMES)
    assert json.loads(ponder("verifiers", "--json").stdout) == NAMES


def test_answers_show_themselves_in_notebooks() -> None:
    answer = library.solve("?", strategy="self-consistency(n=1)", model=Scripted(["Answer: <b>|`x"]))
    assert "&lt;b&gt;|`x" in answer._repr_html_()
    assert "<b>" not in answer._repr_html_()
    assert "| answer | `<b>\\|'x` |" in answer._repr_markdown_()
    unvoted = library.solve("?", strategy="single", model=Scripted(["A long tale.\n\nIt goes on.\n\nThe end of it."]))
    assert "unvoted" in unvoted._repr_html_()
    assert "A long tale." in unvoted._repr_html_()
