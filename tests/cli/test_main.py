"""The door of the command line, as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "runner.cli.main"]
HEAVY = ("yaml", "httpx", "mcp", "jsonschema", "jsonschema_rs", "rich", "jinja2", "asyncio", "importlib.metadata")
USAGE = "Usage: bridge-run [OPTIONS] COMMAND [ARGS]...\nTry 'bridge-run --help' for help.\n\nError: "


def run(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR")}
    checkout = str(Path(__file__).parents[2])
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=cwd,
        env={**kept, "PYTHONPATH": checkout, **environment},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )


def test_help_imports_no_verb_and_nothing_heavy(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from runner.cli.main import exit_code_of\n"
        "code = exit_code_of(['--help'])\n"
        f"heavy = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "ours = sorted(name for name in sys.modules if name.startswith('runner'))\n"
        "print(code, heavy, ours, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60
    )
    assert done.stderr == "0 [] ['runner', 'runner.cli', 'runner.cli.main', 'runner.cli.verbs']\n"
    assert done.stdout.startswith("Usage: bridge-run [OPTIONS] COMMAND [ARGS]...")


def test_help_names_every_verb_and_each_verb_has_help(tmp_path: Path) -> None:
    overview = run("--help", cwd=tmp_path).stdout
    for verb in ("run", "check", "explain", "schema", "simulate"):
        assert f"\n  {verb} " in overview
        done = run(verb, "--help", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"Usage: bridge-run {verb} ")


def test_version(tmp_path: Path) -> None:
    assert run("--version", cwd=tmp_path).stdout == "bridge-run, version 0.1.0\n"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("chekc", "there is no command and no file `chekc`; did you mean `check`?"),
        ("hello", "there is no command and no file `hello`; did you mean `workflows/hello.yaml`?"),
        ("workflows/h.yml", "there is no command and no file `workflows/h.yml`; did you mean `workflows/hello.yaml`?"),
        ("replay", "there is no command and no file `replay`; that is an option: `bridge-run FILE --replay`"),
        ("validate", "there is no command and no file `validate`; here it is `bridge-run check`"),
        ("logs", "there is no command and no file `logs`; each run has a folder in `.bridge/runs`"),
        ("zzz", "there is no command and no file `zzz`; `bridge-run --help` lists the commands"),
    ],
)  # fmt: skip
def test_a_word_that_is_neither_a_command_nor_a_file(tmp_path: Path, word: str, said: str) -> None:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "hello.yaml").write_text("version: 1\n")
    done = run(word, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"{USAGE}{said}\n")


def test_an_option_before_the_file_belongs_to_run(tmp_path: Path) -> None:
    done = run("--dry-runn", "x.yaml", cwd=tmp_path)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        2,
        "Error: No such option '--dry-runn'. Did you mean '--dry-run'?",
    )


def test_options_of_a_dry_run_make_no_sense_without_one(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("")
    done = run("x.yaml", "--offline", cwd=tmp_path)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, "Error: `--offline` belongs to `--dry-run`")


def test_a_file_that_is_not_there_and_a_folder(tmp_path: Path) -> None:
    (tmp_path / "hello.yaml").write_text("")
    assert run("run", "helo.yaml", cwd=tmp_path).stderr == (
        "error: there is no file `helo.yaml`\n  = help: did you mean `hello.yaml`?\n"
    )
    done = run(".", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        2,
        "error: `.` is a folder\n  = help: name one file; `bridge-run check .` checks them all\n",
    )


def test_a_bug_leaves_a_file_to_paste_and_exit_code_70(tmp_path: Path) -> None:
    program = (
        "from runner.cli import main\n"
        "from runner.cli.verbs import VERBS, Verb\n"
        "VERBS['run'] = Verb('no_such_module', 'broken')\n"
        "main.main(['run', '--input=private=1'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    (story,) = tmp_path.glob("bridge-run-bug-*.txt")
    assert (done.returncode, done.stderr) == (
        70,
        "error: a bug in bridge-run: ModuleNotFoundError: No module named 'no_such_module'\n"
        f"  the whole story is in {story}\n"
        "  help: please report it with that file, after a look for what is private\n",
    )
    text = story.read_text()
    assert "Traceback (most recent call last)" in text
    assert "options: --input\n" in text
    assert "private" not in text.partition("Traceback")[0]


def test_a_reader_that_goes_away_hears_nothing_more(tmp_path: Path) -> None:
    checkout = str(Path(__file__).parents[2])
    line = f'"{sys.executable}" -m runner.cli.main schema | head -c 1; echo " ${{PIPESTATUS[0]}}"'
    done = subprocess.run(
        ["bash", "-c", line], cwd=checkout, capture_output=True, text=True, timeout=60
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("{ 0\n", "")


def test_any_text_can_be_said_whatever_the_locale(tmp_path: Path) -> None:
    done = run("né😀", cwd=tmp_path, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", PYTHONIOENCODING="ascii")
    assert done.returncode == 2
    assert "there is no command and no file" in done.stderr
