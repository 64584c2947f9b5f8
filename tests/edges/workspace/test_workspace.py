"""Workspaces: what is in them, that nothing of them reaches the original, and that their patch makes it the same."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
from kit.project import wait_until

from runner.edges.workspace import tree_copy
from runner.edges.workspace.git import Git, GitError, Stopped, without_place
from runner.edges.workspace.patch import closing_words
from runner.edges.workspace.workspace import open_workspace, opened_workspace
from runner.words.errors import HistoryError, OutsideError

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
KINDS = ("copy", "worktree")


def git(folder, *arguments):
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@a.invalid", "-c", "commit.gpgsign=false", *arguments]
    done = subprocess.run(command, cwd=folder, env=CLEAN, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def commit(folder):
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "as it was")


def fill(folder, **more):
    """Files with all that makes patches hard."""
    files = {
        "a.txt": b"one\ntwo\nthree\n",
        "crlf.txt": b"one\r\ntwo\r\n",
        "mixed.txt": b"one\r\ntwo\nthree\r\n",
        "no end.txt": b"one\ntwo",
        "\u00fcn\u00ef \u2713.txt": b"\xe2\x9c\x93\n",
        "tab\tand\nline.txt": b"odd\n",
        "empty.txt": b"",
        "picture.bin": bytes(range(256)) * 40,
        "gone.txt": b"it goes\n",
        "moved.txt": b"".join(b"line %d\n" % number for number in range(50)),
        "script.sh": b"#!/bin/sh\n",
        "deep/er/b.txt": b"b\n",
        **more,
    }
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / "link").symlink_to("deep/er/b.txt")


def change(folder):
    """What steps do."""
    (folder / "a.txt").write_bytes(b"one\n2\nthree\n")
    (folder / "crlf.txt").write_bytes(b"one\r\n2\r\nthree\r\n")
    (folder / "mixed.txt").write_bytes(b"one\n2\r\nthree\r\n")
    (folder / "no end.txt").write_bytes(b"one\ntwo\n")
    (folder / "\u00fcn\u00ef \u2713.txt").write_bytes(b"\xe2\x9c\x93\nand more  \n")
    (folder / "tab\tand\nline.txt").write_bytes(b"odd\nindeed")
    (folder / "empty.txt").write_bytes(b"no more")
    (folder / "picture.bin").write_bytes(bytes(range(255, -1, -1)) * 40)
    (folder / "gone.txt").unlink()
    (folder / "moved.txt").rename(folder / "deep" / "moved here.txt")
    (folder / "script.sh").chmod(0o755)
    (folder / "new" / "folder").mkdir(parents=True)
    (folder / "new" / "folder" / "empty").write_bytes(b"")
    (folder / "new" / "data.bin").write_bytes(b"\0\1\2\r\n")
    (folder / "link").unlink()
    (folder / "link").symlink_to("a.txt")


def content(folder):
    """All files that count: path → what it is and holds."""
    found = {}
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in (".git", ".bridge")]
        for name in (*files, *folders):
            path = Path(parent, name)
            if path.is_symlink():
                found[str(path.relative_to(folder))] = ("link", str(path.readlink()))
            elif path.is_file() and name != ".git":
                found[str(path.relative_to(folder))] = (bool(path.stat().st_mode & 0o100), path.read_bytes())
    return found


def plain_ends(found):
    """What ``content`` found, with the ends of lines of one system."""
    return {
        name: (kind, data.replace(b"\r\n", b"\n") if kind != "link" else data) for name, (kind, data) in found.items()
    }


def started(folder, name="r1"):
    """The folder of a run that was started in ``folder``."""
    run = folder / ".bridge" / "runs" / name
    run.mkdir(parents=True)
    (folder / ".bridge" / ".gitignore").write_text("*\n")
    (run / "journal.jsonl").write_text("")
    return run


def refusal(kind, source, run):
    with pytest.raises(OutsideError) as caught:
        open_workspace(kind, source, run)
    return f"{caught.value} | {caught.value.hint}"


@pytest.fixture
def repository(tmp_path):
    """A repository with a commit, whose path has a space."""
    top = tmp_path / "my project"
    top.mkdir()
    git(top, "init", "-q")
    fill(top)
    (top / ".gitignore").write_text("*.log\nbuild/\n")
    commit(top)
    return top


class TestPatch:
    """The patch turns the original, as it was, into what the workspace is: byte for byte."""

    def rounded(self, kind, source, start):
        """Work in a workspace of ``start``, apply the patch there as told; what both are then."""
        before = content(source)
        workspace = open_workspace(kind, start, started(start))
        assert content(workspace.top) == before
        change(workspace.folder)
        assert content(source) == before
        patch = workspace.finish()
        made = content(workspace.top)
        workspace.close()
        assert made != before
        done = subprocess.run(patch.command, shell=True, cwd=start, env=CLEAN, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return content(source), made, patch

    @pytest.mark.parametrize("kind", KINDS)
    def test_of_a_repository(self, kind, repository):
        now, made, patch = self.rounded(kind, repository, repository)
        assert now == made
        assert (patch.files, patch.insertions, patch.deletions) == (14, 10, 7)
        assert closing_words(patch).startswith("changes: 14 files, +10 -7; apply them with: git apply '/")

    @pytest.mark.parametrize("kind", KINDS)
    def test_of_a_folder_below(self, kind, repository):
        fill(repository / "s\u00fcb folder")
        commit(repository)
        now, made, patch = self.rounded(kind, repository, repository / "s\u00fcb folder")
        assert now == made
        assert patch.command.startswith("git apply ")

    @pytest.mark.parametrize("kind", KINDS)
    def test_of_a_folder_below_with_changes_above(self, kind, repository):
        (repository / "sub").mkdir()
        (repository / "sub" / "x").write_text("x\n")
        commit(repository)
        workspace = open_workspace(kind, repository / "sub", started(repository / "sub"))
        (workspace.folder / ".." / "a.txt").write_text("from below\n")
        patch = workspace.finish()
        workspace.close()
        assert patch.command.startswith(f"git -C '{repository}' apply '{repository}/sub/.bridge/")
        subprocess.run(patch.command, shell=True, cwd=repository / "sub", env=CLEAN, check=True)
        assert (repository / "a.txt").read_text() == "from below\n"

    @pytest.mark.parametrize("attributes", ["* text=auto\n", "*.txt -diff\n", "*.bin diff\n", "* -text\n"])
    def test_of_a_copy_whatever_the_attributes(self, attributes, repository):
        (repository / ".gitattributes").write_text(attributes)
        now, made, _ = self.rounded("copy", repository, repository)
        assert now == made

    def test_of_a_copy_with_line_ends_of_another_system(self, repository):
        """Git writes the files that it changes as the attributes say; all that is right already stays so."""
        (repository / ".gitattributes").write_text("*.txt text eol=crlf\n")
        now, made, _ = self.rounded("copy", repository, repository)
        assert now["crlf.txt"] == made["crlf.txt"] == (False, b"one\r\n2\r\nthree\r\n")
        assert plain_ends(now) == plain_ends(made)

    def test_outside_of_git(self, tmp_path):
        (tmp_path / "plain").mkdir()
        fill(tmp_path / "plain")
        now, made, _ = self.rounded("copy", tmp_path / "plain", tmp_path / "plain")
        assert now == made

    def test_of_a_folder_that_a_repository_ignores(self, repository):
        (repository / "build" / "\u00fc").mkdir(parents=True)
        fill(repository / "build" / "\u00fc")
        now, made, _ = self.rounded("copy", repository / "build" / "\u00fc", repository / "build" / "\u00fc")
        assert now == made

    def test_of_what_was_never_committed(self, tmp_path):
        git(tmp_path, "init", "-q")
        fill(tmp_path)
        now, made, _ = self.rounded("copy", tmp_path, tmp_path)
        assert now == made

    def test_over_uncommitted_changes(self, repository):
        (repository / "a.txt").write_text("mine\n")
        git(repository, "rm", "-q", "deep/er/b.txt")
        (repository / "link").unlink()
        (repository / "deep").mkdir(exist_ok=True)
        (repository / "link").write_text("no link now\n")
        now, made, _ = self.rounded("copy", repository, repository)
        assert now == made

    @pytest.mark.parametrize("kind", KINDS)
    def test_nothing_changed(self, kind, repository):
        run = started(repository)
        workspace = open_workspace(kind, repository, run)
        assert workspace.finish() is None
        workspace.close()
        assert closing_words(None) == "changes: none"
        assert not (run / "changes.patch").exists()

    @pytest.mark.parametrize("kind", KINDS)
    def test_it_can_be_made_again(self, kind, repository):
        workspace = open_workspace(kind, repository, started(repository))
        (workspace.folder / "a.txt").write_text("x\n")
        assert workspace.finish().files == 1
        (workspace.folder / "more.txt").write_text("x\n")
        assert closing_words(workspace.finish()).startswith("changes: 2 files, +2 -3;")
        (workspace.folder / "more.txt").unlink()
        (workspace.folder / "a.txt").write_bytes((repository / "a.txt").read_bytes())
        assert workspace.finish() is None
        workspace.close()

    @pytest.mark.parametrize("kind", KINDS)
    def test_one_file(self, kind, repository):
        workspace = open_workspace(kind, repository, started(repository))
        (workspace.folder / "picture.bin").write_bytes(b"\0")
        assert closing_words(workspace.finish()).startswith("changes: 1 file, +0 -0;")
        workspace.close()

    @pytest.mark.parametrize("kind", KINDS)
    def test_commits_of_steps_are_in_it(self, kind, repository):
        workspace = open_workspace(kind, repository, started(repository))
        (workspace.folder / "a.txt").write_text("committed\n")
        commit(workspace.folder)
        (workspace.folder / "b.txt").write_text("not committed\n")
        patch = workspace.finish()
        workspace.close()
        assert patch.files == 2
        assert git(repository, "log", "--format=%s", "HEAD") == "as it was\n"

    @pytest.mark.parametrize("kind", KINDS)
    def test_what_git_ignores_is_not_in_it_unless_it_is_tracked(self, kind, repository):
        (repository / "kept.log").write_text("tracked\n")
        git(repository, "add", "-f", "kept.log")
        commit(repository)
        workspace = open_workspace(kind, repository, started(repository))
        for name in ("kept.log", "other.log", "build/x"):
            (workspace.folder / name).parent.mkdir(exist_ok=True)
            (workspace.folder / name).write_text("new\n")
        patch = workspace.finish()
        workspace.close()
        assert patch.files == 1
        assert "kept.log" in patch.path.read_text()

    def test_caches_of_tools_are_not_in_it_outside_of_git(self, tmp_path):
        (tmp_path / "a").write_text("a\n")
        workspace = open_workspace("copy", tmp_path, started(tmp_path))
        (workspace.folder / "__pycache__").mkdir()
        (workspace.folder / "__pycache__" / "a.pyc").write_bytes(b"\0")
        assert workspace.finish() is None
        workspace.close()

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_repository_that_a_step_made_is_told_and_left_out(self, kind, repository):
        workspace = open_workspace(kind, repository, started(repository))
        (workspace.folder / "fresh").mkdir()
        git(workspace.folder / "fresh", "init", "-q")
        (workspace.folder / "fresh" / "x").write_text("x\n")
        assert workspace.finish() is None
        workspace.close()
        assert workspace.warnings == ("not in the patch, being repositories of their own: `fresh`",)

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_step_that_removes_the_repository_changes_nothing(self, kind, repository):
        workspace = open_workspace(kind, repository, started(repository))
        own = workspace.folder / ".git"
        shutil.rmtree(own) if own.is_dir() else own.unlink()
        (workspace.folder / "a.txt").write_text("x\n")
        assert workspace.finish().files == 1
        workspace.close()
        assert git(repository, "worktree", "list").count("\n") == 1

    @pytest.mark.parametrize("kind", KINDS)
    def test_settings_of_the_person_do_not_spoil_it(self, kind, repository, monkeypatch, tmp_path):
        settings = tmp_path / "gitconfig"
        settings.write_text(
            "[diff]\n noprefix = true\n external = false\n mnemonicPrefix = true\n renames = copies\n"
            "[color]\n ui = always\n[core]\n autocrlf = true\n hooksPath = /nowhere\n[commit]\n gpgsign = true\n"
        )
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
        workspace = open_workspace(kind, repository, started(repository))
        (workspace.folder / "a.txt").write_bytes((workspace.folder / "a.txt").read_bytes().replace(b"two", b"2"))
        patch = workspace.finish()
        workspace.close()
        assert (patch.files, patch.insertions, patch.deletions) == (1, 1, 1)
        git(repository, "apply", "--check", str(patch.path))

    @pytest.mark.parametrize("kind", KINDS)
    def test_where_it_cannot_be_written_the_files_stay(self, kind, repository):
        run = started(repository)
        workspace = open_workspace(kind, repository, run)
        (workspace.folder / "a.txt").write_text("x\n")
        (run / "changes.patch").mkdir()
        with pytest.raises(HistoryError) as caught:
            workspace.finish()
        assert str(caught.value).startswith(f"cannot write `{run}/changes.patch`: ")
        assert caught.value.hint == f"the changed files are in `{run.resolve()}/workspace`"
        assert (workspace.folder / "a.txt").read_text() == "x\n"
        workspace.close(keep=True)
        assert (workspace.folder / "a.txt").read_text() == "x\n"


class TestCopy:
    def test_it_holds_what_is_not_committed_and_what_is_ignored(self, repository):
        (repository / "a.txt").write_text("mine\n")
        (repository / "new.txt").write_text("new\n")
        (repository / "build" / "bin").mkdir(parents=True)
        (repository / "build" / "bin" / "tool").write_text("#!/bin/sh\n")
        (repository / "nothing").mkdir()
        workspace = open_workspace("copy", repository, started(repository))
        assert (workspace.folder / "a.txt").read_text() == "mine\n"
        assert (workspace.folder / "build/bin/tool").exists()
        assert (workspace.folder / "nothing").is_dir()
        assert workspace.warnings == ()
        workspace.close()

    def test_modes_and_times_are_those_of_the_original(self, repository):
        (repository / "script.sh").chmod(0o750)
        os.utime(repository / "script.sh", ns=(10**18, 10**18 + 7))
        (repository / "deep" / "er").chmod(0o555)
        workspace = open_workspace("copy", repository, started(repository))
        facts = (workspace.folder / "script.sh").stat()
        assert (facts.st_mode & 0o777, facts.st_mtime_ns) == (0o750, 10**18 + 7)
        assert (workspace.folder / "deep/er").stat().st_mode & 0o777 == 0o555
        workspace.close()
        assert not workspace.top.exists()

    def test_git_in_it_says_what_it_says_in_the_original(self, repository):
        git(repository, "config", "user.name", "Somebody")
        (repository / "a.txt").write_text("mine\n")
        (repository / "staged.txt").write_text("staged\n")
        git(repository, "add", "staged.txt")
        workspace = open_workspace("copy", repository, started(repository))
        for question in (("status", "--short"), ("log", "--format=%H"), ("diff",), ("config", "user.name")):
            assert git(workspace.folder, *question) == git(repository, *question) != ""
        workspace.close()

    def test_git_in_it_does_nothing_to_the_original(self, repository):
        (repository / "new.txt").write_text("new\n")
        before = content(repository), git(repository, "status", "--short"), git(repository, "branch", "-a")
        workspace = open_workspace("copy", repository, started(repository))
        git(workspace.folder, "checkout", "-q", "-b", "mine")
        git(workspace.folder, "add", "-A")
        git(workspace.folder, "commit", "-qm", "of a step")
        git(workspace.folder, "clean", "-fdxq")
        git(workspace.folder, "reset", "-q", "--hard", "HEAD~1")
        workspace.close()
        assert (content(repository), git(repository, "status", "--short"), git(repository, "branch", "-a")) == before

    def test_git_in_the_copy_of_an_ignored_folder_does_nothing_to_the_repository_around(self, repository):
        (repository / "build").mkdir()
        (repository / "build" / "x").write_text("x\n")
        workspace = open_workspace("copy", repository / "build", started(repository / "build"))
        top = git(workspace.folder, "rev-parse", "--show-toplevel").strip()
        workspace.close()
        assert top == str(workspace.folder)

    def test_our_records_and_caches_and_sockets_are_not_in_it(self, repository):
        (repository / ".gitignore").write_text("__pycache__/\n")
        (repository / "__pycache__").mkdir()
        (repository / "__pycache__" / "x.pyc").write_bytes(b"\0")
        os.mkfifo(repository / "pipe")
        workspace = open_workspace("copy", repository, started(repository))
        names = sorted(path.name for path in workspace.folder.iterdir())
        assert not {"__pycache__", "pipe", ".bridge"} & set(names)
        workspace.close()

    def test_runs_that_are_kept_in_the_open_are_not_in_it(self, repository):
        for name in ("r0", "r1"):
            (repository / "runs" / name).mkdir(parents=True)
            (repository / "runs" / name / "journal.jsonl").write_text("")
        (repository / "runs" / "notes.txt").write_text("mine\n")
        workspace = open_workspace("copy", repository, repository / "runs" / "r1")
        assert [path.name for path in (workspace.folder / "runs").iterdir()] == ["notes.txt"]
        workspace.close()

    def test_links_lead_where_they_led_but_never_back_into_the_original(self, repository, tmp_path):
        (tmp_path / "beside").mkdir()
        (tmp_path / "beside" / "b.txt").write_text("b\n")
        (repository / "whole").symlink_to(repository / "deep")
        (repository / "deep" / "out").symlink_to("../../beside")
        (repository / "out.txt").symlink_to(tmp_path / "beside" / "b.txt")
        commit(repository)
        run = started(repository)
        workspace = open_workspace("copy", repository, run)
        assert (workspace.folder / "whole").resolve() == workspace.folder / "deep"
        assert (workspace.folder / "deep" / "out").resolve() == tmp_path / "beside"
        assert str((workspace.folder / "out.txt").readlink()) == str(tmp_path / "beside" / "b.txt")
        assert workspace.warnings == (
            "links that lead out of the copy: `deep/out`; what a step changes there is changed for good",
        )
        assert workspace.finish() is None
        (workspace.folder / "whole").unlink()
        patch = workspace.finish()
        workspace.close()
        git(repository, "apply", str(patch.path))
        assert not (repository / "whole").is_symlink()

    def test_what_git_ignores_is_left_out_if_it_is_very_large(self, repository, monkeypatch):
        monkeypatch.setattr(tree_copy, "LARGEST", 100)
        (repository / "build" / "sub").mkdir(parents=True)
        (repository / "build" / "sub" / "x").write_bytes(b"x" * 101)
        (repository / "build" / "link").symlink_to("sub")
        (repository / "small.log").write_text("small\n")
        workspace = open_workspace("copy", repository, started(repository))
        assert (workspace.folder / "picture.bin").exists()
        assert (workspace.folder / "small.log").exists()
        assert not (workspace.folder / "build").exists()
        assert workspace.warnings == (
            "not in the copy, because git ignores it and it is over 1 GB or cannot be read: `build`",
        )
        workspace.close()

    def test_a_submodule_is_copied_as_files(self, repository, tmp_path):
        (tmp_path / "lib").mkdir()
        git(tmp_path / "lib", "init", "-q")
        (tmp_path / "lib" / "code.c").write_text("int x;\n")
        commit(tmp_path / "lib")
        git(repository, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(tmp_path / "lib"), "lib")
        commit(repository)
        workspace = open_workspace("copy", repository, started(repository))
        (workspace.folder / "lib" / "code.c").write_text("int y;\n")
        patch = workspace.finish()
        workspace.close()
        git(repository, "apply", str(patch.path))
        assert (repository / "lib" / "code.c").read_text() == "int y;\n"

    def test_what_cannot_be_read_is_named_and_nothing_is_left(self, repository, nobody):
        run = started(repository)
        (repository / "deep" / "shut").write_text("x")
        (repository / "deep" / "shut").chmod(0)
        assert refusal("copy", repository, run) == (
            f"the workspace cannot be made: `{repository}/deep/shut`: permission denied"
            " | make it readable for you, or let git ignore it: then it is left out"
        )
        assert sorted(path.name for path in run.iterdir()) == ["journal.jsonl", "workspace.lock"]

    def test_what_git_ignores_and_cannot_be_read_is_left_out(self, repository, nobody):
        (repository / "build" / "shut").mkdir(parents=True)
        (repository / "build" / "shut").chmod(0)
        (repository / "shut.log").write_text("x")
        (repository / "shut.log").chmod(0)
        workspace = open_workspace("copy", repository, started(repository))
        assert workspace.warnings == (
            "not in the copy, because git ignores it and it is over 1 GB or cannot be read: `shut.log`, `build/shut`",
        )
        workspace.close()
        (repository / "build" / "shut").chmod(0o700)

    def test_without_git_there_is_none(self, tmp_path, monkeypatch):
        run = started(tmp_path)
        monkeypatch.setenv("PATH", str(tmp_path))
        assert refusal("copy", tmp_path, run) == (
            "the workspace cannot be made: git is not installed, or not on PATH"
            " | install git; the patch at the end is made with it"
        )


class TestWorktree:
    def test_it_holds_the_last_commit_and_says_what_it_does_not(self, repository):
        (repository / "a.txt").write_text("mine\n")
        (repository / "new.txt").write_text("new\n")
        workspace = open_workspace("worktree", repository, started(repository))
        assert (workspace.folder / "a.txt").read_text() == "one\ntwo\nthree\n"
        assert workspace.warnings == ("2 changes are not committed and so not in the worktree: `a.txt`, `new.txt`",)
        workspace.close()

    def test_our_own_records_are_no_changes(self, repository):
        run = repository / "runs" / "r1"
        run.mkdir(parents=True)
        workspace = open_workspace("worktree", repository, run)
        assert workspace.warnings == ()
        workspace.close()

    def test_submodules_are_told_of(self, repository):
        (repository / ".gitmodules").write_text("")
        commit(repository)
        workspace = open_workspace("worktree", repository, started(repository))
        assert workspace.warnings == ("submodules are empty in a worktree; `git submodule update --init` fills them",)
        workspace.close()

    def test_nothing_of_it_stays_but_the_patch(self, repository):
        run = started(repository)
        workspace = open_workspace("worktree", repository, run)
        assert git(repository, "worktree", "list").count("\n") == 2
        (workspace.folder / "a.txt").write_text("x\n")
        (workspace.folder / "deep").chmod(0o555)
        workspace.finish()
        workspace.close()
        workspace.close()
        assert git(repository, "worktree", "list").count("\n") == 1
        assert not (repository / ".git" / "worktrees").exists()
        assert not workspace.top.exists()
        assert (run / "changes.patch").exists()

    def test_new_objects_do_not_reach_the_repository(self, repository):
        workspace = open_workspace("worktree", repository, started(repository))
        (workspace.folder / "new").write_text("new\n")
        workspace.finish()
        workspace.close()
        assert git(repository, "fsck", "--unreachable") == ""

    def test_outside_of_git_there_is_none(self, tmp_path):
        assert refusal("worktree", tmp_path, started(tmp_path)) == (
            f"`workspace: worktree` needs a git repository, and `{tmp_path}` is in none"
            " | write `workspace: copy`, which needs none"
        )

    def test_without_a_commit_there_is_none(self, tmp_path):
        git(tmp_path, "init", "-q")
        assert refusal("worktree", tmp_path, started(tmp_path)) == (
            f"`workspace: worktree` works on the last commit, and `{tmp_path}` has none yet"
            " | commit something, or write `workspace: copy`"
        )

    def test_of_a_folder_that_is_not_committed_there_is_none(self, repository):
        (repository / "fresh").mkdir()
        assert refusal("worktree", repository / "fresh", started(repository / "fresh")) == (
            "the folder `fresh/` where bridge-run was started is not in the last commit"
            " | commit it, or write `workspace: copy`"
        )

    def test_in_a_bare_repository_there_is_none(self, tmp_path):
        git(tmp_path, "init", "-q", "--bare")
        assert "is in none" in refusal("worktree", tmp_path, started(tmp_path))

    def test_without_git_there_is_none(self, repository, monkeypatch):
        run = started(repository)
        monkeypatch.setenv("PATH", str(repository))
        assert refusal("worktree", repository, run).startswith(
            "the workspace cannot be made: git is not installed, or not on PATH | "
        )

    def test_of_a_worktree_there_can_be_one(self, repository, tmp_path):
        git(repository, "worktree", "add", "-q", "--detach", str(tmp_path / "mine"))
        workspace = open_workspace("worktree", tmp_path / "mine", started(tmp_path / "mine"))
        (workspace.folder / "a.txt").write_text("x\n")
        patch = workspace.finish()
        workspace.close()
        git(tmp_path / "mine", "apply", str(patch.path))
        assert (tmp_path / "mine" / "a.txt").read_text() == "x\n"
        assert git(repository, "worktree", "list").count("\n") == 2

    def test_branches_of_steps_stay(self, repository):
        workspace = open_workspace("worktree", repository, started(repository))
        git(workspace.folder, "checkout", "-q", "-b", "mine")
        workspace.close()
        assert "mine" in git(repository, "branch")


def in_process(script, folder):
    """The script as a process of its own, which may be killed."""
    text = textwrap.dedent("""
        import sys, time
        from pathlib import Path
        from runner.edges.workspace.workspace import open_workspace
    """) + textwrap.dedent(script)
    return subprocess.Popen([sys.executable, "-c", text], cwd=folder, stdout=subprocess.PIPE, text=True)


KILLED = """
    workspace = open_workspace(sys.argv[1] if sys.argv[1:] else "worktree", Path.cwd(), Path(".bridge/runs/r1"))
    (workspace.folder / "a.txt").write_text("half done\\n")
    print("ready", flush=True)
    time.sleep(300)
