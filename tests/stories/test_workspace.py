"""Runs that work beside the folder: what steps, files and servers change stays out of it until the patch is applied."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from kit.leftover import assert_closed, events
from kit.project import Ended, Project
from kit.servers import node_server
from kit.shapes import assert_shapes
from syrupy.assertion import SnapshotAssertion

KINDS = pytest.mark.parametrize("kind", ["copy", "worktree"])
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@a.invalid", "-c", "commit.gpgsign=false", *arguments]
    return subprocess.run(command, cwd=folder, env=CLEAN, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def repository(project: Project) -> Project:
    """A repository with one commit that knows of our records."""
    git(project.folder, "init", "-q", "-b", "main", ".")
    git(project.folder, "config", "user.name", "a")
    git(project.folder, "config", "user.email", "a@a.invalid")
    project.write("shop/price.py", "PRICE = 1\nTAX = 2\n")
    project.write("notes.txt", "first\n")
    project.write(".gitignore", ".bridge\n.config\n*.yaml\n")
    git(project.folder, "add", "-A")
    git(project.folder, "commit", "-qm", "first")
    return project


def state(project: Project) -> tuple[str, str]:
    """What git says of the person's own files, and the newest commit."""
    return git(project.folder, "status", "--short"), git(project.folder, "log", "--format=%s %H", "--all")


def workflow(kind: str, steps: str, servers: str = "") -> str:
    return f"version: 1\nname: tidy\nworkspace: {kind}\n{servers}steps:\n{steps}"


def apply(project: Project, ended: Ended) -> None:
    """Do what the last line says."""
    command = ended.raw_err.partition("apply them with: ")[2].strip()
    assert command, ended
    subprocess.run(command, cwd=project.folder, env=CLEAN, shell=True, check=True)


def workspaces(project: Project) -> list[Path]:
    return list(project.folder.glob(".bridge/runs/*/workspace"))


def without_beginning(ended: Ended) -> str:
    return ended.err[ended.err.index("tidy ") :]


# What is changed, by whomever


EVERYBODY = """
  - {id: command, run: [sh, -c, 'echo TIP = 3 >> shop/price.py; rm notes.txt; pwd']}
  - {id: builtin, needs: [command], tool: files.write, arguments: {path: new.txt, content: "by the files\\n"}}
  - id: edit
    needs: [builtin]
    tool: files.edit
    arguments: {path: shop/price.py, old: TAX = 2, new: TAX = 7}
  - id: server
    needs: [edit]
    tool: disk.write_file
    arguments: {path: "{{ steps.command.output }}/shop/disk.txt", content: "by a server\\n"}
  - {id: see, needs: [server], run: [cat, shop/price.py, shop/disk.txt, new.txt]}
"""


@KINDS
def test_what_commands_files_and_servers_change_is_in_the_patch_and_nowhere_else(
    repository: Project, snapshot: SnapshotAssertion, kind: str
) -> None:
    disk = f"{{command: {node_server('mcp-server-filesystem')}, args: [.]}}"
    servers = f"mcp_servers:\n  files: {{builtin: files, root: ., write: true}}\n  disk: {disk}\n"
    repository.write("tidy.yaml", workflow(kind, EVERYBODY, servers))
    before = state(repository)
    ended = repository.run("tidy.yaml", "--output", "json")
    assert ended.code == 0, ended
    assert without_beginning(ended) == snapshot
    assert json.loads(ended.raw_out)["outputs"]["see"] == "PRICE = 1\nTAX = 7\nTIP = 3\nby a server\nby the files"
    assert state(repository) == before
    assert (repository.folder / "notes.txt").read_text() == "first\n"
    assert not (repository.folder / "new.txt").exists()
    apply(repository, ended)
    assert git(repository.folder, "status", "--short").splitlines() == [
        " D notes.txt", " M shop/price.py", "?? new.txt", "?? shop/disk.txt",
    ]  # fmt: skip
    assert (repository.folder / "shop/price.py").read_text() == "PRICE = 1\nTAX = 7\nTIP = 3\n"
    assert workspaces(repository) == []
    assert_shapes(repository)
    assert_closed(repository, "succeeded")


COMMITS = """
  - {id: change, run: [sh, -c, 'echo second >> notes.txt']}
  - {id: add, needs: [change], tool: git.git_add, arguments: {repo_path: ., files: [notes.txt]}}
  - {id: commit, needs: [add], tool: git.git_commit, arguments: {repo_path: ., message: by a server}}
"""


