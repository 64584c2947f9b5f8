"""The workflow files that a command line means."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from runner.words.errors import UsageError
from runner.words.suggest import did_you_mean

ENDINGS = (".yaml", ".yml")
SCRIPTS = (".sim.yaml", ".sim.yml")
OTHER_KINDS = (".test.yaml", ".test.yml", ".stubs.yaml", ".stubs.yml", *SCRIPTS)
DEFAULT_FOLDER = "workflows"


def workflow_files(paths: Sequence[str]) -> tuple[str, ...]:
    """Every workflow file among ``paths``, each once; folders are searched through and through, in sorted order.

    Files named one by one are taken whatever they are called. In folders, what is hidden, ``node_modules``, test files,
    stubs and simulator scripts are left out. Without paths: the folder ``workflows``.

    Raises:
        UsageError: a path does not exist, a folder holds no workflow, or there is no path and no such folder.
    """
    if not paths and not Path(DEFAULT_FOLDER).is_dir():
        raise UsageError(
            f"no file was named, and there is no folder `{DEFAULT_FOLDER}` here",
            hint="name files or folders, or go where that folder is",
        )
    found: dict[str, None] = {}
    for path in paths or (DEFAULT_FOLDER,):
        found.update(dict.fromkeys(_files_of(path)))
    return tuple(found)


def one_file(path: str) -> str:
    """``path``, if it is a file that can be run.

    Raises:
        UsageError: it does not exist (with the near name), or it is a folder.
    """
    if Path(path).is_dir():
        raise UsageError(f"`{path}` is a folder", hint=f"name one file; `bridge-run check {path}` checks them all")
    _refuse_missing(path)
    return path


def script_file(path: str) -> str:
    """``path``, if it is a file that can be a simulator's script.

    Raises:
        UsageError: it does not exist (with the near name), or it is a folder.
    """
    if Path(path).is_dir():
        raise UsageError(f"`{path}` is a folder", hint="name the simulator's script in it")
    if not os.path.lexists(path):
        folders = dict.fromkeys((str(Path(path).parent), DEFAULT_FOLDER))
        scripts = [script for folder in folders for script in sorted(_entries(folder, _is_script))]
        hint = did_you_mean(path, scripts) or "a script says what the models answer; `bridge-run schema simulator`"
        raise UsageError(f"there is no file `{path}`", hint=hint)
    return path


def near_files(path: str) -> tuple[str, ...]:
    """Workflow files that may have been meant: those beside ``path``, and those of the folder ``workflows``."""
    folders = dict.fromkeys((str(Path(path).parent), DEFAULT_FOLDER))
    return tuple(file for folder in folders for file in sorted(_entries(folder, _is_workflow)))


def near_file(path: str) -> str | None:
    """``did you mean `workflows/hello.yaml`?`` or None; ``hello`` and ``hello.yml`` are near that file."""
    files = near_files(path)
    stem = Path(path).stem
    same = next((file for file in files if Path(file).stem == stem), None)
    return f"did you mean `{same}`?" if same else did_you_mean(path, files)


def _entries(folder: str, wanted: Callable[[str], bool]) -> Iterator[str]:
    try:
        names = os.listdir(folder)  # noqa: PTH208 - names, not paths: `hello.yaml` must not become `./hello.yaml`
    except OSError:
        return
    for name in names:
        if wanted(name):
            yield name if folder == "." else f"{folder}/{name}"


def _files_of(path: str) -> Iterator[str]:
    if not path or not Path(path).is_dir():
        _refuse_missing(path)
        yield path
        return
    found = list(_search(path))
    if not found:
        raise UsageError(f"the folder `{path}` holds no workflow file", hint="workflow files end in .yaml or .yml")
    yield from found


def _search(folder: str) -> Iterator[str]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "node_modules")
        for name in sorted(names):
            path = os.path.normpath(os.path.join(parent, name))  # noqa: PTH118 - pathlib has no normpath
            # A link that leads nowhere is told; a pipe is no file that somebody keeps, and would be waited for.
            if _is_workflow(name) and (Path(path).is_file() or not Path(path).exists()):
                yield path


def _is_workflow(name: str) -> bool:
    return name.endswith(ENDINGS) and not name.endswith(OTHER_KINDS) and not name.startswith(".")


def _is_script(name: str) -> bool:
    return name.endswith(SCRIPTS)


def _refuse_missing(path: str) -> None:
    if not path:
        raise UsageError("an empty text names no file")
    if not os.path.lexists(path):
        piped = "standard input has a name: `/dev/stdin`" if path == "-" else None
        raise UsageError(f"there is no file `{path}`", hint=piped or near_file(path))
