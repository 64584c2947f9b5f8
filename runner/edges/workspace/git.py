"""Git, asked without its surroundings: none of the variables that say which repository is meant reach it, nor us.

Hooks do not run, nothing is optional, nobody is asked for a password, and the words are English.
"""

from __future__ import annotations

import os
import subprocess  # our own git, with an argv of our own
import threading
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import IO, Final

from runner.edges.process_group import ProcessGroup
from runner.words.noun import noun

CACHES: Final = (
    "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis", ".tox", ".nox", ".cache", ".gradle",
    ".parcel-cache", ".turbo", ".nyc_output",
)  # fmt: skip
"""Names of folders that tools fill for themselves. What is in them is nobody's work."""
OWN: Final = frozenset((".git", ".bridge"))
"""Names that are never looked at as files of a project: a repository's own, and our own records."""

_PLACE: Final = frozenset(
    f"GIT_{name}"
    for name in (
        "ALTERNATE_OBJECT_DIRECTORIES", "CEILING_DIRECTORIES", "COMMON_DIR", "CONFIG", "CONFIG_PARAMETERS", "DIR",
        "GRAFT_FILE", "IMPLICIT_WORK_TREE", "INDEX_FILE", "INTERNAL_SUPER_PREFIX", "NAMESPACE", "NO_REPLACE_OBJECTS",
        "OBJECT_DIRECTORY", "PREFIX", "QUARANTINE_PATH", "REPLACE_REF_BASE", "SHALLOW_FILE", "WORK_TREE",
    )
)  # fmt: skip
_PERSON: Final = frozenset(("GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_SYSTEM", "GIT_EXEC_PATH"))
_SETTINGS: Final = (
    "core.hooksPath=/dev/null", "core.fsmonitor=false", "core.untrackedCache=false", "core.compression=0",
    "core.looseCompression=0", "core.trustctime=true", "core.checkStat=default", "gc.auto=0", "maintenance.auto=false",
    "advice.addEmbeddedRepo=false",
)  # fmt: skip
_GLANCE: Final = 0.05
_GLANCES: Final = 100
"""Seconds between two looks at whether we are to stop."""


class GitError(Exception):
    """Git is not there, or says no; the message is the first line of what it says."""


class Stopped(Exception):  # noqa: N818  nothing went wrong: somebody asked for it
    """The work was given up half-way, and what was half-made is gone."""


@noun
class Checkout:
    """Where a folder lies in a repository. ``top`` is the topmost folder of the checkout, without links.

    ``prefix`` is the folder below it: empty, or with a slash at the end. ``ignored``: the repository knows nothing of
    the folder, it only happens to lie there.
    """

    top: Path
    prefix: str
    ignored: bool = False


class Git:
    """Git in one folder. ``settings`` are variables such as ``GIT_DIR``; ``stop`` ends what is under way."""

    def __init__(
        self, folder: Path, settings: Mapping[str, str] | None = None, stop: threading.Event | None = None
    ) -> None:
        self.folder = folder
        self._settings = dict(settings or {})
        self._stop = stop

    def text(self, *arguments: str, stdin: bytes = b"") -> str:
        """What git writes, without the last newline.

        Raises:
            GitError: git says no, or is not there.
            Stopped: we were asked to stop.
        """
        return os.fsdecode(self.output(*arguments, stdin=stdin).removesuffix(b"\n"))

    def paths(self, *arguments: str, stdin: bytes = b"") -> tuple[str, ...]:
        """The paths that git writes with ``-z``; errors as ``text``."""
        found = self.output(*arguments, stdin=stdin).split(b"\0")
        return tuple(os.fsdecode(path) for path in found if path)

    def says(self, *arguments: str) -> bool:
        """Whether git says yes (0) and not no (1); errors as ``text``."""
        return self._ended(arguments, b"", None, (0, 1))[0] == 0

    def output(self, *arguments: str, stdin: bytes = b"", into: IO[bytes] | None = None) -> bytes:
        """What git writes, or nothing if it writes ``into`` a file; errors as ``text``."""
        return self._ended(arguments, stdin, into, (0,))[1]

    def _ended(
        self, arguments: tuple[str, ...], stdin: bytes, into: IO[bytes] | None, good: Collection[int]
    ) -> tuple[int, bytes]:
        if self._stop is not None and self._stop.is_set():
            raise Stopped
        command = ["git", *(part for setting in _SETTINGS for part in ("-c", setting)), *arguments]
        try:
            process = subprocess.Popen(  # noqa: S603  no shell, and git is looked up on PATH as everywhere
                command,
                cwd=self.folder,
                env=_environment(self._settings),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if into is None else into,
                stderr=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for us to hear; a patch in the making is made to its end
            )
        except FileNotFoundError as error:
            if not self.folder.is_dir():
                raise GitError(f"the folder `{self.folder}` does not exist") from error
            raise GitError("git is not installed, or not on PATH") from error
        except OSError as error:
            raise GitError(f"git cannot be started: {error.strerror}") from error
        with process:
            try:
                out, said = self._talk(process, stdin)
            except BaseException:
                _end(process)
                raise
        if process.returncode not in good:
            raise GitError(_first_line(said) or f"`git {arguments[0]}` ended with exit code {process.returncode}")
        return process.returncode, out or b""

    def _talk(self, process: subprocess.Popen[bytes], stdin: bytes) -> tuple[bytes, bytes]:
        while True:
            try:
                return process.communicate(stdin, timeout=None if self._stop is None else _GLANCE)
            except subprocess.TimeoutExpired:
                if self._stop is not None and self._stop.is_set():
                    raise Stopped from None


def _end(process: subprocess.Popen[bytes]) -> None:
    """End git and what it has started: a checkout is written by a child, which would go on writing."""
    group = ProcessGroup(process.pid)
    group.terminate()
    process.wait()
    for _ in range(_GLANCES):
        if not group.exists():
            return
        time.sleep(_GLANCE)
    group.kill()


def find_checkout(folder: Path, stop: threading.Event | None = None) -> Checkout | None:
    """The repository's checkout that ``folder`` lies in; None if it lies in none.

    Raises:
        GitError: git is not there, or cannot tell.
        Stopped: we were asked to stop.
    """
    git = Git(folder, stop=stop)
    try:
        inside, _, prefix = git.text("rev-parse", "--is-inside-work-tree", "--show-prefix").partition("\n")
    except GitError as error:
        if "not a git repository" in str(error):
            return None
        raise
    if inside != "true":
        return None  # the repository's own folder, or one without files
    top = folder.resolve()
    for _ in prefix.rstrip("/").split("/") if prefix else ():
        top = top.parent
    ignored = bool(prefix) and git.says("check-ignore", "-q", ".") and not git.output("ls-files", "--", ".")
    return Checkout(top=top, prefix=prefix, ignored=ignored)


def without_place(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment in which git finds the repository by where it is started, as in a fresh terminal.

    A git hook that starts bridge-run hands on ``GIT_DIR`` and others: in a workspace these would lead back.
    """
    return {name: value for name, value in environment.items() if name not in _PLACE}


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name in _PERSON}
    return {**kept, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", **settings}


def _first_line(said: bytes) -> str:
    lines = said.decode("utf-8", "replace").splitlines()
    blamed = [line for line in lines if line.startswith(("fatal: ", "error: "))]
    return next(iter([*blamed, *lines]), "").removeprefix("fatal: ").removeprefix("error: ")
