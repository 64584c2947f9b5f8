"""The family of errors: what each says of itself to people, to machines and to the retry policy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from runner.words import errors
from runner.words.diagnostics import Diagnostic
from runner.words.errors import (
    FAILURE_KINDS,
    RETRIED_BY_DEFAULT,
    BridgeError,
    LLMRateLimitError,
    ModelNotFoundError,
    WorkflowError,
    root_cause,
)
from runner.words.exits import Exit


def family(root: type[BridgeError] = BridgeError) -> Iterator[type[BridgeError]]:
    yield root
    for child in root.__subclasses__():
        yield from family(child)


@pytest.mark.parametrize("error", sorted(set(family()), key=lambda error: error.__name__))
def test_each_has_a_known_kind_a_known_exit_code_and_stands_in_the_tree(error: type[BridgeError]) -> None:
    assert error.kind in FAILURE_KINDS
    assert error.exit_code in Exit
    assert errors.__doc__ is not None
    assert error.__name__ in errors.__doc__


def test_what_is_retried_is_a_kind_of_failure() -> None:
    assert set(FAILURE_KINDS) >= RETRIED_BY_DEFAULT


def test_an_error_for_machines() -> None:
    assert LLMRateLimitError("too many", retry_after=3.5, hint="wait").to_dict() == {
        "code": "LLMRateLimitError",
        "kind": "rate_limit",
        "message": "too many",
        "hint": "wait",
        "retryable": True,
    }


def test_a_missing_model_says_which_there_are_and_which_are_near() -> None:
    error = ModelNotFoundError("qwen3-codr", ["qwen3-coder", "phi-4"])
    assert str(error) == "no server has a model named `qwen3-codr`"
    assert error.to_dict() == {
        "code": "ModelNotFoundError",
        "kind": "model_not_found",
        "message": "no server has a model named `qwen3-codr`",
        "hint": None,
        "retryable": False,
        "model_name": "qwen3-codr",
        "available_models": ["qwen3-coder", "phi-4"],
        "nearest": ["qwen3-coder"],
    }


def test_a_file_at_fault_speaks_with_the_words_of_its_first_error() -> None:
    unused = Diagnostic(code="BR230", message="nothing uses it", file="w.yaml", level="warning")
    unknown = Diagnostic(code="BR204", message="no such step", file="w.yaml")
    assert str(WorkflowError([unused, unknown])) == "no such step"
    assert str(WorkflowError([unused])) == "nothing uses it"
    assert str(WorkflowError([])) == "the file is at fault"


def test_the_cause_of_several_failures_at_once_is_the_first_that_is_real() -> None:
    first = OSError("the disk")
    assert root_cause(ExceptionGroup("a", [ExceptionGroup("b", [first, KeyError("x")]), ValueError("y")])) is first
    assert root_cause(first) is first
