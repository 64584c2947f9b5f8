"""The family of errors: what each says of itself to people, to machines and to the retry policy."""

from __future__ import annotations

import copy
import json
import pickle
import re
import traceback
from collections.abc import Callable, Iterator

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
from runner.words.recording_error import RecordingError
from runner.words.spans import Span


def family(root: type[BridgeError] = BridgeError) -> Iterator[type[BridgeError]]:
    yield root
    for child in (one for one in root.__subclasses__() if one.__module__.startswith("runner.words.")):
        yield from family(child)


@pytest.mark.parametrize("error", sorted(set(family()), key=lambda error: error.__name__))
def test_each_has_a_known_kind_a_known_exit_code_and_stands_in_the_tree(error: type[BridgeError]) -> None:
    assert error.kind in FAILURE_KINDS
    assert error.exit_code in Exit
    assert errors.__doc__ is not None
    assert error.__name__ in errors.__doc__


EXAMPLES: dict[str, BridgeError] = {
    one.code: one
    for one in (
        BridgeError("m", hint="h"), errors.UsageError("m", hint="h"), errors.OutsideError("m", hint="h"),
        errors.HistoryError("m", hint="h"), WorkflowError([], hint="h"), errors.CannotServeError([], hint="h"),
        errors.ToolsMissingError([], hint="h"), errors.ToolsUnreachableError([], hint="h"),
        errors.WorkspaceError([], hint="h"), RecordingError("f", 1, "m", hint="h"),
        errors.StepError("limit", "m", hint="h"), errors.ToolServerError("s", "m", hint="h"),
        errors.TemplateError("m", hint="h"), errors.LLMError("m", hint="h"), errors.LLMTimeoutError("m", hint="h"),
        LLMRateLimitError("m", hint="h"), errors.LLMValidationError("m", hint="h"), errors.ContextError("m", hint="h"),
        ModelNotFoundError("m", [], message="m", hint="h"), errors.LLMConnectionError("m", hint="h"),
        errors.CircuitOpenError("m", retry_after=1.0, hint="h"), errors.LLMResponseError("m", hint="h"),
        errors.ModelMemoryError("m", hint="h"), errors.LLMAuthenticationError("m", hint="h"),
        errors.McpNotFoundError("m", [], "m", hint="h"),
    )
}  # fmt: skip
"""One of every class."""
MORE = {
    "ContextError": {"pool", "n_prompt_tokens", "n_ctx"},
    "ModelNotFoundError": {"model_name", "available_models", "nearest"},
    "McpNotFoundError": {"mcp_name", "available_mcps", "nearest"},
    "CircuitOpenError": {"retry_after"},
    "LLMRateLimitError": {"retry_after"},
    "RecordingError": {"file", "line"},
    "ModelMemoryError": {"required_bytes", "available_bytes"},
}
"""What a machine is told beside what every error says."""


@pytest.mark.parametrize("error", sorted(set(family()), key=lambda error: error.__name__))
def test_each_speaks_to_machines_in_one_shape(error: type[BridgeError]) -> None:
    one = EXAMPLES[error.__name__]
    said = one.to_dict()
    assert (said["code"], said["kind"], said["hint"]) == (error.__name__, one.kind, "h")
    assert said["message"] == str(one) == one.message
    assert said["retryable"] is one.retryable is (one.kind in RETRIED_BY_DEFAULT)
    assert said.keys() - {"code", "kind", "message", "hint", "retryable"} == MORE.get(error.__name__, set())
    assert json.loads(json.dumps(said)) == said


def test_the_tree_of_the_docstring_is_the_tree() -> None:
    """Each line's class stands below the last one before it that is indented less."""
    above: list[tuple[int, str]] = []
    drawn: dict[str, str] = {}
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"([│├└─ ]*)(\w+Error)\b", line)
        if found is None or not (found[1] or found[2] == "BridgeError"):
            continue
        above = [one for one in above if one[0] < len(found[1])]
        drawn[found[2]] = above[-1][1] if above else "Exception"
        above.append((len(found[1]), found[2]))
    real = {one.__name__: base.__name__ for one in family() for base in one.__bases__}
    assert drawn == real


@pytest.mark.parametrize("error", sorted(set(family(errors.LLMError)), key=lambda error: error.__name__))
def test_what_this_machine_cannot_serve_and_what_failed_outside(error: type[BridgeError]) -> None:
    cannot = (errors.LLMValidationError, errors.ModelMemoryError)
    assert error.exit_code == (Exit.CANNOT_SERVE if issubclass(error, cannot) else Exit.OUTSIDE)


def test_what_is_retried_is_a_kind_of_failure() -> None:
    assert set(FAILURE_KINDS) >= RETRIED_BY_DEFAULT


def test_an_error_for_machines() -> None:
    assert LLMRateLimitError("too many", retry_after=3.5, hint="wait").to_dict() == {
        "code": "LLMRateLimitError",
        "kind": "rate_limit",
        "message": "too many",
        "hint": "wait",
        "retryable": True,
        "retry_after": 3.5,
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


def test_a_hint_stands_below_the_traceback() -> None:
    assert errors.UsageError("no", hint="say yes").__notes__ == ["help: say yes"]
    assert not hasattr(errors.UsageError("no"), "__notes__")


@pytest.mark.parametrize("error", EXAMPLES.values(), ids=list(EXAMPLES))
@pytest.mark.parametrize("again", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy])
def test_it_comes_back_whole_from_another_process(
    error: BridgeError, again: Callable[[BridgeError], BridgeError]
) -> None:
    come = again(error)
    assert type(come) is type(error)
    assert come is not error
    assert (str(come), come.to_dict(), vars(come)) == (str(error), error.to_dict(), vars(error))


def test_its_findings_come_along() -> None:
    found = Diagnostic(code="BR217", message="unknown key `tsk`", file="a.yaml", help="did you mean `task`?")
    come = pickle.loads(pickle.dumps(WorkflowError([found], hint="h")))
    assert come.diagnostics == (found,)
    assert come.__notes__ == ["help: h", "a.yaml: BR217: unknown key `tsk`; did you mean `task`?"]


def test_a_traceback_of_a_wrong_file_tells_all_that_is_wrong_and_where() -> None:
    place = Span(line=5, column=4, end_line=5, end_column=7)
    found = [
        Diagnostic(code="BR217", message="unknown key `tsk`", file="a.yaml", span=place),
        Diagnostic(code="BR305", message="it was not trained for tools", file="a.yaml", level="warning"),
        Diagnostic(code="BR501", message="no such address", file=""),
    ]
    shown = traceback.format_exception(WorkflowError(found))
    assert "".join(shown).endswith(
        "WorkflowError: unknown key `tsk`\na.yaml:5:4: BR217: unknown key `tsk`\nBR501: no such address\n"
    )
