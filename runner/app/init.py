"""``bridge-run init``: the files of a first project, next to what is there already."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import chdir
from pathlib import Path
from typing import Literal

from runner import __version__
from runner.app import templates
from runner.app.check.check import check
from runner.app.check.report import tell_report
from runner.app.console import say, tell
from runner.app.request import CheckRequest
from runner.edges.config.file import FILE, project_file
from runner.edges.replace_file import replace_file
from runner.words.errors import BridgeError, UsageError
from runner.words.exits import Exit
from runner.words.noun import noun
from runner.workflow.schema import schema_text

Ci = Literal["github", "gitlab", "none"]
_WORKFLOW = "workflows/hello.yaml"
_TEST = "workflows/hello.test.yaml"


@noun
class InitRequest:
    """``folder`` is made if it is not there; ``ci`` says whose CI file is written; ``lock``: ask servers for that."""

    folder: str = "."
    ci: Ci = "github"
    lock: bool = True
    colour: bool = True


def init(request: InitRequest, environment: Mapping[str, str]) -> int:
    """Write what is not there yet, check it, and say what to do next; the exit code is that of the check.

    Nothing that is there is written over or put out of work; ``.gitignore`` gets one more line.

    Raises:
        UsageError: a file cannot be written.
    """
    folder = Path(request.folder)
    settings = project_file(environment, request.folder)
    for name, text in _files(request.ci).items():
        why = _not_ours(folder, name, settings)
        say(f"left     {folder / name}  ({why})" if why else _write(folder, name, text))
    say(_ignore(folder))
    with chdir(folder):
        asked = CheckRequest(paths=(_WORKFLOW,), offline=True, strict=True, colour=request.colour)
        report = check(asked, environment)
        if report.exit_code != Exit.OK:
            return tell_report(report, asked, environment)
        if request.lock:
            tell(_lock(environment))
    tell(_unread(folder, request.ci) + _next(request.folder))
    return Exit.OK


def _files(ci: Ci) -> dict[str, str]:
    """Every file with its text, in the order in which they are written."""
    schemas = {f"{templates.SCHEMA_FOLDER}/{name}.schema.json": schema_text(name) for name in ("workflow", "test")}
    return {
        _WORKFLOW: templates.WORKFLOW,
        _TEST: templates.TEST,
        **schemas,
        FILE: templates.CONFIGURATION,
        **dict(_ci_file(ci)),
    }


def _not_ours(folder: Path, name: str, settings: Path | None) -> str:
    """Why a file would do harm although it is not there, empty if it would not."""
    if (folder / name).exists():
        return ""
    if name == FILE and settings is not None:
        shown = os.path.relpath(settings, folder)
        return f"{shown} has the settings, and would not be read any more"
    if name == _TEST:
        try:
            ours = (folder / _WORKFLOW).read_bytes() == templates.WORKFLOW.encode()
        except OSError:
            ours = True  # told where it is written or checked
        return "" if ours else f"{folder / _WORKFLOW} is not the one that it tests"
    return ""


def _unread(folder: Path, ci: Ci) -> str:
    """What to do with a CI file below the root of a repository, where nobody reads it."""
    start = folder.absolute()
    root = next((place for place in (start, *start.parents) if (place / ".git").exists()), start)
    names = [name for name, _ in _ci_file(ci)]
    if root == start or not names:
        return ""
    below = start.relative_to(root)
    return (
        f"\n{folder / names[0]} is read at the root of the repository only: move it there, as "
        f"{os.path.relpath(root / names[0])}, and let its commands begin with `cd {shlex.quote(str(below))}`\n"
    )


def _ci_file(ci: Ci) -> Iterator[tuple[str, str]]:
    if ci == "github":
        yield ".github/workflows/bridge-run.yml", templates.GITHUB.replace("VERSION", __version__)
    if ci == "gitlab":
        yield ".gitlab-ci.yml", templates.GITLAB.replace("VERSION", __version__)


def _write(folder: Path, name: str, text: str) -> str:
    """What became of the file, in a line."""
    path = folder / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text if text.endswith("\n") else text + "\n")
    except FileExistsError:
        if not path.parent.is_dir():
            raise _unwritable(path, "a file is in the way of its folder") from None
        return f"left     {path}  (it is there already)"
    except OSError as error:
        raise _unwritable(path, error.strerror or str(error)) from error
    return f"wrote    {path}"


def _ignore(folder: Path) -> str:
    path = folder / ".gitignore"
    line = templates.IGNORED
    try:
        text = path.read_bytes().decode()  # its line ends stay
    except FileNotFoundError:
        return _write(folder, ".gitignore", line)
    except (OSError, ValueError) as error:
        raise _unwritable(path, str(getattr(error, "strerror", None) or error)) from error
    if any(one.strip().strip("/") == line.strip("/") for one in text.splitlines()):
        return f"left     {path}  (it has the line `{line}`)"
    end = "\r\n" if "\r\n" in text else "\n"
    gap = "" if not text or text.endswith("\n") else end
    replace_file(str(path), (text + gap + line + end).encode())
    return f"changed  {path}  (one more line: `{line}`)"


def _unwritable(path: Path, why: str) -> UsageError:
    return UsageError(f"cannot write `{path}`: {why}", hint="`bridge-run init FOLDER` names another place")


def _lock(environment: Mapping[str, str]) -> str:
    """Write the lock file if the model servers can be asked; what became of it."""
    if Path("bridge.lock").exists():
        return "left     bridge.lock  (it is there already)"
    from runner.app.lock.lock import LockRequest, lock

    try:
        lock(LockRequest(paths=("workflows",), file="bridge.lock"), environment)
    except BridgeError:
        return "no bridge.lock yet: write it with `bridge-run lock` where a model server runs with a model loaded"
    return ""


def _next(folder: str) -> str:
    go = "" if folder == "." else f"  cd {shlex.quote(folder)}\n"
    return (
        f"\nNow:\n{go}"
        "  bridge-run test                      the tests; no model is needed\n"
        "  bridge-run workflows/hello.yaml      the workflow, on the model that your server has loaded\n"
        "  bridge-run check                     after every change of a workflow"
    )
