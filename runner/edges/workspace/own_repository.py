"""What is done to the repository of a workspace: one for a copy, everything into the index."""

from __future__ import annotations

import os
from pathlib import Path

from runner.edges.workspace.git import Git, GitError
from runner.edges.workspace.state import first_named

_SETTINGS = r"^(user\.(name|email)|core\.(autocrlf|eol|safecrlf|filemode|symlinks|ignorecase)|filter\..*)$"
"""Those of a checkout that change what git says of its files, and who commits."""


def give_repository(source: Git, copy: Git) -> None:
    """A repository for the copy of a checkout: the same commit, index and history, nothing of it shared but read.

    Raises:
        GitError: git cannot.
        OSError: it cannot be written.
    """
    form = source.text("rev-parse", "--show-object-format")
    copy.text("init", "--quiet", "--template=", f"--object-format={form}")
    own = copy.folder / ".git"
    objects = (source.folder / source.text("rev-parse", "--git-path", "objects")).resolve()
    (own / "objects" / "info").mkdir(exist_ok=True)
    (own / "objects" / "info" / "alternates").write_bytes(os.fsencode(objects) + b"\n")
    (own / "info").mkdir(exist_ok=True)
    for name in ("shallow", "info/exclude", "info/attributes"):
        _copy(source.folder / source.text("rev-parse", "--git-path", name), own / name)
    for key, value in _settings(source):
        copy.text("config", key, value)
    try:
        commit = source.text("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    except GitError:
        commit = ""  # nothing was ever committed
    if commit:
        copy.text("update-ref", "--no-deref", "HEAD", commit)
    index = source.output("ls-files", "--stage", "-z")
    if index:
        copy.text("update-index", "-z", "--index-info", stdin=index)


def add_all(git: Git) -> tuple[str, ...]:
    """Everything that git does not ignore goes into the index; a warning if repositories are among it, which do not.

    Raises:
        GitError: git cannot.
    """
    unknown = git.paths("ls-files", "-o", "--exclude-standard", "-z")
    nested = [path.rstrip("/") for path in unknown if path.endswith("/")]
    git.text("add", "-A", "--", ".", *(f":(exclude,literal){path}" for path in nested))
    if not nested:
        return ()
    return (f"not in the patch, being repositories of their own: {first_named(nested)}",)


def _settings(source: Git) -> list[tuple[str, str]]:
    try:
        found = source.output("config", "--local", "-z", "--get-regexp", _SETTINGS)
    except GitError:
        return []  # none of them is set
    pairs = (os.fsdecode(one).split("\n", 1) for one in found.split(b"\0") if one)
    return [(pair[0], pair[1] if len(pair) > 1 else "true") for pair in pairs]


def _copy(source: Path, target: Path) -> None:
    try:
        data = source.read_bytes()
    except OSError:
        return
    target.write_bytes(data)
