"""What a rehearsed run did about its fault, read off its journal."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from runner.words.noun import noun

Line = Mapping[str, Any]


@noun
class Story:
    """``attempts`` of the step that needed most; ``happened`` in words; ``error`` as in ``result.json``."""

    outputs: Mapping[str, Any] = field(default_factory=dict)
    attempts: int = 0
    happened: tuple[str, ...] = ()
    error: Mapping[str, Any] | None = None


def story_of(runs: Path, place: str) -> Story:
    """The story of the one run below ``runs``; an empty one if none began.

    ``place`` is the path of the scratch copy: it is masked, because each run has another one.
    """
    journal = next(iter(runs.glob("*/journal.jsonl")), None)
    if journal is None:
        return Story()
    text = journal.read_text("utf-8", errors="replace").replace(place, "/scratch")
    return told([json.loads(line) for line in text.splitlines() if line.endswith("}")])


def told(lines: Iterable[Line]) -> Story:
    """The story of the lines of a journal."""
    lines = list(lines)
    finished = [line for line in lines if line["type"] == "step_finished"]
    end = next((line for line in lines if line["type"] == "run_finished"), {})
    causes = [line["error"] for line in finished if line.get("error") and not line.get("tolerated")]
    counted = Counter(words for line in lines for words in _words(line))
    return Story(
        outputs=end.get("outputs", {}),
        attempts=max((line.get("attempts", 0) for line in finished), default=0),
        happened=tuple(words if count == 1 else f"{words} ({count} times)" for words, count in counted.items()),
        error=end.get("error") or next(iter(causes), None),
    )


def _words(line: Line) -> Iterator[str]:
    said = _WORDS.get(line["type"])
    words = None if said is None else said(line)
    if words:
        yield words


def _of_answer(line: Line) -> str | None:
    if line.get("looped"):
        return "stopped a loop"
    return f"recovered: {line['recovered']}" if line.get("recovered") else None


def _of_end(line: Line) -> str | None:
    survived = line.get("tolerated") or line["status"] == "recovered"
    return f"went on without `{line['step']}`" if survived else None


_WORDS: Mapping[str, Callable[[Line], str | None]] = {
    "step_retried": lambda line: f"retried after {line['kind']}",
    "model_answered": _of_answer,
    "answer_refused": lambda line: f"asked for a better answer ({line['kind']})",
    "model_fell_back": lambda line: f"fell back to {line['to_model']}",
    "request_degraded": lambda line: f"asked otherwise: {line['form']}",
    "history_trimmed": lambda _: "trimmed old tool results",
    "model_load_failed": lambda line: f"a load failed ({line['kind']})",
    "model_loaded": lambda line: None if line.get("reused") else "loaded the model",
    "circuit_changed": lambda line: "left the model alone for a while" if line["state"] == "open" else None,
    "step_finished": _of_end,
}
"""What each fact means for a reader of the report; all other facts are of no news."""
