"""What ``make docs`` runs: writes the reference pages from the tools, the signatures and the docstrings."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from python_page import python_page
from tool_examples import show
from tools_page import tools_page

DOCS: Final = Path(__file__).resolve().parent.parent


def pages() -> Mapping[str, str]:
    """Name in ``docs/`` → text."""
    return {"reference-tools.md": tools_page(show()), "reference-python.md": python_page()}


def main() -> None:
    """Write them; says which have changed."""
    for name, text in pages().items():
        path = DOCS / name
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            sys.stdout.write(f"docs/{name} is written anew\n")


if __name__ == "__main__":
    main()
