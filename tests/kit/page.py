"""Pages that show files and command lines: what stands on them has to be what is there and what is seen.

A comment before a fenced block says what the block shows: ``<!-- file: workflows/guide/judge.yaml -->`` or
``<!-- seen: NAME -->``. ``BRIDGE_RUN_WRITE_PAGES=1 pytest …`` writes the blocks anew; read the diff.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
_BLOCK = re.compile(
    r"^<!-- (?P<kind>file|seen): (?P<name>\S+) -->\n+(?P<fence>`{3,})\w*\n(?P<text>.*?)^(?P=fence)$", re.M | re.S
)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block; ``text`` ends with a line break."""

    kind: str
    name: str
    text: str


class Page:
    """A page of ``docs/``."""

    def __init__(self, name: str) -> None:
        self.path = DOCS / name
        self.text = self.path.read_text("utf-8")

    def blocks(self, kind: str) -> dict[str, Block]:
        """Those that show files, or what is seen, by name."""
        found = [Block(*match.group("kind", "name", "text")) for match in _BLOCK.finditer(self.text)]
        names = [block.name for block in found if block.kind == kind]
        assert len(names) == len(set(names)), f"shown twice: {names}"
        return {block.name: block for block in found if block.kind == kind}

    def shows(self, kind: str, name: str, real: str) -> None:
        """Fail unless the block shows this; with ``BRIDGE_RUN_WRITE_PAGES`` write it there first."""
        real = "".join(f"{line.rstrip()}\n" for line in real.strip("\n").splitlines())
        if os.environ.get("BRIDGE_RUN_WRITE_PAGES"):
            self._write(kind, name, real)
        shown = self.blocks(kind)[name].text
        assert shown == real, "".join(unified_diff(shown.splitlines(True), real.splitlines(True), "page", "real"))

    def _write(self, kind: str, name: str, real: str) -> None:
        self.text = self.path.read_text("utf-8")

        def anew(match: re.Match[str]) -> str:
            if match.group("kind", "name") != (kind, name):
                return match.group()
            begin, end = (match.start("text") - match.start(), match.end("text") - match.start())
            return match.group()[:begin] + real + match.group()[end:]

        self.text = _BLOCK.sub(anew, self.text)
        self.path.write_text(self.text, "utf-8")


def headings(text: str, level: int) -> list[str]:
    """The titles of this level, code left out."""
    plain = re.sub(r"^(`{3,}).*?^\1$", "", text, flags=re.M | re.S)
    return re.findall(rf"^{'#' * level} (.+)$", plain, re.M)
