"""Scratch copies of the folder that a person works in: a rehearsal may change what it likes, and nothing is lost."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from runner.edges.command import CommandRunner
from runner.execute.world import CommandResult
from runner.words.errors import StepError, UsageError
from runner.words.noun import noun
from runner.words.units import show_bytes

MOST_FILES: Final = 20_000
MOST_BYTES: Final = 512 * 1024**2
"""What one copy may hold: each fault gets its own."""
_LEFT_OUT: Final = frozenset((".git", ".bridge", ".venv", "venv", "node_modules", "__pycache__"))
"""Folders that are not copied where no git can say what belongs to the project."""
_QUIET_GIT: Final = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}


@noun
class Original:
    """What is copied. ``root``: the git repository around the folder, or the folder itself if there is none.

    ``below`` is the folder within it; ``files`` are relative to ``root``; ``git``: whether its history is shared.
    """

    root: Path
    below: Path
    files: tuple[str, ...]
    git: bool


async def look_at(folder: Path, commands: CommandRunner) -> Original:
    """Find what belongs to the project: what git knows, and what it does not ignore.

    Raises:
        UsageError: it is too much to be copied for each fault.
    """
    top = await _git(commands, folder, "rev-parse", "--show-toplevel")
    if top is None:
        found = Original(root=folder, below=Path(), files=tuple(_walk(folder)), git=False)
    else:
        root = Path(top.rstrip("\n"))
        listed = await _git(commands, root, "ls-files", "-z", "--cached", "--others", "--exclude-standard") or ""
        files = tuple(dict.fromkeys(name for name in listed.split("\0") if name))
        found = Original(root=root, below=_below(root, folder), files=files, git=True)
    _refuse_too_much(found)
    return found


async def copy_to(original: Original, target: Path, commands: CommandRunner, *, also: Iterable[str] = ()) -> Path:
    """Copy it to ``target``, which does not exist yet; returns the folder in it that stands for the one copied.

    The history of a git repository is shared, not copied, and its remotes are forgotten: nothing can be pushed.
    ``also`` are files, relative to the folder, that are wanted even if git ignores them.
    """
    if original.git:
        cloned = await _git(commands, original.root, "clone", "-q", "--shared", "--no-checkout", ".", str(target))
        if cloned is not None:
            await _git(commands, target, "reset", "-q")
            await _git(commands, target, "remote", "remove", "origin")
    below = target / original.below
    below.mkdir(parents=True, exist_ok=True)
    wanted = [str(original.below / name) for name in also if not Path(name).is_absolute()]
    for name in dict.fromkeys((*original.files, *wanted)):
        _copy(original.root, target, name)
    return below


def _copy(root: Path, target: Path, name: str) -> None:
    """One file; a link stays a link where it points into the project, and is left out where it points elsewhere."""
    source, copied = root / name, target / name
    if not copied.resolve().is_relative_to(target.resolve()):
        return
    if source.is_symlink():
        inside = source.resolve().is_relative_to(root.resolve()) and not source.readlink().is_absolute()
        if inside and not copied.is_symlink():
            copied.parent.mkdir(parents=True, exist_ok=True)
            copied.symlink_to(source.readlink())
    elif source.is_file():
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, copied)


def _below(root: Path, folder: Path) -> Path:
    return folder.resolve().relative_to(root.resolve())


def _walk(folder: Path) -> Iterator[str]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _LEFT_OUT)
        for name in sorted(names):
            yield os.path.relpath(os.path.join(parent, name), folder)  # noqa: PTH118 - pathlib is slow in large trees


def _refuse_too_much(original: Original) -> None:
    paths = [original.root / name for name in original.files]
    size = sum(path.stat().st_size for path in paths if path.is_file() and not path.is_symlink())
    if len(paths) > MOST_FILES or size > MOST_BYTES:
        raise UsageError(
            f"`{original.root}` is too large for a copy per fault: {len(paths)} files, {show_bytes(size)}",
            hint="start from a smaller folder, or let git ignore what the workflow does not need",
        )


async def _git(commands: CommandRunner, folder: Path, *words: str) -> str | None:
    """What git says; None if it is not there or refuses."""
    quiet: Mapping[str, str] = _QUIET_GIT
    try:
        done: CommandResult = await commands.run(("git", *words), cwd=str(folder), env=quiet)
    except StepError:
        return None
    return done.stdout if done.exit_code == 0 else None
