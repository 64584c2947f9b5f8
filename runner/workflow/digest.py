"""A workflow's meaning as a short text: the same for two files exactly when a run of them would do the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Set
from dataclasses import fields, is_dataclass
from typing import Any

from runner.workflow.model import Workflow

_PLACES = frozenset(("path", "spans", "allows", "file", "folder"))
"""Where things stand, which a comment or an empty line changes. The file of a call is told by what it holds."""


def digest_of(workflow: Workflow) -> str:
    """SHA-256, in hexadecimal, of what the file and all that it calls say; comments, layout and names of files are not
    part of it.
    """
    return hashlib.sha256(json.dumps(_plain(workflow), default=str).encode()).hexdigest()


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        said = {one.name: _plain(getattr(value, one.name)) for one in fields(value) if one.name not in _PLACES}
        return [type(value).__name__, said]
    if isinstance(value, Mapping):
        return [[_plain(key), _plain(each)] for key, each in value.items()]  # a mapping's order is that of results
    if isinstance(value, Set):
        return sorted(value)
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
