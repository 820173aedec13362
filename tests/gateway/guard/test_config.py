"""The configuration file: what is in it is taken, and what is wrong with it is named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from ponder.core.bill import Price
from ponder.core.errors import InvalidOption
from ponder.gateway.config.file import check_config, read_config
from ponder.gateway.settings import Config

WHOLE = """\
[server]
host = "0.0.0.0"
port = 9000
store = "state/gateway.db"
branches = 512

[server.limits]
usd_per_day = 100

[upstreams.vllm]
url = "http://localhost:8000/v1"
key_env = "VLLM_KEY"
models = ["qwen3-8b"]
kind = "vllm"
capabilities = ["+thinking-budget", "-n"]
price = "0.10/0.40"
fallback = "spare"

[upstreams.spare]
url = "local/qwen2.5-coder-1.5b"
fallback = "single"

[defaults]
strategy = "self-consistency(n=8)"

[defaults.models]
"qwen3-8b" = "cmc@0.3"

[caps]
n = 32
tokens = 100_000

[limits]
tokens_per_day = 1_000_000

[keys.alice]
strategy = "single"

[keys.alice.caps]
n = 128

[keys.alice.limits]
requests_per_minute = 60
"""

ALWAYS_REFUSED = (
    "the default strategy esc(n=9) would always be refused: the request comes to 9 branches; at most 8 are allowed; "
    "name another"
)


def faults(tmp_path: Path, text: str) -> list[str]:
    """What is wrong with the text, from the line number on."""
    path = tmp_path / "gateway.toml"
    path.write_text(text)
    found = check_config(path)
    assert all(line.startswith(f"{path}:") and "\n" not in line for line in found)
    return [line.removeprefix(f"{path}:") for line in found]


def test_without_a_file_it_is_the_embedded_model_on_loopback() -> None:
    config = Config()
    assert config.host == "127.0.0.1"
    assert [upstream.url for upstream in config.upstreams.values()] == ["local/qwen2.5-coder-1.5b"]


def test_everything_in_a_file_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_KEY", "secret")
    path = tmp_path / "gateway.toml"
    path.write_text(WHOLE)
    config = read_config(path)
    assert (config.host, config.port, config.branches) == ("0.0.0.0", 9000, 512)
    assert config.store == tmp_path / "state/gateway.db"
    assert config.upstreams["vllm"].price == Price(0.10, 0.10, 0.40, "given")
    assert config.upstreams["vllm"].models == ("qwen3-8b",)
    assert config.upstreams["vllm"].kind == "vllm"
    assert config.upstreams["vllm"].capabilities == ("+thinking-budget", "-n")
    assert config.defaults.models == {"qwen3-8b": "cmc@0.3"}
    assert config.total.usd_per_day == 100


def test_a_key_has_its_own_values_over_those_of_all_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_KEY", "secret")
    path = tmp_path / "gateway.toml"
    path.write_text(WHOLE)
    config = read_config(path)
    alice, other = config.key("alice"), config.key("bob")
    assert (alice.caps.n, other.caps.n) == (128, 32)
    assert alice.caps.tokens == other.caps.tokens == 100_000
    assert (alice.limits.requests_per_minute, other.limits.requests_per_minute) == (60, None)
    assert alice.limits.tokens_per_day == other.limits.tokens_per_day == 1_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[sever]\n", "1: unknown table 'sever'; did you mean 'server'?"),
        ("[server]\n\nprot = 1\n", "3: unknown key of [server] 'prot'; did you mean 'port'?"),
        ('[server]\nport = "80"\n', "2: server: port='80' is not a whole number"),
        ("[server]\nport = 70_000\n", "2: server: port=70000 must lie between 0 and 65535"),
        ("[server]\nport = true\n", "2: server: port=True is not a whole number"),
        ("server = 3\n", "1: server is a table; write [server] on a line of its own, and its keys below"),
        ("[caps]\nn = 8\ntokns = 5\n", "3: unknown key of [caps] 'tokns'; did you mean 'tokens'?"),
        ("# a\n\n[caps]\nn = [\n  8,\n]\n", "4: caps: n=[8] is not a whole number"),
        ("[keys.bob.limits]\nusd = -1\n", "2: keys.bob.limits: usd=-1.0 must lie between 1e-09 and 1e+09"),
        (
            '[keys."a b"]\n',
            "1: keys.a b: key name 'a b': write letters, digits, '-', '_' and '.', 64 at most",
        ),
        ("[upstreams]\n", "1: upstreams is empty; leave it out for the embedded model"),
        (
            "[upstreams.a]\nconcurrency = 3\n",
            '1: upstreams.a has no url; write url = "http://localhost:8000/v1", or "local/NAME"',
        ),
        (
            '[upstreams.a]\nurl = "local/x"\nfallback = "b"\n',
            "3: upstreams.a: fallback='b' is none of single",
        ),
        (
            '[upstreams.a]\nurl = "http://x:1/v1"\nkind = "vlm"\n',
            (
                "3: upstreams.a.kind: 'vlm' is no kind of server; known: unknown, openai, openrouter, anthropic, "
                "gemini, deepseek, qwen, mistral, vllm, sglang, llamacpp, ollama"
            ),
        ),
        (
            '[upstreams.a]\nurl = "http://x:1/v1"\ncapabilities = ["+sed"]\n',
            (
                "3: upstreams.a.capabilities: 'sed' is no capability; known: sample, continue, logprobs, cancel, seed, "
                "n, thinking, thinking-budget, schema, images"
            ),
        ),
        (
            '[upstreams.a]\nurl = "http://x:1/v1"\nkey_env = "PONDER_NO_SUCH"\n',
            "3: upstreams.a.key_env: the environment variable PONDER_NO_SUCH is not set",
        ),
        (
            '[upstreams.a]\nurl = "http://me:secret@x:1/v1"\n',
            "2: upstreams.a.url: there is a password in the url; put it into a variable, and name that in key_env",
        ),
        (
            '[upstreams.a]\nurl = "local/x"\nmodels = ["m"]\n[upstreams.b]\nurl = "local/y"\nmodels = ["m"]\n',
            "6: upstreams.b: a serves 'm', too; name it once",
        ),
        (
            '[upstreams.a]\nurl = "http://x:1/v1"\nmodels = ["m"]\n[defaults.models]\nmm = "single"\n',
            "5: defaults.models: no upstream serves 'mm'",
        ),
        (
            '[upstreams.a]\nurl = "http://x:1/v1"\n[upstreams.b]\nurl = "http://y:1/v1"\n',
            "3: upstreams.b is never asked: a comes before it and has no list of models, either",
        ),
        ('[upstreams.a]\nurl = "local/x"\nmodels = [1]\n', "3: upstreams.a: models=[1] is not a list of names"),
        (
            '[upstreams.single]\nurl = "local/x"\n',
            "1: no upstream may be called single, which is a fallback of its own",
        ),
        (
            '[defaults]\nstrategy = "self-consistancy"\n',
            "2: defaults.strategy: unknown strategy 'self-consistancy'; did you mean 'self-consistency'?",
        ),
        (
            '[defaults.models]\nm = "self-consistency(n=0)"\n',
            "2: defaults.models.m: self-consistency: n=0 must lie between 1 and 4096",
        ),
        ('[caps]\nn = 8\n\n[defaults]\nstrategy = "esc(n=9)"', f"5: {ALWAYS_REFUSED}"),
        (
            '[limits]\nusd_per_day = 1\n\n[upstreams.a]\nurl = "http://x:1/v1"\n',
            '4: upstreams.a has no price, and dollars are limited; write price = "0.10/0.40"',
        ),
        ("[server\n", "1: this is no TOML: expected ']' at the end of a table declaration"),
        ("[caps]\nn = 1\nn = 2\n", "3: this is no TOML: cannot overwrite a value"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, expected: str) -> None:
    assert faults(tmp_path, text) == [expected]


def test_a_damaged_key_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PONDER_KEY_A", "one\ntwo")
    assert faults(tmp_path, '[upstreams.a]\nurl = "http://x:1/v1"\nkey_env = "PONDER_KEY_A"\n') == [
        "3: upstreams.a.key_env: PONDER_KEY_A holds characters that no key has; set it again"
    ]


def test_all_that_is_wrong_is_named_in_the_order_of_the_file(tmp_path: Path) -> None:
    found = faults(tmp_path, "[server]\nport = -1\nprot = 1\n[caps]\nn = 0\n")
    assert [line.split(":")[0] for line in found] == ["2", "3", "5"]


def test_reading_raises_the_first(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text("[server]\nport = -1\n")
    with pytest.raises(InvalidOption, match=r"gateway\.toml:2: server: port=-1 must lie between 0 and 65535"):
        read_config(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert check_config(tmp_path / "no.toml") == [f"{tmp_path / 'no.toml'}: cannot be read: No such file or directory"]


def test_a_secret_in_a_url_is_not_repeated(tmp_path: Path) -> None:
    for url in ("http://me:hunter2@x:1/v1", "http://me:hunter2@x:1/v1?q", "ftp://me:hunter2@x"):
        found = faults(tmp_path, f'[upstreams.a]\nurl = "{url}"\n')
        assert found
        assert "hunter2" not in found[0]
