"""JSON as editors write it: with ``//`` and ``/* */`` comments and commas before a closing bracket."""

from __future__ import annotations

import json
import re
from typing import Any

_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_LAST_COMMA = re.compile(r'"(?:[^"\\\n]|\\.)*"|,(?=\s*[}\]])', re.DOTALL)


def parse_jsonc(text: str) -> Any:
    """The value. Comments and commas become blanks, so that the places of errors stay those of the text.

    Raises:
        json.JSONDecodeError: not JSON even so; with line and column.
        RecursionError: nested too deeply.
    """
    plain = _TOKEN.sub(lambda found: found[0] if found[0][0] == '"' else _blank(found[0]), text.removeprefix("\ufeff"))
    return json.loads(_LAST_COMMA.sub(lambda found: found[0] if found[0][0] == '"' else " ", plain))


def _blank(comment: str) -> str:
    return re.sub(r"[^\n]", " ", comment)
