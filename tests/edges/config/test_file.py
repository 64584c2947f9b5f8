"""Which files of configuration count, what they mean, and how faults in them are told."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from kit.finding_text import shown

from runner.chat.endpoint import Embedded, Endpoint
from runner.edges.config.configuration import Configuration
from runner.edges.config.file import read_configuration
from runner.words.errors import UsageError, WorkflowError
from runner.words.spans import Span

EVERYTHING = """\
default_model = "qwen/qwen3-8b"
catalogue_ttl = "5m"

[endpoints.workstation]
url = "http://192.168.0.7:1234/v1"
token_env = "WORKSTATION_TOKEN"  # the name, not the token
max_loaded = 2
memory = "24GB"
parallel = 4
first_byte_timeout = "10m"
idle_timeout = "500ms"

[endpoints.tiny]
embedded = "models/tiny.GGUF"
models_folder = "~/models"
context_length = 8192
parallel = 2
"""


def write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def told(folder: Path, text: str | bytes, name: str = "bridge.toml", given: str | None = None) -> str:
    """What is found wrong in a file."""
    write(folder / name, text)
    with pytest.raises(WorkflowError) as caught:
        read_configuration(given, {}, str(folder))
    assert caught.value.exit_code == 3
    assert {one.file for one in caught.value.diagnostics} == {given or name}
    return shown(caught.value.diagnostics)


def default(folder: Path, home: Path | None = None, environment: Mapping[str, str] | None = None) -> str | None:
    """The default model shows which file was read."""
    around = {"HOME": str(home)} if home else {}
    return read_configuration(None, {**around, **(environment or {})}, str(folder)).default_model


def test_no_file_says_nothing(tmp_path: Path) -> None:
    assert read_configuration(None, {}, str(tmp_path)) == Configuration()


def test_everything_that_can_be_said(tmp_path: Path) -> None:
    write(tmp_path / "bridge.toml", EVERYTHING)
    read = read_configuration(None, {"HOME": "/home/me"}, str(tmp_path))
    assert (read.default_model, read.catalogue_ttl, read.files) == ("qwen/qwen3-8b", 300.0, ("bridge.toml",))
    assert read.names == ("workstation", "tiny")
    assert read.endpoints[0].endpoint == Endpoint(
        url="http://192.168.0.7:1234",
        name="workstation",
        origin="bridge.toml",
        max_loaded=2,
        memory=24 * 1024**3,
        parallel=4,
        first_byte_timeout=600.0,
        idle_timeout=0.5,
    )
    assert read.endpoints[0].token_env == "WORKSTATION_TOKEN"
    assert (read.endpoints[0].span, read.endpoints[0].token_span) == (Span(4, 2, 4, 23), Span(6, 1, 6, 10))
    assert read.endpoints[1].endpoint == Endpoint(
        url="embedded:tiny",
        name="tiny",
        origin="bridge.toml",
        parallel=2,
        embedded=Embedded(
            model=str(tmp_path / "models/tiny.GGUF"),
            models_folder="/home/me/models",
            context_length=8192,
            parallel=2,
        ),
    )


@pytest.mark.parametrize(
    ("value", "embedded"),
    [
        ("true", Embedded()),
        ('"qwen/qwen3-8b"', Embedded(model="qwen/qwen3-8b")),
        ('"/m/a.gguf"', Embedded(model="/m/a.gguf")),
    ],
)
def test_an_embedded_server_called_embedded(tmp_path: Path, value: str, embedded: Embedded) -> None:
    write(tmp_path / "bridge.toml", f"[endpoints.embedded]\nembedded = {value}")
    (one,) = read_configuration(None, {}, str(tmp_path)).endpoints
    assert (one.endpoint.url, one.endpoint.embedded) == ("embedded", embedded)


def test_the_nearest_file_up_to_the_root_of_the_repository(tmp_path: Path) -> None:
    here = tmp_path / "repo" / "a" / "b"
    here.mkdir(parents=True)
    write(tmp_path / "bridge.toml", 'default_model = "outside"')
    (tmp_path / "repo" / ".git").mkdir()
    assert default(here) is None
    write(tmp_path / "repo" / "pyproject.toml", '[tool.bridge-run]\ndefault_model = "root"')
    assert default(here) == "root"
    write(tmp_path / "repo" / "a" / "pyproject.toml", '[project]\nname = "bridge-run-user"')
    assert default(here) == "root"
    write(tmp_path / "repo" / "a" / "bridge.toml", 'default_model = "near"')
    assert default(here) == "near"


def test_the_search_ends_at_home_and_does_not_begin_outside_of_both(tmp_path: Path) -> None:
    here = tmp_path / "me" / "work"
    here.mkdir(parents=True)
    write(tmp_path / "bridge.toml", 'default_model = "above"')
    write(tmp_path / "me" / "bridge.toml", 'default_model = "home"')
    assert default(here, home=tmp_path / "me") == "home"
    assert default(here) is None
    assert default(here.parent) == "home"
    assert default(here, home=tmp_path / "other") is None


def test_bridge_toml_wins_over_pyproject_beside_it(tmp_path: Path) -> None:
    write(tmp_path / "bridge.toml", 'default_model = "one"')
    write(tmp_path / "pyproject.toml", '[tool.bridge-run]\ndefault_model = "two"')
    read = read_configuration(None, {}, str(tmp_path))
    assert read.default_model == "one"
    assert shown(read.warnings) == (
        "BR505 - warning: `[tool.bridge-run]` of pyproject.toml is not read: bridge.toml stands beside it\n"
        "  help: keep one of the two"
    )


def test_a_pyproject_that_does_not_mention_us_is_not_judged(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", "this is = = no TOML")
    assert read_configuration(None, {}, str(tmp_path)) == Configuration()


def test_the_users_own_file_lies_under_the_projects(tmp_path: Path) -> None:
    home, project = tmp_path / "me", tmp_path / "project"
    own = (
        '[endpoints.desk]\nurl = "desk"\ntoken_env = "DESK"\n[endpoints.box]\nurl = "box"\n[endpoints.far]\nurl = "c"\n'
    )
    write(home / ".config/bridge-run/bridge.toml", 'default_model = "mine"\ncatalogue_ttl = "1s"\n' + own)
    write(project / "bridge.toml", '[endpoints.near]\nurl = "c"\n[endpoints.desk]\nurl = "http://other:1234"\n')
    read = read_configuration(None, {"HOME": str(home)}, str(project))
    assert (read.default_model, read.catalogue_ttl) == ("mine", 1.0)
    assert [(one.name, one.endpoint.url, one.token_env) for one in read.endpoints] == [
        ("near", "http://c:1234", None),
        ("desk", "http://other:1234", None),
        ("box", "http://box:1234", None),
    ]
    assert len(read.files) == 2


def test_where_the_users_own_file_is(tmp_path: Path) -> None:
    write(tmp_path / "xdg/bridge-run/bridge.toml", 'default_model = "xdg"')
    write(tmp_path / "home/.config/bridge-run/bridge.toml", 'default_model = "home"')
    here = tmp_path / "here"
    here.mkdir()
    assert default(here, environment={"XDG_CONFIG_HOME": str(tmp_path / "xdg")}) == "xdg"
    assert default(here, tmp_path / "home", {"XDG_CONFIG_HOME": "xdg"}) == "home"
    assert default(here) is None


def test_a_file_named_by_the_command_line_stands_alone(tmp_path: Path) -> None:
    write(tmp_path / "bridge.toml", 'default_model = "found"\n[endpoints.a]\nurl = "a"')
    other = write(tmp_path / "other.toml", "[endpoints.b]\nurl = 'b'")
    project = write(tmp_path / "x/pyproject.toml", '[tool.bridge-run]\ndefault_model = "named"')
    assert read_configuration(str(other), {}, str(tmp_path)).names == ("b",)
    assert read_configuration(str(project), {}, str(tmp_path)).default_model == "named"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("gone.toml", "--config: the file `gone.toml` is not there"),
        (".", "--config: the file `.` is a folder"),
        ("pyproject.toml", "--config: `pyproject.toml` has no table `[tool.bridge-run]`"),
    ],
)
def test_a_file_that_cannot_be_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "pyproject.toml", "[tool.other]\nx = 1")
    with pytest.raises(UsageError) as caught:
        read_configuration(given, {})
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        (
            "default_modle = 1",
            "BR502 1:1-1:14 error: unknown key `default_modle`\n  help: did you mean `default_model`?",
        ),
        (
            '[endpoints.a]\nurl = "a"\nmax_load = 2',
            "BR502 3:1-3:9 error: unknown key `max_load` in `endpoints.a`\n  help: did you mean `max_loaded`?",
        ),
        (
            "zzz = 1",
            "BR502 1:1-1:4 error: unknown key `zzz`\n"
            "  help: the keys are `default_model`, `catalogue_ttl`, `endpoints`",
        ),
        (
            "default_model = 3\ncatalogue_ttl = 60",
            "BR503 1:1-1:14 error: `default_model` is to be a text\n  help: write it in quotes\n"
            "BR503 2:1-2:14 error: `catalogue_ttl` is to be a duration in quotes\n"
            "  help: write a whole number and a unit: 500ms, 30s, 10m, 2h",
        ),
        (
            'default_model = "default"',
            "BR503 1:1-1:14 error: `default_model` is to name a model; `default` stands for itself",
        ),
        (
            "endpoints = 3",
            "BR503 1:1-1:10 error: `endpoints` is to be tables\n  help: write `[endpoints.NAME]` and its keys below",
        ),
        (
            '[endpoints]\nbox = "http://box"',
            "BR503 2:1-2:4 error: `endpoints.box` is to be a table\n  help: write `[endpoints.box]` and its keys below",
        ),
        (
            "[endpoints.a]\nmemory = 24\nparallel = true\nmax_loaded = 0\nurl = 'a b'",
            "BR503 2:1-2:7 error: `memory` is to be a size in quotes\n"
            "  help: write a whole number and a unit: 512MB, 24GB\n"
            "BR503 3:1-3:9 error: `parallel` is to be a whole number, 1 or more\n  help: write it without quotes\n"
            "BR503 4:1-4:11 error: `max_loaded` is to be a whole number, 1 or more\n  help: write it without quotes\n"
            "BR503 5:1-5:4 error: `url` is no address: `a b` is not the address of a server\n"
            "  help: write it as http://127.0.0.1:1234 or as 127.0.0.1:1234",
        ),
        (
            "[endpoints.a]\nparallel = 1",
            "BR503 1:2-1:13 error: the endpoint `a` has neither `url` nor `embedded`\n"
            '  help: keep `url = "http://127.0.0.1:1234"` for a server, `embedded = true` for one of our own',
        ),
        (
            "[endpoints.a]\nurl = 'a'\nembedded = false",
            "BR503 1:2-1:13 error: the endpoint `a` has both `url` and `embedded`\n"
            '  help: keep `url = "http://127.0.0.1:1234"` for a server, `embedded = true` for one of our own\n'
            "BR503 3:1-3:9 error: `embedded` is to be `true`, a GGUF file or the key of a model\n"
            "  help: leave the endpoint out to have none",
        ),
        (
            "[endpoints.a]\nurl = 'a'\ncontext_length = 9",
            "BR503 3:1-3:15 error: `context_length` does not belong to the endpoint `a`:"
            " only an embedded server has it\n"
            "  help: take it out",
        ),
        (
            "[endpoints.a]\nembedded = true\ntoken_env = 'T'",
            "BR503 3:1-3:10 error: `token_env` does not belong to the endpoint `a`: an embedded server has none\n"
            "  help: take it out",
        ),
        (
            "[endpoints.embedded]\nurl = 'a'",
            "BR503 1:2-1:20 error: the name `embedded` stands for a server of our own\n"
            "  help: give the endpoint another name",
        ),
        (
            "[endpoints.'box.lan']\nurl = 'a'",
            "BR503 1:2-1:21 error: `box.lan` cannot be the name of an endpoint\n"
            "  help: take letters, digits, `_` and `-`, and a letter first: a dot or a colon looks like an address",
        ),
        (
            "[endpoints.a]\nurl = 'box'\n[endpoints.b]\nurl = 'http://box:1234/v1'",
            "BR503 4:1-4:4 error: the endpoints `a` and `b` have the same address http://box:1234\n"
            "  help: keep one of the two",
        ),
        (
            "a = 1\n[endpoints.a]\nurl = http://box",
            "BR501 3:7-3:17 error: this is no TOML: Invalid value\n"
            "  help: texts stand in quotes, each key is written once: https://toml.io shows how",
        ),
        (
            "a = ",
            "BR501 1:1-1:5 error: this is no TOML: Invalid value\n"
            "  help: texts stand in quotes, each key is written once: https://toml.io shows how",
        ),
        (b"a = '\xff'", "BR501 - error: the configuration cannot be read: it is not UTF-8"),
    ],
)
def test_a_fault(tmp_path: Path, text: str | bytes, findings: str) -> None:
    assert told(tmp_path, text) == findings


def test_a_fault_of_pyproject_stands_below_its_table(tmp_path: Path) -> None:
    text = '[project]\nname = "x"\n[tool.bridge-run.endpoints.a]\nurl = "a"\nidle_timeout = 3\n'
    assert told(tmp_path, text, "pyproject.toml") == (
        "BR503 5:1-5:13 error: `idle_timeout` is to be a duration in quotes\n"
        "  help: write a whole number and a unit: 500ms, 30s, 10m, 2h"
    )


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        (
            '[endpoints.a]\nurl = "a"\ntoken = "sk-secret"',
            "BR504 - error: a token stands in the file: `token` (line 3)\n  help: keep it out of the file: put it into"
            ' a variable, and name that: `token_env = "LM_API_TOKEN"`',
        ),
        (
            '[endpoints.a]\nurl = "a"\ntoken_env = "sk-secret"',
            "BR503 - error: `token_env` is to be the name of an environment variable, not the token itself (line 3)\n"
            '  help: keep it out of the file: put it into a variable, and name that: `token_env = "LM_API_TOKEN"`',
        ),
        (
            '[endpoints.a]\nurl = "http://me:sk-secret@a"',
            "BR503 - error: `url` is no address: an address with a user name is not the address of a server\n"
            "  help: write it as http://127.0.0.1:1234 or as 127.0.0.1:1234",
        ),
        (
            "[endpoints.a]\ntoken = sk-secret",
            "BR501 - error: this is no TOML: Invalid value (line 2)\n"
            "  help: texts stand in quotes, each key is written once: https://toml.io shows how",
        ),
    ],
)
def test_no_word_of_a_token_is_shown(tmp_path: Path, text: str, findings: str) -> None:
    assert told(tmp_path, text) == findings
