"""The built-in files as a model sees them: what is asked, what is answered, what is refused and why."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from kit.servers import Workbench

from runner.edges.files.confine import Confined
from runner.words.errors import StepError, ToolServerError
from runner.workflow.model import Server

OUTSIDE = "leads outside the folder of this tool; use paths relative to it, such as `src/a.py`"


@pytest.fixture
def root(tmp_path) -> Path:
    """A small project with a way out: a link to a folder beside it."""
    root = tmp_path / "project"
    (root / "src" / "deep").mkdir(parents=True)
    (root / ".git").mkdir()
    (root / ".git" / "config").write_text("return\n")
    (root / "node_modules").mkdir()
    (root / "src" / "a.py").write_text("def f():\n    return 1\n\n\ndef g():\n    return 1\n")
    (root / "src" / "deep" / "b.py").write_text("print('b')\n")
    (root / "notes.md").write_text("return to sender\n")
    (tmp_path / "secret.txt").write_text("password\n")
    (tmp_path / "beside").mkdir()
    (root / "out").symlink_to(tmp_path / "beside")
    (root / "inner").symlink_to("src")
    return root


@pytest.fixture
def ask(root):
    """Calls a tool: the text, with ``ERROR: `` before one that is an error."""
    box = Workbench(root).box(Server(name="files", path=(), builtin="files", root=".", write=True))

    def _ask(tool: str, **arguments) -> str:
        result = asyncio.run(box.call(tool, arguments))
        return f"ERROR: {result.text}" if result.is_error else result.text

    return _ask


def make(folder: Path, **keys):
    return Workbench(folder).box(Server(name="files", path=(), builtin="files", **keys))


def test_only_reading_tools_are_offered_unless_the_file_says_write(root):
    box = make(root)
    assert [tool.name for tool in box.tools] == ["list", "read", "search"]
    refused = asyncio.run(box.call("write", {"path": "x", "content": "y"}))
    assert refused.is_error
    assert refused.text == "there is no tool `write` here, only list, read, search"
    assert [tool.name for tool in make(root, write=True).tools] == ["edit", "list", "read", "search", "write"]


@pytest.mark.parametrize(("where", "problem"), [("nowhere", "does not exist"), ("notes.md", "is not a folder")])
def test_a_root_that_is_no_folder(root, where, problem):
    with pytest.raises(ToolServerError) as caught:
        asyncio.run(make(root, root=where).start())
    assert caught.value.message == f"the root of server `files` {problem}: {root / where}"


def test_the_box_costs_no_import_of_mcp():
    program = (
        "import sys; from runner.edges.toolbox import make_toolbox; "
        "print([name for name in ('mcp', 'mcp_types', 'httpx2', 'asyncio', 'anyio') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


class TestList:
    def test_shows_three_levels_without_hidden_and_filled_folders(self, ask):
        lines = ask("list").splitlines()
        assert [line.split(" ")[0] for line in lines] == [
            "inner",
            "notes.md",
            "out",
            "src/",
            "src/a.py",
            "src/deep/",
            "src/deep/b.py",
        ]

    def test_depth_and_path(self, ask):
        assert ask("list", path="src", depth=1) == "src/a.py (46 B)\nsrc/deep/"

    @pytest.mark.parametrize("glob", ["*.py", "**/*.py", "src/**/*.py", "src/**", "*.{py,txt}", "[a-b].py", "?.py"])
    def test_globs(self, ask, glob):
        assert ask("list", glob=glob) == "src/a.py (46 B)\nsrc/deep/b.py (11 B)"

    def test_globs_that_find_less(self, ask):
        assert ask("list", glob="src/*.py") == "src/a.py (46 B)"
        assert ask("list", glob="[!a].py") == "src/deep/b.py (11 B)"
        assert ask("list", glob="*.rs") == "[no file matches]"

    def test_refusals(self, ask):
        assert ask("list", path="nope") == "ERROR: `nope` does not exist; use list to see what does"
        assert ask("list", path="notes.md") == (
            "ERROR: `notes.md` is a file, not a folder; use read to see what is in it"
        )
        assert ask("list", path="out") == f"ERROR: `out` {OUTSIDE}"
        assert ask("list", depth=0) == "ERROR: `depth` must be a whole number from 1 on"


class TestRead:
    def test_the_whole_file_is_just_its_text(self, ask):
        assert ask("read", path="src/deep/b.py") == "print('b')\n"

    def test_a_range_has_a_header(self, ask):
        assert ask("read", path="src/a.py", start=5) == ("[src/a.py, lines 5-6 of 6]\ndef g():\n    return 1")
        assert ask("read", path="src/a.py", start=2, end=2) == "[src/a.py, lines 2-2 of 6]\n    return 1"

    def test_links_and_absolute_paths_inside_are_fine(self, ask, root):
        assert ask("read", path="inner/deep/../deep/b.py") == "print('b')\n"
        assert ask("read", path=str(root / "src" / "deep" / "b.py")) == "print('b')\n"

    @pytest.mark.parametrize(
        "path", ["../secret.txt", "src/../../secret.txt", "out/x", "/etc/passwd", "inner/../../secret.txt"]
    )
    def test_nothing_outside(self, ask, path):
        assert ask("read", path=path) == f"ERROR: `{path}` {OUTSIDE}"

    def test_refusals(self, ask, root):
        (root / "image.png").write_bytes(b"\x89PNG\0\0")
        os.mkfifo(root / "pipe")
        with (root / "big.txt").open("wb") as big:
            big.truncate(10 * 1024 * 1024 + 1)
        assert ask("read", path="image.png") == "ERROR: `image.png` is a binary file, not text"
        assert ask("read", path="pipe") == "ERROR: `pipe`: it is no regular file"
        assert ask("read", path="big.txt") == "ERROR: `big.txt`: it is larger than 10 MB"
        assert ask("read", path="src") == ("ERROR: `src` is a folder, not a file; use list to see what is in it")
        assert ask("read", path="src/a.py/x") == "ERROR: `src/a.py` goes through something that is no folder"
        assert ask("read", path="src/a.py", start=7) == "ERROR: src/a.py has 6 lines, so there is no line 7"
        assert ask("read", path="src/a.py", start=4, end=2) == (
            "ERROR: lines 4 to 2 make no range; lines count from 1, and `end` is included"
        )
        assert ask("read") == "ERROR: `path` must be given, as a string"
        assert ask("read", path="a\0b") == "ERROR: a path cannot hold a NUL character"

    def test_a_folder_that_becomes_a_link_after_the_look_is_not_followed(self, root, tmp_path):
        (tmp_path / "beside" / "a.py").write_text("password\n")
        room = Confined(root)
        parts = room.locate("src/a.py")
        (root / "src").rename(root / "moved")
        (root / "src").symlink_to(tmp_path / "beside")
        with pytest.raises(StepError, match="`src` goes through something that is no folder"):
            room.read_bytes(parts)

    def test_a_file_that_becomes_a_link_after_the_look_is_not_followed(self, root, tmp_path):
        room = Confined(root)
        parts = room.locate("notes.md")
        (root / "notes.md").unlink()
        (root / "notes.md").symlink_to(tmp_path / "secret.txt")
        with pytest.raises(StepError, match=r"`notes\.md` became a symbolic link while it was opened; refused"):
            room.read_bytes(parts)


class TestSearch:
    def test_plain_text_in_the_order_of_the_files(self, ask):
        assert ask("search", pattern="return") == (
            "notes.md:1: return to sender\nsrc/a.py:2:     return 1\nsrc/a.py:6:     return 1"
        )

    def test_glob_path_and_max(self, ask):
        assert ask("search", pattern="return", glob="*.md") == "notes.md:1: return to sender"
        assert ask("search", pattern="print", path="src/deep/b.py") == "src/deep/b.py:1: print('b')"
        assert ask("search", pattern="return", max=1) == (
            "notes.md:1: return to sender\n"
            "[only the first 1 matches: narrow `path` or `glob`, or raise `max` (at most 1000)]"
        )

    def test_expressions(self, ask):
        assert ask("search", pattern=r"def \w\(", regex=True) == "src/a.py:1: def f():\nsrc/a.py:5: def g():"
        assert ask("search", pattern=r"(ret)+urn\s+to\s+", regex=True) == "notes.md:1: return to sender"

    def test_nothing_found_says_why_perhaps(self, ask):
        assert ask("search", pattern="xyzzy") == "[nothing found]"
        assert ask("search", pattern=r"def \w") == (
            "[nothing found: `pattern` was taken as plain text; set `regex` to true if it is an expression]"
        )

    def test_an_expression_that_never_ends_is_stopped(self, ask, root, monkeypatch):
        (root / "evil.txt").write_text("a" * 60 + "!\n")
        monkeypatch.setattr("runner.edges.files.search.SECONDS", 1.0)
        for pattern in ("(a+)+$", "(a|a)*$", "(a|aa)+$"):
            assert ask("search", pattern=pattern, regex=True) == (
                f"ERROR: `{pattern}` took longer than 1 s and was stopped; use a simpler expression"
            )

    def test_refusals(self, ask):
        assert ask("search", pattern="(", regex=True) == (
            "ERROR: `(` is no regular expression: missing ), unterminated subpattern at position 0; "
            "or set `regex` to false"
        )
        assert ask("search", pattern="") == "ERROR: `pattern` is empty; give the text to look for"
        assert ask("search", pattern="x", path="../") == f"ERROR: `../` {OUTSIDE}"


class TestWrite:
    def test_a_new_file_and_its_folders(self, ask, root):
        assert ask("write", path="new/er/x.txt", content="one\ntwo\n") == "created new/er/x.txt (2 lines)"
        assert (root / "new/er/x.txt").read_text() == "one\ntwo\n"

    def test_an_old_file_answers_with_a_diff_and_keeps_its_mode(self, ask, root):
        (root / "notes.md").chmod(0o750)
        assert ask("write", path="notes.md", content="gone") == (
            "--- a/notes.md\n+++ b/notes.md\n@@ -1 +1 @@\n-return to sender\n+gone\n\\ No newline at end of file"
        )
        assert (root / "notes.md").stat().st_mode & 0o777 == 0o750
        assert sorted(path.name for path in root.iterdir() if "tmp" in path.name) == []

    def test_the_same_content_again(self, ask):
        assert ask("write", path="notes.md", content="return to sender\n") == (
            "notes.md is unchanged: it held exactly this already"
        )

    @pytest.mark.parametrize("path", ["../x", "out/x", "/tmp/x-of-bridge-run"])
    def test_nothing_outside(self, ask, path, tmp_path):
        assert ask("write", path=path, content="x") == f"ERROR: `{path}` {OUTSIDE}"
        assert list((tmp_path / "beside").iterdir()) == []

    def test_refusals(self, ask, root):
        (root / "image.png").write_bytes(b"\x89PNG\0\0")
        assert ask("write", path="image.png", content="x") == "ERROR: `image.png` is a binary file, not text"
        assert ask("write", path=".git/hooks/pre-commit", content="x") == (
            "ERROR: `.git/hooks/pre-commit` cannot be changed: nothing inside `.git` may be"
        )
        assert ask("write", path=".", content="x") == "ERROR: `.` is the folder itself; name a file in it"
        assert ask("write", path="src", content="x") == (
            "ERROR: `src` is a folder, not a file; use list to see what is in it"
        )


class TestEdit:
    @pytest.mark.parametrize("path", [".GIT/hooks/x", "src/.Git/config", ".Bridge/runs/x"])
    def test_what_runs_by_itself_is_kept_however_it_is_spelled(self, ask, root, path):
        """On a file system that ignores case these are the same folders."""
        kept = next(part for part in path.split("/") if part.casefold() in (".git", ".bridge"))
        assert ask("write", path=path, content="x") == (
            f"ERROR: `{path}` cannot be changed: nothing inside `{kept}` may be"
        )
        assert not (root / path).exists()

    def test_one_exact_place(self, ask, root):
        assert ask("edit", path="src/a.py", old="def g():\n    return 1", new="def g():\n    return 2") == (
            "--- a/src/a.py\n+++ b/src/a.py\n@@ -3,4 +3,4 @@\n \n \n def g():\n-    return 1\n+    return 2"
        )
        assert (root / "src/a.py").read_text() == "def f():\n    return 1\n\n\ndef g():\n    return 2\n"

    def test_windows_lines_and_the_byte_order_mark_stay(self, ask, root):
        (root / "win.txt").write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\nthree\r\n")
        assert not ask("edit", path="win.txt", old="one\ntwo", new="1\n2").startswith("ERROR")
        assert (root / "win.txt").read_bytes() == b"\xef\xbb\xbf1\r\n2\r\nthree\r\n"

    def test_mixed_lines_and_latin_1_stay(self, ask, root):
        (root / "old.txt").write_bytes(b"caf\xe9\r\nx\ny\r\n")
        assert not ask("edit", path="old.txt", old="x", new="z").startswith("ERROR")
        assert (root / "old.txt").read_bytes() == b"caf\xe9\r\nz\ny\r\n"

    def test_refused_when_it_stands_in_several_places(self, ask, root):
        before = (root / "src/a.py").read_text()
        assert ask("edit", path="src/a.py", old="return 1", new="return 2") == (
            "ERROR: `old` stands 2 times in src/a.py, beginning on lines 2, 6; "
            "nothing was changed; add lines around it until it is unique"
        )
        assert (root / "src/a.py").read_text() == before

    def test_refused_when_it_does_not_stand_there(self, ask):
        assert ask("edit", path="src/a.py", old="nowhere", new="x") == (
            "ERROR: `old` does not stand in src/a.py; read the file and copy the text exactly; nothing was changed"
        )
        assert ask("edit", path="src/a.py", old="def g():\n  return 1", new="x") == (
            "ERROR: `old` does not stand in src/a.py, but with other white space from line 5 on: "
            "read these lines and copy them exactly; nothing was changed"
        )
        assert ask("edit", path="src/a.py", old="def g():\n    return 9", new="x") == (
            "ERROR: `old` does not stand in src/a.py; its first line is found on line 5, but what follows differs: "
            "read it again; nothing was changed"
        )

    def test_refusals(self, ask):
        assert ask("edit", path="notes.md", old="", new="x") == (
            "ERROR: `old` is empty; give the exact text to replace, or use write for a whole file"
        )
        assert ask("edit", path="notes.md", old="to", new="to") == (
            "ERROR: `old` and `new` are the same; nothing would change"
        )
        assert ask("edit", path="nope", old="a", new="b") == "ERROR: `nope` does not exist; use list to see what does"
        assert ask("edit", path="../secret.txt", old="a", new="b") == f"ERROR: `../secret.txt` {OUTSIDE}"
        assert ask("edit", path="notes.md", old="a") == "ERROR: `new` must be given, as a string"

    def test_a_change_deep_in_a_long_file_is_numbered_right(self, ask, root):
        (root / "long.txt").write_text("".join(f"{n}\n" for n in range(1, 20_001)))
        assert ask("edit", path="long.txt", old="\n15000\n", new="\nx\n") == (
            "--- a/long.txt\n+++ b/long.txt\n@@ -14997,7 +14997,7 @@\n"
            " 14997\n 14998\n 14999\n-15000\n+x\n 15001\n 15002\n 15003"
        )
