"""Lines that match, as a program of its own: an expression that never ends can then be ended.

Python's ``re`` holds the interpreter lock while it matches, so a thread could not be given up. The file imports nothing
of ours: ``search`` starts it by its path, without ``site``, and ends it when its time is over.
Standard input is ``{"pattern", "max", "files": [[name, text], …]}``, standard output ``[[name, number, line], …]``.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable

LINE_LIMIT = 4_000  # characters of a line that are looked at; longer ones are data, not source

Match = tuple[str, int, str]


def matching_lines(pattern: str, files: Iterable[tuple[str, str]], maximum: int) -> list[Match]:
    """The first ``maximum`` lines in which the expression is found: file, line number from 1, the line."""
    search = re.compile(pattern).search
    found: list[Match] = []
    for name, text in files:
        for number, line in enumerate(text.splitlines(), 1):
            if search(line[:LINE_LIMIT]):
                found.append((name, number, line[:LINE_LIMIT]))
                if len(found) == maximum:
                    return found
    return found


def main() -> None:
    """One question in, one answer out."""
    asked = json.load(sys.stdin)
    json.dump(matching_lines(asked["pattern"], asked["files"], asked["max"]), sys.stdout)


if __name__ == "__main__":
    main()