"""


class TestEnds:
    def test_what_a_killed_run_left_is_removed_by_the_next_and_its_changes_are_saved(self, repository):
        first = started(repository)
        killed = in_process(KILLED, repository)
        with killed:
            assert killed.stdout.readline() == "ready\n"
            beside = open_workspace("worktree", repository, started(repository, "r2"))  # while it is alive
            assert git(repository, "worktree", "list").count("\n") == 3
            killed.kill()
        beside.close()
        workspace = open_workspace("worktree", repository, started(repository, "r3"))
        assert git(repository, "worktree", "list").count("\n") == 2
        assert workspace.warnings == (f"an earlier run was killed; what it had changed is in `{first}/changes.patch`",)
        workspace.close()
        again = open_workspace("worktree", repository, first)  # its run is resumed
        assert (again.folder / "a.txt").read_text() == "half done\n"
        assert again.finish().files == 1
        again.close()

    def test_a_worktree_whose_run_was_removed_by_hand_is_forgotten(self, repository):
        started(repository)
        killed = in_process(KILLED, repository)
        with killed:
            killed.stdout.readline()
            killed.kill()
        shutil.rmtree(repository / ".bridge")
        open_workspace("worktree", repository, started(repository, "r2")).close()
        assert git(repository, "worktree", "list").count("\n") == 1

    def test_a_worktree_of_somebody_else_stays(self, repository, tmp_path):
        git(repository, "worktree", "add", "-q", "--detach", str(tmp_path / "usb"))
        shutil.rmtree(tmp_path / "usb")
        open_workspace("worktree", repository, started(repository)).close()
        assert git(repository, "worktree", "list").count("\n") == 2

    def test_changes_of_a_killed_run_that_cannot_be_saved_stay_where_they_are(self, repository):
        first = started(repository)
        killed = in_process(KILLED, repository)
        with killed:
            killed.stdout.readline()
            killed.kill()
        (first / "changes.patch").mkdir()
        workspace = open_workspace("worktree", repository, started(repository, "r2"))
        workspace.close()
        [warning] = workspace.warnings
        assert warning.startswith(f"an earlier run left the worktree `{first}/workspace`: cannot write ")
        assert (first / "workspace" / "a.txt").read_text() == "half done\n"

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_run_that_pauses_finds_its_workspace_again(self, kind, repository):
        run = started(repository)
        workspace = open_workspace(kind, repository, run)
        (workspace.folder / "a.txt").write_text("so far\n")
        workspace.close(keep=True)
        open_workspace("worktree", repository, started(repository, "r2")).close()
        again = open_workspace(kind, repository, run)
        assert again.folder == workspace.folder
        assert (again.folder / "a.txt").read_text() == "so far\n"
        assert again.finish().files == 1
        again.close()

    def test_a_copy_that_is_gone_is_told(self, repository):
        run = started(repository)
        open_workspace("copy", repository, run).close()
        assert refusal("copy", repository, run) == (
            f"the workspace of this run, `{run}/workspace`, is gone | start the workflow anew"
        )

    @pytest.mark.parametrize("kind", KINDS)
    def test_two_programs_cannot_have_the_same(self, kind, repository):
        run = started(repository)
        workspace = open_workspace(kind, repository, run)
        assert refusal(kind, repository, run) == "the workspace of this run is used by another bridge-run | None"
        assert (workspace.folder / "a.txt").exists()
        workspace.close()

    @pytest.mark.parametrize("kind", KINDS)
    def test_it_stops_when_asked_and_leaves_nothing(self, kind, repository):
        run = started(repository)
        stop = threading.Event()
        stop.set()
        with pytest.raises(Stopped):
            open_workspace(kind, repository, run, stop=stop)
        assert sorted(path.name for path in run.iterdir() if path.name != "workspace.lock") == ["journal.jsonl"]
        assert git(repository, "worktree", "list").count("\n") == 1

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_cancelled_opening_leaves_nothing(self, kind, repository):
        for number in range(2000):
            (repository / f"many-{number}").write_text("x")
        commit(repository)
        run = started(repository)

        async def story():
            opening = asyncio.ensure_future(opened_workspace(kind, repository, run))
            while not list(run.glob("workspace*")):  # noqa: ASYNC110  of a disk, no event
                await asyncio.sleep(0.001)
            opening.cancel()
            await asyncio.sleep(0)
            opening.cancel()
            with pytest.raises(asyncio.CancelledError):
                await opening

        asyncio.run(story())
        assert not (run / "workspace").exists()
        assert not (run / "workspace.part").exists()
        assert git(repository, "worktree", "list").count("\n") == 1

    def test_opened_in_a_thread(self, repository):
        workspace = asyncio.run(opened_workspace("copy", repository, started(repository)))
        assert content(workspace.folder) == content(repository)
        workspace.close()

    def test_control_c_in_mid_copy_leaves_nothing(self, repository):
        run = started(repository)
        for number in range(3000):
            (repository / f"many-{number}").write_text("x")
        process = in_process('open_workspace("copy", Path.cwd(), Path(".bridge/runs/r1"))', repository)
        with process:
            wait_until(lambda: (run / "workspace.part").exists(), "the copy has begun")
            process.send_signal(signal.SIGINT)
            process.wait()
        assert sorted(path.name for path in run.iterdir()) == ["journal.jsonl", "workspace.lock"]


class TestSurroundings:
    @pytest.mark.parametrize("kind", KINDS)
    def test_variables_of_git_do_not_lead_elsewhere(self, kind, repository, tmp_path, monkeypatch):
        other = tmp_path / "other"
        other.mkdir()
        git(other, "init", "-q")
        monkeypatch.setenv("GIT_DIR", str(other / ".git"))
        monkeypatch.setenv("GIT_WORK_TREE", str(other))
        monkeypatch.setenv("GIT_INDEX_FILE", str(other / "index"))
        workspace = open_workspace(kind, repository, started(repository))
        (workspace.folder / "a.txt").write_text("x\n")
        assert workspace.finish().files == 1
        workspace.close()
        assert sorted(path.name for path in other.iterdir()) == [".git"]

    def test_an_environment_for_steps_keeps_who_but_not_where(self):
        given = {"GIT_DIR": "/x", "GIT_PREFIX": "s/", "GIT_AUTHOR_NAME": "a", "PATH": "/bin"}
        assert without_place(given) == {"GIT_AUTHOR_NAME": "a", "PATH": "/bin"}

    def test_what_git_says_is_handed_on(self, tmp_path):
        with pytest.raises(GitError, match=r"^not a git repository"):
            Git(tmp_path).text("status")
        with pytest.raises(GitError, match=r"^the folder `.*nowhere` does not exist$"):
            Git(tmp_path / "nowhere").text("status")
        with pytest.raises(GitError, match=r"^`git config` ended with exit code 1$"):
            Git(tmp_path).text("config", "no.such")


@pytest.fixture
def nobody():
    """Root may read everything; whoever is not root, reads what is shut no more than anybody."""
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
