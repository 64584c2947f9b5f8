"""Servers out of other clients' files: their shapes, their variables, and every complaint whole."""

from __future__ import annotations

import json

import pytest

from runner.edges.host_config.client_config import read_client_server
from runner.words.errors import CannotServeError, WorkflowError

ENVIRONMENT = {"HOME": "/home/ada", "TOKEN": "t0k", "EMPTY": "", "LOOKS": "${TOKEN}"}


@pytest.fixture
def read(tmp_path):
    """Writes the file, reads the server ``it`` (or another) from it."""

    def _read(content, name: str = "it", file: str = "mcp.json"):
        path = tmp_path / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return read_client_server(str(path), name, ENVIRONMENT)

    return _read


def entry(**keys):
    return {"mcpServers": {"it": keys}}


def complaints(read, content, **more) -> list[str]:
    """Every finding as ``message (help)``, without the place of the temporary folder."""
    with pytest.raises(WorkflowError) as caught:
        read(content, **more)
    assert {finding.code for finding in caught.value.diagnostics} == {"BR404"}
    return [f"{d.message} ({d.help})" if d.help else d.message for d in caught.value.diagnostics]


def test_claude_code_with_comments_and_trailing_commas(read):
    server = read(
        """
        // shared by the team
        {"mcpServers": {
            "it": {
                "type": "stdio", /* the default */
                "command": "npx", "args": ["-y", "http://x//y", "a,]",],
                "env": {"KEY": "${TOKEN}", "REGION": "${REGION:-eu}", "N": 3},
                "somethingNew": true,
            },
        }}
        """
    )
    assert (server.command, server.args) == ("npx", ("-y", "http://x//y", "a,]"))
    assert server.env == {"KEY": "t0k", "REGION": "eu", "N": "3"}


def test_vs_code_names_them_servers_and_has_its_own_variables(read, tmp_path):
    server = read(
        {
            "servers": {
                "it": {
                    "command": "./bin/srv",
                    "args": ["${workspaceFolder}/data", "${userHome}", "${env:TOKEN}"],
                    "cwd": "..",
                }
            }
        },
        file=".vscode/mcp.json",
    )
    assert server.command == str(tmp_path / ".vscode" / "bin" / "srv")
    assert server.args == (f"{tmp_path}/data", "/home/ada", "t0k")
    assert server.cwd == str(tmp_path / ".vscode" / "..")


@pytest.mark.parametrize(
    ("said", "transport"),
    [({}, "http"), ({"type": "streamable-http"}, "http"), ({"type": "http"}, "http"), ({"type": "sse"}, "sse")],
)
def test_an_address_is_streamable_http_unless_the_type_says_sse(read, said, transport):
    server = read(entry(url="https://x.example/${TOKEN}", headers={"Authorization": "Bearer ${TOKEN}"}, **said))
    assert (server.url, server.transport) == ("https://x.example/t0k", transport)
    assert server.headers == {"Authorization": "Bearer t0k"}


def test_variables_are_expanded_once_and_an_empty_one_takes_the_default(read):
    server = read(entry(command="x", args=["${LOOKS}", "$TOKEN", "${EMPTY}", "${EMPTY:-d}", "${NO:-}", "a${TOKEN}b"]))
    assert server.args == ("${TOKEN}", "$TOKEN", "", "d", "", "at0kb")


def test_entries_that_nobody_imports_are_not_expanded(read):
    assert read({"mcpServers": {"it": {"command": "x"}, "other": {"command": "${UNSET}"}}}).command == "x"


