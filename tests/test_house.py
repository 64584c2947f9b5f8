"""The house as a whole: who imports whom, the doors to libraries, what the wheel carries, what the pages say."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.cli.verbs import VERBS

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "runner"
MODULES = sorted(PACKAGE.rglob("*.py"))

DOORS = {
    "yaml": ("runner.workflow.composer",),
    "tomllib": ("runner.edges.config.file",),
    "jsonschema": ("runner.words.schemas",),
    "jsonschema_rs": ("runner.words.schemas",),
    "jinja2": ("runner.words.sandbox",),
    "httpx": ("runner.edges.model_server.http",),
    "httpx2": ("runner.edges.mcp.http",),
    "mcp": ("runner.edges.mcp.", "runner.edges.mcp_server."),
    "mcp_types": ("runner.edges.mcp.", "runner.edges.mcp_server."),
    "tenacity": ("runner.execute.retry",),
    "xllamacpp": ("runner.edges.embedded.embedded_server",),
    "click": ("runner.cli.",),
    "rich": ("runner.show.",),
    "starlette": ("runner.rehearse.simulator.",),
    "uvicorn": ("runner.rehearse.simulator.", "runner.edges.mcp_server.http"),
    "prometheus_client": ("runner.edges.metrics",),
    "opentelemetry": ("runner.edges.telemetry.",),
    "pytest": ("runner.pytest_plugin",),
    "syrupy": ("runner.pytest_snapshot",),
}
"""Library → the modules that are its door. One ending in a dot is a room, one ending in an underscore a family.

``httpx2`` is not ours: the MCP SDK wants its clients made of it, and nothing made of it may reach ``httpx``.
"""

PURE_ROOMS = ("words", "workflow", "chat", "plan", "record", "show")
WORLD = {"time", "random", "secrets", "uuid", "socket", "urllib.request", "http", "subprocess"}
"""Modules that read a clock, chance or the network."""


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def runtime_imports(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Imports that really happen: those under ``if TYPE_CHECKING`` do not."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif not (isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")):
            yield from runtime_imports(node)


def imported_names(path: Path) -> set[str]:
    names: set[str] = set()
    for node in runtime_imports(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif node.module:
            names.add(node.module)
    return names


def test_nobody_imports_from_the_room_beside_or_above():
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("library", sorted(DOORS))
def test_each_library_has_one_door(library):
    users = {
        module_name(path)
        for path in MODULES
        if any(name == library or name.startswith(f"{library}.") for name in imported_names(path))
    }
    doors = DOORS[library]
    rooms = tuple(door for door in doors if door.endswith((".", "_")))
    assert {user for user in users if user not in doors and not user.startswith(rooms)} == set()


@pytest.mark.parametrize("room", PURE_ROOMS)
def test_pure_rooms_read_no_clock_no_chance_no_network_no_environment(room):
    offences = [
        f"{module_name(path)} imports {name}"
        for path in sorted((PACKAGE / room).rglob("*.py"))
        for name in sorted(imported_names(path) & WORLD)
    ]
    offences += [
        f"{module_name(path)} reads {ast.unparse(node)}"
        for path in sorted((PACKAGE / room).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in {"os.environ", "os.getenv", "datetime.now"}
    ]
    assert offences == []


def test_modules_and_functions_stay_small():
    too_long = []
    for path in MODULES:
        text = path.read_text(encoding="utf-8")
        if len(text.splitlines()) > 320:
            too_long.append(module_name(path))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > 50:
                    too_long.append(f"{module_name(path)}.{node.name}: {lines} lines")
    assert too_long == []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, capture_output=True, check=True)
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def test_the_wheel_carries_the_package_the_schemas_and_nothing_else(wheel):
    names = set(wheel.namelist())
    own = {path.relative_to(ROOT).as_posix() for path in MODULES} | {"runner/py.typed"}
    schemas = {f"runner/_schemas/{path.name}" for path in (ROOT / "schemas").iterdir()}
    assert own | schemas <= names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"runner", "bridge_run"}
    assert "runner/_schemas/workflow.schema.json" in names
    assert [name for name in names if "__pycache__" in name or "/tests/" in name] == []


def test_the_wheel_names_the_command_and_the_licence(wheel):
    (metadata,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    folder = metadata.removesuffix("METADATA")
    assert "bridge-run = runner.cli.main:main" in wheel.read(f"{folder}entry_points.txt").decode()
    assert f"{folder}licenses/LICENSE" in wheel.namelist()
    assert "License-Expression: MIT" in wheel.read(metadata).decode()


def test_no_link_leads_out_of_the_repository():
    kept = subprocess.run(["git", "ls-files", "-s"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    links = [line.partition("\t")[2] for line in kept.splitlines() if line.startswith("120000 ")]
    assert [link for link in links if (ROOT / link).readlink().is_absolute()] == []


def test_every_pinned_version_is_a_bare_one():
    pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert pins == sorted(pins, key=str.lower)
    assert [pin for pin in pins if "==" not in pin or any(sign in pin for sign in "/@:;")] == []


def test_help_stays_light():
    """The heavy libraries cost more than all the rest together; what only prints words must not import them."""
    heavy = ["mcp", "httpx", "jsonschema", "jsonschema_rs", "rich", "jinja2", "pydantic", "starlette", "asyncio"]
    script = (
        "import json, sys\n"
        "from runner.cli.main import main\n"
        "sys.argv = ['bridge-run', '--help']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print(json.dumps([name for name in {heavy!r} if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == []


PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "workflows").rglob("*.md")])
EXAMPLE = re.compile(r"^(?:<!-- file: \S*?([^/\s]+) -->\n)?```ya?ml\n(.*?)^```$", re.DOTALL | re.MULTILINE)


NAMED = re.compile(r"# (\S+\.yaml)\n")


def workflows_on_pages():
    """Each workflow, with those of its page that are named, above them or in their first line: others call them."""
    for page in PAGES:
        found = [(one[1], one[2]) for one in EXAMPLE.finditer(page.read_text(encoding="utf-8"))]
        named = {name[1]: text for _, text in found if (name := NAMED.match(text))}
        named |= {above: text for above, text in found if above}
        for number, (_, text) in enumerate(found, start=1):
            if re.search(r"^version:", text, re.MULTILINE):
                yield pytest.param(text, named, id=f"{page.relative_to(ROOT)}-{number}")


@pytest.mark.parametrize(("text", "named"), list(workflows_on_pages()))
def test_every_workflow_on_a_page_is_right(text, named, tmp_path):
    for name, called in named.items():
        (tmp_path / name).write_text(called, encoding="utf-8")
    (tmp_path / "page.yaml").write_text(text, encoding="utf-8")
    own = Path(sys.executable).parent
    command = [own / "bridge-run", "check", "--offline", "--strict", "page.yaml"]
    env = {**os.environ, "PATH": f"{own}{os.pathsep}{os.environ.get('PATH', '')}"}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_name_only_what_there_is(page):
    text = page.read_text(encoding="utf-8")
    links = {link.split("#")[0] for link in re.findall(r"\]\((?!https?:|#)([^)\s]+)\)", text)}
    assert {link for link in links if not (page.parent / link).exists()} == set()
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)", text)) <= targets
    verbs = set(re.findall(r"[`$] ?bridge-run ([a-z]+)(?![\w./-])", text))
    assert verbs <= set(VERBS)
    modules = set(re.findall(r"`(runner/[\w/.]+)`", text))
    assert {module for module in modules if not (ROOT / module).exists()} == set()
