"""What kinds of failure there are, as ``retry.on`` and ``error.kind`` call them."""

from __future__ import annotations

from typing import Literal, get_args

FailureKind = Literal[
    "connection", "timeout", "rate_limit", "server", "crash", "overloaded", "context", "auth", "model_not_found",
    "wrong_model", "request", "empty", "invalid_output", "expectation", "tool_server", "tool", "command", "limit",
    "cancelled", "bug",
]  # fmt: skip
FAILURE_KINDS: tuple[FailureKind, ...] = get_args(FailureKind)
RETRIED_BY_DEFAULT: frozenset[FailureKind] = frozenset(
    ("connection", "timeout", "rate_limit", "server", "crash", "overloaded", "empty", "tool_server")
)