def test_unset_variables_name_server_field_and_variable(read):
    content = entry(command="x", args=["--key", "${KEY}"], env={"A": "${env:OTHER}"})
    with pytest.raises(CannotServeError):
        read(content)
    assert complaints(read, content) == [
        "MCP server `it`: `args[1]` needs the variable `KEY`, and it is not set "
        "(set it: export KEY=…, or give a default: ${KEY:-…})",
        "MCP server `it`: `env.A` needs the variable `OTHER`, and it is not set "
        "(set it: export OTHER=…, or give a default: ${OTHER:-…})",
    ]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (
            {"command": "x", "env": {"KEY": "${input:key}"}},
            "MCP server `it`: `${input:key}` in `env.KEY` asks a person, and bridge-run runs without one "
            "(put the value into an environment variable and write `${env:NAME}`)",
        ),
        (
            {"command": "x", "args": ["${file}x y}", "${a b}"]},
            "MCP server `it`: `${a b}` in `args[1]` is not a variable that is known here "
            "(put the value into an environment variable and write `${env:NAME}`)",
        ),
        (
            {"command": "x", "disabled": True},
            "MCP server `it` is disabled in this file (remove `disabled`, or name another server)",
        ),
        (
            {"command": "x", "enabled": False},
            "MCP server `it` is disabled in this file (remove `enabled`, or name another server)",
        ),
        ({}, "MCP server `it` has neither `command` nor `url` (write exactly one of them)"),
        ({"command": "x", "url": "y"}, "MCP server `it` has both `command` and `url` (write exactly one of them)"),
        ({"url": "y", "type": "stdio"}, "MCP server `it`: `type` 'stdio' does not go with `url`"),
        (
            {"url": "y", "type": "websocket"},
            "MCP server `it`: unknown `type` 'websocket' (known are stdio, http and sse)",
        ),
        ({"command": "x", "args": "y"}, "MCP server `it`: `args` must be a list"),
        (
            {"command": "x", "disabledTools": ["delete"]},
            "MCP server `it`: `disabledTools` is not supported (write the entry without it into a file of its own, and "
            "say by `tools` which of its tools may be used)",
        ),
        (
            {"command": "x", "tools": 5},
            "MCP server `it`: `tools` is not supported (write the entry without it into a file of its own, and "
            "say by `tools` which of its tools may be used)",
        ),
        (
            {"command": "x", "tools": ["read"]},
            "MCP server `it`: `tools` is not supported (write the entry without it into a file of its own, and "
            "say by `tools` which of its tools may be used)",
        ),
        ({"command": 5}, "MCP server `it`: `command` must be the name or the path of a program"),
        ({"command": " "}, "MCP server `it`: `command` must be the name or the path of a program"),
        ({"url": "ftp://y"}, "MCP server `it`: `url` must begin with http:// or https://"),
        ({"url": "https://"}, "MCP server `it`: `url` must begin with http:// or https://"),
        ({"command": "x", "disabled": "yes"}, "MCP server `it`: `disabled` must be true or false"),
        ({"command": "x", "enabled": 0}, "MCP server `it`: `enabled` must be true or false"),
        ({"command": "x", "env": ["y"]}, "MCP server `it`: `env` must be a mapping"),
        ({"command": "x", "args": [True]}, "MCP server `it`: `args[0]` must be a string"),
        (
            {"command": "x", "envFile": ".env"},
            "MCP server `it`: `envFile` is not supported "
            "(write what it holds under `env`, as `${VAR}` if it is secret)",
        ),
    ],
)
def test_an_entry_that_is_at_fault(read, keys, expected):
    assert expected in complaints(read, entry(**keys))


def test_lists_of_tools_that_leave_nothing_out_are_no_hindrance(read):
    assert read(entry(command="x", disabledTools=[], tools=["*"])).command == "x"


def test_a_name_that_is_not_there_is_told_with_those_that_are(read):
    assert complaints(read, {"mcpServers": {"github": {}, "files": {}}}, name="gihub") == [
        "there is no MCP server `gihub` in this file; it has `github`, `files` (did you mean `github`?)"
    ]
    assert complaints(read, []) == [
        "there is no MCP server `it` in this file; it has none "
        "(the entry must have the name that the workflow gives the server)"
    ]


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(WorkflowError) as caught:
        read_client_server(str(tmp_path / "none.json"), "it", {})
    assert caught.value.message == (
        "MCP server `it` comes from this file, and it cannot be read: No such file or directory"
    )
    assert caught.value.diagnostics[0].file == str(tmp_path / "none.json")


def test_broken_json_points_at_the_place(read):
    with pytest.raises(WorkflowError) as caught:
        read('{\n  // a comment "with a quote\n  "mcpServers": {"it": }\n}')
    finding = caught.value.diagnostics[0]
    assert finding.message == "not valid JSON: Expecting value"
    assert finding.span is not None
    assert (finding.span.line, finding.span.column) == (3, 24)


def test_what_no_json_reader_survives_is_an_error_all_the_same(read):
    too_long = '{"mcpServers": {"it": ' + "1" * 5000 + "}}"
    assert complaints(read, too_long) == ["MCP server `it` comes from this file, and it is not valid JSON"]
    assert complaints(read, "[" * 200_000) == ["MCP server `it` comes from this file, and it is not valid JSON"]
