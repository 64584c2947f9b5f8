"""What ``doctor`` looks at on this machine itself: Python, the packages, the folder where runs are kept."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from runner import __version__
from runner.edges.run_folder import RUNS
from runner.show.doctor_view import Check, problem
from runner.words.exits import Exit
from runner.words.units import show_bytes

MACHINE: Final = "this machine"
PACKAGES: Final = (
    "pyyaml", "jsonschema", "jsonschema-rs", "jinja2", "httpx", "mcp", "tenacity", "click", "anyio", "rich",
    "starlette", "uvicorn",
)  # fmt: skip
"""What bridge-run cannot do without."""
EMBEDDED_PACKAGE: Final = "xllamacpp"
"""What an endpoint `embedded` needs besides."""
LITTLE_SPACE: Final = 100 * 1024 * 1024


def machine_checks() -> tuple[Check, ...]:
    """Python, the packages with their versions, and whether a run could be recorded here. Reads files only."""
    return (_python(), *_packages(), _run_folder())


def installed_version(package: str) -> str | None:
    """The version of an installed distribution, None if it is not there."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _python() -> Check:
    text = f"{platform.python_version()} ({platform.python_implementation()}), {platform.platform(terse=True)}"
    return Check(group=MACHINE, name="python", health="ok", text=text, facts={"version": platform.python_version()})


def _packages() -> Iterator[Check]:
    versions = {name: installed_version(name) for name in PACKAGES}
    there = ", ".join(f"{name} {version}" for name, version in versions.items() if version is not None)
    yield Check(
        group=MACHINE,
        name="bridge-run",
        health="ok",
        text=f"{__version__}, with {there}",
        facts={"version": __version__, "packages": versions},
    )
    missing = [name for name, version in versions.items() if version is None]
    if missing:
        names = " ".join(missing)
        yield problem(
            MACHINE,
            "packages",
            f"not installed: {', '.join(missing)}",
            exit=Exit.CANNOT_SERVE,
            help=f"install bridge-run anew, or `pip install {names}`",
        )


def _run_folder() -> Check:
    folder = Path(RUNS)
    place = next(one for one in (folder, *folder.parents, Path("/")) if one.exists())
    try:
        _write_in(place)
        free = shutil.disk_usage(place).free
    except OSError as error:
        why = error.strerror or str(error)
        return problem(
            MACHINE,
            "run folder",
            f"runs cannot be recorded in `{RUNS}`: {why} (`{place}`)",
            exit=Exit.CANNOT_SERVE,
            help="make the folder writable, or keep runs elsewhere: `--run-dir DIR`",
        )
    facts = {"path": RUNS, "free_bytes": free}
    text = f"{RUNS} can be written, {show_bytes(free)} free"
    if free < LITTLE_SPACE:
        ways = "make room: a run that cannot be recorded ends"
        return Check(group=MACHINE, name="run folder", health="warning", text=text, help=ways, facts=facts)
    return Check(group=MACHINE, name="run folder", health="ok", text=text, facts=facts)


def _write_in(folder: Path) -> None:
    """Write a file there that has no name, and so leaves no trace.

    Raises:
        OSError: it cannot be written.
    """
    from tempfile import TemporaryFile

    with TemporaryFile(dir=folder) as file:
        file.write(os.urandom(1))
