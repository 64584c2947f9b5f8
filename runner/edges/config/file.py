"""The files of the configuration: where they are looked for, how they are read, and which of them counts.

``bridge.toml`` or ``[tool.bridge-run]`` of a ``pyproject.toml``, in the folder where ``bridge-run`` is started or in
the nearest one above that has either, up to the root of the git repository or to the home folder. Outside of both only
the folder itself is looked at: a file in ``/tmp`` may be anyone's. Below it lies the user's own file,
``bridge-run/bridge.toml`` in the folder of the XDG base directory specification.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from runner.edges.config.configuration import NO_CONFIGURATION, Configuration
from runner.words.diagnostics import Diagnostic
from runner.words.errors import UsageError, WorkflowError

FILE: Final = "bridge.toml"
PROJECT: Final = "pyproject.toml"
TABLE: Final = "bridge-run"
"""The table below ``[tool]`` of a ``pyproject.toml``."""


def read_configuration(given: str | None, environment: Mapping[str, str], folder: str = ".") -> Configuration:
    """What the files say that count in ``folder``; with ``given`` (``--config``) that file says, and no other is read.

    Raises:
        WorkflowError: a file cannot be read or says what makes no sense; with all findings of that file.
        UsageError: the file of ``--config`` is not there.
    """
    home = _home(environment)
    if given is not None:
        return _named(Path(given).expanduser(), given, home)
    own = _users_file(environment, home)
    nearest = _nearest(Path(folder).absolute(), home)
    if own is not None and own == nearest.path:
        own = None
    configuration = nearest.configuration
    return configuration if own is None else _under(configuration, _read(own, str(own), home))


def project_file(environment: Mapping[str, str], folder: str = ".") -> Path | None:
    """The project's own file that counts in ``folder``, whatever is wrong with it."""
    start = Path(folder).absolute()
    for place in _upwards(start, _home(environment)):
        if (place / FILE).is_file():
            return place / FILE
        try:
            table = _project_table(place / PROJECT, start) if (place / PROJECT).is_file() else None
        except WorkflowError:  # told when it is read
            return place / PROJECT
        if table is not None:
            return place / PROJECT
    return None


class _Nearest:
    """What was found on the way up: a file that says something, or none."""

    def __init__(self, path: Path | None = None, configuration: Configuration = NO_CONFIGURATION) -> None:
        self.path = path
        self.configuration = configuration


def _nearest(start: Path, home: Path | None) -> _Nearest:
    for folder in _upwards(start, home):
        file, project = folder / FILE, folder / PROJECT
        table = _project_table(project, start) if project.is_file() else None
        if file.is_file():
            configuration = _read(file, _shown(file, start), home)
            if table is not None:
                configuration = replace(configuration, warnings=(*configuration.warnings, _both(file, project, start)))
            return _Nearest(file, configuration)
        if table is not None:
            return _Nearest(project, _decoded(table, project, _shown(project, start), home))
    return _Nearest()


def _upwards(start: Path, home: Path | None) -> Iterator[Path]:
    """The folders to look into, from ``start`` to the one that bounds the search."""
    folders = [start, *start.parents]
    for index, folder in enumerate(folders):
        if (folder / ".git").exists() or folder == home:
            yield from folders[: index + 1]
            return
    yield start


def _home(environment: Mapping[str, str]) -> Path | None:
    home = environment.get("HOME") or environment.get("USERPROFILE")
    return Path(home) if home else None


def _users_file(environment: Mapping[str, str], home: Path | None) -> Path | None:
    """https://specifications.freedesktop.org/basedir-spec: a relative XDG_CONFIG_HOME is to be ignored."""
    base = Path(environment.get("XDG_CONFIG_HOME", ""))
    if not base.is_absolute():
        if home is None:
            return None
        base = home / ".config"
    file = base / "bridge-run" / FILE
    return file if file.is_file() else None


def _named(path: Path, shown: str, home: Path | None) -> Configuration:
    if not path.is_file():
        kind = "is a folder" if path.is_dir() else "is not there"
        raise UsageError(f"--config: the file `{shown}` {kind}", hint="the path counts from where you are")
    if path.name != PROJECT:
        return _read(path, shown, home)
    table = _table_of(_parsed(_text(path, shown), shown))
    if table is None:
        raise UsageError(f"--config: `{shown}` has no table `[tool.{TABLE}]`", hint="name a file that has one")
    return _decoded(table, path, shown, home)


def _read(path: Path, shown: str, home: Path | None) -> Configuration:
    return _decoded(_parsed(_text(path, shown), shown), path, shown, home)


def _project_table(path: Path, start: Path) -> Mapping[str, Any] | None:
    """Our table of a ``pyproject.toml``; a file that never names it is not parsed, nor judged."""
    try:
        mentioned = TABLE.encode() in path.read_bytes()
    except OSError:
        return None  # it is not ours to complain of
    shown = _shown(path, start)
    return _table_of(_parsed(_text(path, shown), shown)) if mentioned else None


def _table_of(data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    tool = data.get("tool")
    table = tool.get(TABLE) if isinstance(tool, Mapping) else None
    return table if isinstance(table, Mapping) else None


def _text(path: Path, shown: str) -> str:
    try:
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        message = f"the configuration cannot be read: {why}"
        raise WorkflowError([Diagnostic(code="BR501", message=message, file=shown)]) from error


def _parsed(text: str, shown: str) -> Mapping[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits is a plain ValueError
        from runner.edges.config.place import syntax_fault

        raise WorkflowError([syntax_fault(str(error), text, shown)]) from error


def _decoded(table: Mapping[str, Any], path: Path, shown: str, home: Path | None) -> Configuration:
    from runner.edges.config.table import decode_configuration

    prefix = ("tool", TABLE) if path.name == PROJECT else ()
    return decode_configuration(
        table, text=_text(path, shown), file=shown, folder=path.parent, prefix=prefix, home=home
    )


def _under(nearer: Configuration, own: Configuration) -> Configuration:
    """The project's file over the user's. An endpoint of both is the project's, whole: no token meets a new address."""
    names, urls = set(nearer.names), {one.endpoint.url for one in nearer.endpoints}
    rest = (one for one in own.endpoints if one.name not in names and one.endpoint.url not in urls)
    says_ttl = nearer.catalogue_ttl != NO_CONFIGURATION.catalogue_ttl
    return Configuration(
        default_model=nearer.default_model or own.default_model,
        catalogue_ttl=nearer.catalogue_ttl if says_ttl else own.catalogue_ttl,
        endpoints=(*nearer.endpoints, *rest),
        files=(*nearer.files, *own.files),
        warnings=(*nearer.warnings, *own.warnings),
    )


def _both(file: Path, project: Path, start: Path) -> Diagnostic:
    return Diagnostic(
        code="BR505",
        message=f"`[tool.{TABLE}]` of {_shown(project, start)} is not read: {_shown(file, start)} stands beside it",
        file=_shown(file, start),
        level="warning",
        help="keep one of the two",
    )


def _shown(path: Path, start: Path) -> str:
    """The path as a person finds it from where they are."""
    return os.path.relpath(path, start)
