"""What a lock says: there and back through its file, what it knows a server by, what is wrong with a broken one."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.chat.catalogue import Catalogue, EndpointCatalogue, Instance, ModelEntry
from runner.chat.toolbox import Tool
from runner.plan.lock.lock import Lock, LockedEndpoint, LockedModel, LockedServer, LockedTool, locked_entry, tools_of
from runner.plan.lock.merge import renewed
from runner.plan.lock.read import read_lock
from runner.plan.lock.start import key_of_start, start_of
from runner.plan.lock.text import lock_text
from runner.plan.lock.tool import definition_of, fingerprint, locked_tool
from runner.words.diagnostics import Diagnostic
from runner.words.errors import UsageError, WorkflowError
from runner.words.schemas import complaints
from runner.words.spans import Span
from runner.workflow.composer import compose
from runner.workflow.lines import LineTable
from runner.workflow.model import Server
from runner.workflow.schema import schema_text

CODER = ModelEntry(
    key="qwen/coder",
    type="llm",
    publisher="qwen",
    architecture="qwen3",
    quantization="Q4_K_M",
    format="gguf",
    size_bytes=18_000_000_000,
    parameters="30B",
    max_context_length=262144,
    tool_use=True,
    vision=False,
    reasoning_options=("off", "on"),
    reasoning_default="on",
    variants=("qwen/coder@q4_k_m", "qwen/coder@q8_0"),
)
COUNT = Tool(name="count", description="Counts.\n\n  - well\n", output_schema={"type": "string"}, effect="none")
LOCK = Lock(
    file="bridge.lock",
    endpoints=(
        LockedEndpoint(
            flavour="lmstudio-v1",
            name="gpu",
            manages=True,
            loads_on_demand=True,
            models=(LockedModel(names=("coder", "qwen/coder"), entry=CODER),),
        ),
        LockedEndpoint(
            flavour="llama.cpp",
            load_settings=("context_length",),
            models=(
                LockedModel(
                    names=("tiny",),
                    entry=ModelEntry(
                        key="tiny",
                        loaded=True,
                        instances=(Instance(id="tiny", context_length=4096, parallel=2, shared_context=True),),
                    ),
                ),
            ),
        ),
    ),
    servers=(
        LockedServer(names=("files",), start={"builtin": "files", "write": True}, tools=()),
        LockedServer(
            names=("counter", "other"),
            start={"command": ["counter", "--root=src"], "env": ["TOKEN"]},
            said={"name": "counter", "version": "1.0", "protocol": "2025-11-25"},
            tools=(locked_tool(COUNT), LockedTool(name="huge", sha256="0" * 64)),
        ),
        LockedServer(names=("late",), start={"url": "http://x/mcp", "transport": "http"}),
    ),
    default_model="tiny",
    missing=("no/such",),
)


def same(lock: Lock) -> Lock:
    """The lock in the order of its file."""
    return replace(lock, servers=tuple(sorted(lock.servers, key=lambda one: one.names)))


def broken(text: str) -> tuple[Diagnostic, ...]:
    with pytest.raises(WorkflowError) as caught:
        read_lock(text, "bridge.lock")
    assert {one.code for one in caught.value.diagnostics} == {"BR510"}
    return caught.value.diagnostics


def test_a_lock_is_read_as_it_was_written() -> None:
    assert read_lock(lock_text(LOCK), "bridge.lock") == same(LOCK)


def test_its_text_is_the_same_whatever_the_order_was() -> None:
    mixed = replace(
        LOCK,
        servers=tuple(
            replace(one, tools=None if one.tools is None else one.tools[::-1], names=one.names[::-1])
            for one in LOCK.servers[::-1]
        ),
    )
    assert lock_text(mixed) == lock_text(LOCK)


def test_its_text_fits_the_schema_that_is_shipped() -> None:
    text = lock_text(LOCK)
    data = compose(text, "bridge.lock", LineTable(text)).data
    assert complaints(json.loads(schema_text("lock")), data) == ()


def test_the_text_of_a_lock() -> None:
    lock = replace(LOCK, endpoints=LOCK.endpoints[:1], servers=LOCK.servers[1:2], missing=(), default_model=None)
    assert lock_text(lock).partition("version: 1\n")[2] == (
        "model_servers:\n"
        "  - flavour: lmstudio-v1\n"
        "    name: gpu\n"
        "    manages: true\n"
        "    loads_on_demand: true\n"
        "    models:\n"
        "      - key: qwen/coder\n"
        "        names: [coder, qwen/coder]\n"
        "        type: llm\n"
        "        publisher: qwen\n"
        "        architecture: qwen3\n"
        "        quantization: Q4_K_M\n"
        "        format: gguf\n"
        "        size_bytes: 18000000000\n"
        '        parameters: "30B"\n'
        "        max_context_length: 262144\n"
        '        capabilities: {tool_use: true, vision: false, reasoning: ["off", "on"], reasoning_default: "on"}\n'
        "        variants: [qwen/coder@q4_k_m, qwen/coder@q8_0]\n"
        "mcp_servers:\n"
        "  - names: [counter, other]\n"
        '    start: {command: [counter, "--root=src"], env: [TOKEN]}\n'
        '    server: {name: counter, version: "1.0", protocol: "2025-11-25"}\n'
        "    tools:\n"
        "      - name: count\n"
        f'        sha256: "{locked_tool(COUNT).sha256}"\n'
        "        definition:\n"
        '          description: "Counts.\\n\\n  - well\\n"\n'
        "          input_schema: {properties: {}, type: object}\n"
        "          output_schema: {type: string}\n"
        "          effect: none\n"
        "      - name: huge\n"
        f'        sha256: "{"0" * 64}"\n'
    )


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",)))
    | st.sampled_from(
        ["on", "no", "~", "<<", "=", "1.0", "1e3", "a: b", "a\nb\n\n c", "- a\nb", "# c\nd", "x\n\ny", " a\nb"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(schema=st.dictionaries(st.text(max_size=5), JSON, max_size=4), description=st.text(max_size=40))
def test_any_definition_comes_back_with_its_fingerprint(schema: dict[str, Any], description: str) -> None:
    tool = locked_tool(Tool(name="t", description=description, input_schema=schema))
    lock = Lock(file="l", servers=(LockedServer(names=("s",), start={"builtin": "files"}, tools=(tool,)),))
    assert read_lock(lock_text(lock), "l") == lock


@pytest.mark.parametrize(
    "schema",
    [
        {"enum": ["x" * 200_001]},
        {"k" * 501: 1},
        {"maximum": 10**301},
        json.loads('{"a":' * 70 + "1" + "}" * 70),
        {"anyOf": json.loads("[" * 70 + "]" * 70)},
    ],
    ids=["long", "key", "number", "deep", "deep lists"],
)
def test_what_is_too_large_for_a_file_is_known_by_its_fingerprint(schema: dict[str, Any]) -> None:
    tool = locked_tool(Tool(name="t", input_schema=schema))
    assert tool.definition is None
    assert tool.sha256 == fingerprint("t", definition_of(Tool(name="t", input_schema=schema)))


def test_a_fingerprint_does_not_depend_on_the_order_of_keys_or_on_how_a_whole_number_is_written() -> None:
    one = locked_tool(Tool(name="t", input_schema={"type": "object", "properties": {"a": {"maximum": 1}}}))
    other = locked_tool(Tool(name="t", input_schema={"properties": {"a": {"maximum": 1.0}}, "type": "object"}))
    assert one == other


def test_a_fingerprint_depends_on_name_description_schemas_and_effect() -> None:
    tools = [
        COUNT,
        replace(COUNT, name="other"),
        replace(COUNT, description="Counts"),
        replace(COUNT, input_schema={"type": "object"}),
        replace(COUNT, output_schema=None),
        replace(COUNT, effect="unsafe"),
    ]
    assert len({locked_tool(tool).sha256 for tool in tools}) == len(tools)


def test_secrets_are_out_of_a_definition_before_it_is_reckoned() -> None:
    def mask(value: Any) -> Any:
        return json.loads(json.dumps(value).replace("hunter2", "[secret T]"))

    assert locked_tool(replace(COUNT, description="hunter2"), mask) == locked_tool(
        replace(COUNT, description="[secret T]")
    )


def test_the_catalogue_of_a_lock_is_called_as_the_file_unless_its_servers_have_addresses() -> None:
    plain, addressed = LOCK.catalogue(), LOCK.catalogue({"gpu": "http://gpu:1234"})
    assert [one.endpoint for one in plain.endpoints] == ["bridge.lock, `gpu`", "bridge.lock, server 2"]
    assert [one.endpoint for one in addressed.endpoints] == ["http://gpu:1234", "bridge.lock, server 2"]
    assert addressed.endpoints[0] == EndpointCatalogue(
        endpoint="http://gpu:1234",
        flavour="lmstudio-v1",
        models=(CODER,),
        name="gpu",
        manages=True,
        loads_on_demand=True,
    )
    assert replace(LOCK, endpoints=LOCK.endpoints[1:]).catalogue().endpoints[0].endpoint == "bridge.lock"


def test_of_a_model_the_state_of_the_moment_is_left_out() -> None:
    copies = (Instance(id="qwen/coder", context_length=4096), Instance(id="mine", config={"flash_attention": True}))
    loaded = replace(CODER, instances=copies, loaded=True)
    assert locked_entry(loaded, ("qwen/coder",), fixed=False) == CODER
    pinned = locked_entry(loaded, ("mine",), fixed=False)
    assert (pinned.instances, pinned.loaded) == ((Instance(id="mine"),), True)
    fixed = locked_entry(loaded, (), fixed=True)
    assert fixed.instances == (copies[0], Instance(id="mine"))
    assert locked_entry(replace(CODER, loaded=True), (), fixed=True).loaded is True


def test_a_name_leads_to_models_by_what_workflows_say_and_by_what_servers_say() -> None:
    assert [model.entry.key for _, model in LOCK.models_named("coder")] == ["qwen/coder"]
    assert [model.entry.key for _, model in LOCK.models_named("QWEN/coder@Q8_0")] == ["qwen/coder"]
    assert list(LOCK.models_named("no/such")) == []


def server(**fields: Any) -> Server:
    return Server(name="s", path=("mcp_servers", "s"), **fields)


def in_project(path: str) -> str | None:
    return path.removeprefix("/home/me/project/") if path.startswith("/home/me/project/") else None


@pytest.mark.parametrize(
    ("declared", "start"),
    [
        (server(builtin="files", root="/home/me"), {"builtin": "files"}),
        (server(builtin="files", write=True), {"builtin": "files", "write": True}),
        (server(source="../.mcp.json"), {"from": ".mcp.json", "entry": "s"}),
        (
            server(url="https://me:pw@host:8/mcp?x=1", headers={"B": "{{ secrets.T }}", "A": "x"}),
            {"url": "https://host:8/mcp?x=1", "transport": "http", "headers": ["A", "B"]},
        ),
        (
            server(url="http://[{{ inputs.host }}/mcp", transport="sse"),
            {"url": "http://[{{ inputs.host }}/mcp", "transport": "sse"},
        ),
        (
            server(
                command="/usr/bin/node",
                args=("/home/me/project/server/index.js", "--root=/home/me/data/", "/", "{{ inputs.path }}"),
                cwd="/home/me/project/src",
                env={"K": "v"},
            ),
            {
                "command": ["node", "server/index.js", "--root=data", "/", "{{ inputs.path }}"],
                "cwd": "src",
                "env": ["K"],
            },
        ),
    ],
)
def test_how_a_server_is_started_is_written_without_paths_of_a_machine_and_without_values(
    declared: Server, start: dict[str, Any]
) -> None:
    assert start_of(declared, project_path=in_project) == start
    assert key_of_start(start) == key_of_start(start_of(declared))


def test_where_a_command_was_found_is_no_part_of_what_a_server_is_known_by() -> None:
    declared = server(command="mcp-server-git", args=("--repository", "."))
    here = start_of(declared, command="/home/me/project/.venv/bin/mcp-server-git", project_path=in_project)
    assert here["command"] == [".venv/bin/mcp-server-git", "--repository", "."]
    lock = replace(LOCK, servers=(LockedServer(names=("git",), start=here),))
    assert lock.server_for(declared) == lock.servers[0]
    assert lock.server_for(replace(declared, args=("--repository", "src"))) is None


def test_of_servers_that_are_started_alike_the_one_of_its_name_is_meant() -> None:
    one, two = (LockedServer(names=(name,), start={"command": ["python", "server.py"]}) for name in ("one", "two"))
    lock = replace(LOCK, servers=(one, two))
    declared = server(command="python", args=("/a/server.py",))
    assert lock.server_for(replace(declared, name="two")) == two
    assert lock.server_for(replace(declared, name="three")) == one


def test_the_tools_of_a_lock_are_tools() -> None:
    assert tools_of(LOCK.servers[1]) == (replace(COUNT, description=COUNT.description), Tool(name="huge"))
    assert tools_of(LOCK.servers[2]) == ()


def test_marks_of_a_merge_are_told_as_such() -> None:
    text = lock_text(LOCK)
    (found,) = broken(text.replace("  - names: [files]", "<<<<<<< HEAD\n  - names: [files]\n=======\n>>>>>>> main\n"))
    line = text.splitlines().index("  - names: [files]") + 1
    assert found.message == "a merge left its marks in this lock file"
    assert found.span == Span(line, 1, line, 13)
    assert found.help == ("take one side (`git checkout --ours` or `--theirs`), then write it anew: `bridge-run lock`")


@pytest.mark.parametrize(
    ("text", "message", "line", "ways"),
    [
        ("", "this file is empty", None, "write it anew: `bridge-run lock`"),
        ("[1]", "this file holds a list, not a mapping of keys", 1, "write it anew: `bridge-run lock`"),
        (
            "version: 1\npackages: []\n",
            "this is no lock file of bridge-run",
            None,
            "name another by `--locked=FILE`, or write one: `bridge-run lock --file FILE`",
        ),
        (
            "# x\nversion: 2\nmodels: []\n",
            "this lock file is of version 2, and this bridge-run reads version 1",
            2,
            "take a newer bridge-run, or write the file anew with this one: `bridge-run lock`",
        ),
        (
            "version: 0\nmodel_servers: []\nmcp_servers: []\n",
            "`version`: expected `1`, got the number 0",
            1,
            "write it anew: `bridge-run lock`",
        ),
        (
            "version: 1\nmodel_servers: []\nmcp_servers: [{names: [a], start: {}, tools: [], more: 1}]\n",
            "`mcp_servers[0]`: unknown key `more`",
            3,
            "write it anew: `bridge-run lock`",
        ),
        (
            "version: 1\nmcp_servers: []\n",
            "the key `model_servers` is missing",
            None,
            "write it anew: `bridge-run lock`",
        ),
    ],
)
def test_what_is_no_lock_is_told_with_its_line_and_what_to_do(
    text: str, message: str, line: int | None, ways: str
) -> None:
    (found,) = broken(text)
    assert (found.message, found.span and found.span.line, found.help) == (message, line, ways)


def test_a_lock_that_is_cut_off_is_told_with_its_line() -> None:
    (found,) = broken(lock_text(LOCK).encode().partition(b'"--root=src"')[0].decode())
    assert found.span is not None
    assert found.help == "write it anew: `bridge-run lock`"


def test_a_definition_that_was_edited_is_refused() -> None:
    text = lock_text(LOCK).replace("Counts.", "Deletes.")
    (found,) = broken(text)
    assert found.message == "the definition of `counter.count` is not the one of this fingerprint"
    assert found.span is not None
    assert "sha256" in text.splitlines()[found.span.line - 1]


def test_bytes_that_are_no_text_are_told() -> None:
    with pytest.raises(WorkflowError) as caught:
        read_lock(b"\xff\xfeversion", "bridge.lock")
    assert caught.value.diagnostics[0].message == "this file is written in UTF-16"


def found(**fields: Any) -> Lock:
    return Lock(file="bridge.lock", **fields)


def test_one_model_is_renewed_and_nothing_else() -> None:
    new = replace(CODER, quantization="Q8_0")
    gpu = LOCK.endpoints[0]
    fresh = replace(gpu, models=(LockedModel(names=("qwen/coder",), entry=new),))
    changed = replace(LOCK.endpoints[1], models=())
    lock = renewed(LOCK, found(endpoints=(fresh, changed)), "qwen/coder")
    assert lock == replace(LOCK, endpoints=(fresh, LOCK.endpoints[1]))


def test_a_model_that_is_gone_is_taken_out_and_one_that_came_is_put_in() -> None:
    gone = renewed(LOCK, found(missing=("coder", "x")), "coder")
    assert gone == replace(LOCK, endpoints=LOCK.endpoints[1:], missing=("coder", "no/such"))
    came = LockedEndpoint(flavour="vllm", models=(LockedModel(names=("no/such",), entry=ModelEntry(key="no/such")),))
    assert renewed(LOCK, found(endpoints=(came,)), "no/such") == replace(
        LOCK, endpoints=(*LOCK.endpoints, came), missing=()
    )


def test_one_tool_server_is_renewed_and_nothing_else() -> None:
    new = replace(LOCK.servers[1], tools=())
    assert renewed(LOCK, found(servers=(new,)), "counter") == replace(
        LOCK, servers=(LOCK.servers[0], LOCK.servers[2], new)
    )


@pytest.mark.parametrize(
    ("name", "hint"),
    [("countr", "did you mean `counter`?"), ("zzzzzz", "write the whole lock anew: `bridge-run lock`")],
)
def test_a_name_that_nobody_knows_cannot_be_renewed(name: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        renewed(LOCK, found(), name)
    assert caught.value.message == f"no workflow uses a model or a tool server named `{name}`"
    assert caught.value.hint == hint


def test_a_lock_gives_a_catalogue_that_plans_read() -> None:
    assert [entry.key for _, entry in LOCK.catalogue()] == ["qwen/coder", "tiny"]
    assert isinstance(LOCK.catalogue(), Catalogue)
