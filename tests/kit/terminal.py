"""``bridge-run`` at a terminal of its own, with somebody who reads and types."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import subprocess
import termios
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from kit.project import BRIDGE_RUN, Project

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class AtTerminal:
    """A command whose stdin and stderr are a terminal that controls it; its stdout is a pipe."""

    def __init__(self, project: Project, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        self._project = project
        self._master, terminal = pty.openpty()
        self._seen = ""
        self._process = subprocess.Popen(
            [BRIDGE_RUN, *arguments],
            cwd=project.folder,
            env={**project.environment, "TERM": "xterm", **(env or {})},
            stdin=terminal,
            stdout=subprocess.PIPE,
            stderr=terminal,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(terminal)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()
        os.close(self._master)

    @property
    def screen(self) -> str:
        """All that was written, without colours and movements of the cursor; what differs from run to run is masked."""
        return self._project.stable(_ESCAPES.sub("", self._seen).replace("\r\n", "\n"))

    def until(self, text: str, times: int = 1, within: float = 30) -> None:
        """Wait until the text was written so many times."""
        end = time.monotonic() + within
        while self.screen.count(text) < times:
            if time.monotonic() > end or not self._read(0.1):
                raise AssertionError(f"`{text}` was not written {times} times:\n{self.screen}")

    def type(self, keys: str) -> None:
        """Type these keys; ``\\x03`` is Ctrl-C, ``\\x04`` is Ctrl-D."""
        os.write(self._master, keys.encode())

    def ended(self, within: float = 30) -> tuple[int, str]:
        """Wait for the end: its exit code and stdout."""
        end = time.monotonic() + within
        while self._read(0.05):
            if time.monotonic() > end:
                raise AssertionError(f"it did not end:\n{self.screen}")
        out, _ = self._process.communicate(timeout=within)
        return self._process.returncode, out.decode()

    def _read(self, seconds: float) -> bool:
        """Read what was written, and wait for it a little; False if nobody will write any more."""
        ready, _, _ = select.select([self._master], [], [], seconds)
        if not ready:
            return self._process.poll() is None
        try:
            piece = os.read(self._master, 65_536)
        except OSError:  # the other end was closed
            return False
        self._seen += piece.decode("utf-8", "replace")
        return bool(piece)