@KINDS
def test_what_a_real_git_server_commits_is_in_the_patch_and_moves_no_branch(repository: Project, kind: str) -> None:
    servers = "mcp_servers: {git: {command: mcp-server-git, args: [--repository, .]}}\n"
    repository.write("tidy.yaml", workflow(kind, COMMITS, servers))
    before = state(repository)
    ended = repository.run("tidy.yaml")
    assert ended.code == 0, ended
    assert state(repository) == before
    apply(repository, ended)
    assert git(repository.folder, "status", "--short") == " M notes.txt\n"


@KINDS
def test_nothing_is_changed(repository: Project, kind: str) -> None:
    repository.write("tidy.yaml", workflow(kind, "  - {id: look, run: [cat, notes.txt]}\n"))
    ended = repository.run("tidy.yaml")
    assert (ended.code, ended.out) == (0, "first\n")
    assert ended.err.splitlines()[-1] == "changes: none"
    assert not (repository.runs()[-1] / "changes.patch").exists()
    assert workspaces(repository) == []


@KINDS
def test_a_run_that_fails_leaves_its_patch(repository: Project, snapshot: SnapshotAssertion, kind: str) -> None:
    steps = "  - {id: half, run: [sh, -c, 'echo half >> notes.txt; exit 3']}\n"
    repository.write("tidy.yaml", workflow(kind, steps))
    ended = repository.run("tidy.yaml")
    assert ended.code == 1
    assert without_beginning(ended) == snapshot
    apply(repository, ended)
    assert (repository.folder / "notes.txt").read_text() == "first\nhalf\n"


def test_what_is_not_committed_is_in_a_copy_and_told_for_a_worktree(
    repository: Project, snapshot: SnapshotAssertion
) -> None:
    repository.write("notes.txt", "mine\n")
    steps = "  - {id: look, run: [sh, -c, 'cat notes.txt; echo more >> notes.txt']}\n"
    repository.write("tidy.yaml", workflow("copy", steps))
    ended = repository.run("tidy.yaml")
    assert ended.out == "mine\n"
    apply(repository, ended)
    assert (repository.folder / "notes.txt").read_text() == "mine\nmore\n"
    repository.write("tidy.yaml", workflow("worktree", steps))
    ended = repository.run("tidy.yaml")
    assert str(ended) == snapshot


@KINDS
def test_started_below_the_top_of_the_repository(repository: Project, kind: str) -> None:
    """The steps work in the same folder of the workspace; what lies above it is in the patch, too."""
    steps = "  - {id: go, run: [sh, -c, 'basename $PWD; echo x >> price.py; echo y >> ../notes.txt']}\n"
    below = Project(repository.folder / "shop")
    below.write("tidy.yaml", workflow(kind, steps))
    ended = below.run("tidy.yaml")
    assert ended.out == "shop\n"
    assert f"git -C {repository.folder}" in ended.raw_err
    apply(below, ended)
    assert git(repository.folder, "status", "--short") == " M notes.txt\n M shop/price.py\n"


# Going on


PAUSES = """
  - {id: draft, run: [sh, -c, 'echo draft >> notes.txt']}
  - {id: gate, needs: [draft], approve: 'Go on?'}
  - {id: final, when: steps.gate.output == 'yes', run: [sh, -c, 'echo final >> notes.txt; cat notes.txt']}
"""


@KINDS
def test_a_run_that_paused_goes_on_in_its_workspace(
    repository: Project, snapshot: SnapshotAssertion, kind: str
) -> None:
    repository.write("tidy.yaml", workflow(kind, PAUSES))
    paused = repository.run("tidy.yaml")
    assert paused.code == 8
    assert without_beginning(paused) == snapshot
    assert len(workspaces(repository)) == 1
    ended = repository.run("resume", "last", "--answer", "gate=yes")
    assert (ended.code, ended.out) == (0, "first\ndraft\nfinal\n"), ended
    assert (repository.folder / "notes.txt").read_text() == "first\n"
    apply(repository, ended)
    assert (repository.folder / "notes.txt").read_text() == "first\ndraft\nfinal\n"
    assert workspaces(repository) == []


@KINDS
def test_a_run_that_failed_goes_on_in_its_workspace(repository: Project, kind: str) -> None:
    fixed = repository.folder / ".config" / "fixed"
    steps = f"""
  - {{id: once, run: [sh, -c, 'echo once >> notes.txt']}}
  - {{id: then, needs: [once], run: [sh, -c, 'cat notes.txt; test -e {fixed}']}}
"""
    repository.write("tidy.yaml", workflow(kind, steps))
    assert repository.run("tidy.yaml").code == 1
    repository.write(".config/fixed", "")
    ended = repository.run("resume", "last")
    assert (ended.code, ended.out) == (0, "first\nonce\n"), ended
    assert workspaces(repository) == []


# Where there can be none


def test_a_worktree_without_a_repository(project: Project, snapshot: SnapshotAssertion) -> None:
    project.write("tidy.yaml", workflow("worktree", "  - {id: go, run: [touch, gone]}\n"))
    assert str(project.run("tidy.yaml")) == snapshot
    assert not (project.folder / "gone").exists()
    assert events(project, "step_started") == []


def test_a_copy_needs_no_repository(project: Project) -> None:
    project.write("a.txt", "a\n")
    project.write("tidy.yaml", workflow("copy", "  - {id: go, run: [sh, -c, 'echo b >> a.txt']}\n"))
    ended = project.run("tidy.yaml")
    assert ended.code == 0, ended
    assert (project.folder / "a.txt").read_text() == "a\n"
    apply(project, ended)
    assert (project.folder / "a.txt").read_text() == "a\nb\n"


# Steps that only read


READS = "  - {id: read, run: [sh, -c, 'echo x > new.txt; rm notes.txt'], reads_only: true}\n"


@pytest.mark.parametrize("kind", ["here", "copy"])
def test_a_step_that_was_to_read_only_and_did_not(repository: Project, snapshot: SnapshotAssertion, kind: str) -> None:
    repository.write("tidy.yaml", workflow(kind, READS + "  - {id: below, needs: [read], run: [touch, below]}\n"))
    ended = repository.run("tidy.yaml")
    assert ended.code == 1
    assert without_beginning(ended) == snapshot
    assert repository.result()["steps"]["read"]["error"]["kind"] == "expectation"
    assert not (repository.folder / "below").exists()


def test_a_step_that_reads_and_one_that_writes_afterwards(repository: Project) -> None:
    steps = "  - {id: read, run: [cat, notes.txt], reads_only: true}\n"
    steps += "  - {id: write, needs: [read], run: [sh, -c, 'echo x > new.txt']}\n"
    repository.write("tidy.yaml", workflow("here", steps))
    assert repository.run("tidy.yaml").code == 0


# Files that are kept


BUILD = """
  - {id: build, run: [sh, -c, 'mkdir -p dist/doc; echo 1 > dist/a.whl; echo 2 > dist/b.whl; echo 3 > dist/doc/i.html'],
     artifacts: ['dist/*.whl', dist/doc/]}
  - {id: use, run: [cat, "{{ steps.build.artifacts[0] }}", "{{ steps.build.artifacts[2] }}/i.html"]}
  - {id: each, for_each: steps.build.artifacts, run: [basename, "{{ item }}"]}
"""


@pytest.mark.parametrize("kind", ["here", "copy"])
def test_files_that_are_kept_and_handed_on(repository: Project, snapshot: SnapshotAssertion, kind: str) -> None:
    repository.write("tidy.yaml", workflow(kind, BUILD))
    ended = repository.run("tidy.yaml", "--output", "json")
    assert ended.code == 0, ended
    assert without_beginning(ended) == snapshot
    result = json.loads(ended.raw_out)
    assert result["steps"]["use"]["output"] == "1\n3"
    assert result["steps"]["each"]["output"] == ["a.whl", "b.whl", "doc"]
    kept = [repository.folder / path for path in result["steps"]["build"]["artifacts"]]
    assert [path.name for path in kept] == ["a.whl", "b.whl", "doc"]
    assert all(path.exists() for path in kept)
    assert_shapes(repository)


def test_a_kept_file_that_is_not_there(repository: Project, snapshot: SnapshotAssertion) -> None:
    steps = "  - {id: build, run: ['true'], artifacts: [dist/a.whl, 'dist/*.whl']}\n"
    steps += "  - {id: use, run: [ls, '{{ steps.build.artifacts | length }}']}\n"
    repository.write("tidy.yaml", workflow("here", steps))
    ended = repository.run("tidy.yaml")
    assert ended.code == 1
    assert without_beginning(ended) == snapshot
