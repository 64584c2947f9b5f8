"""The file of a recording: where it lies, reading and writing it, and what of a run belongs into it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from runner.app.recording.place import replace_recording
from runner.app.request import RunRequest
from runner.chat.catalogue import Catalogue
from runner.plan.lookup import look_up
from runner.plan.wanted import DEFAULT
from runner.record.cassette.cassette import SUFFIX, Cassette, Exchange, read_cassette, write_cassette
from runner.record.cassette.values import read_catalogue
from runner.words.errors import UsageError
from runner.words.recording_error import RecordingError


def recording_path(request: RunRequest) -> Path:
    """Where the recording of a request lies: beside the workflow, unless it says otherwise."""
    if request.recording is not None:
        return Path(request.recording)
    file = Path(request.file)
    return file.with_name(file.stem + SUFFIX)


def read_recording(path: Path, request: RunRequest) -> Cassette:
    """The recording in the file.

    Raises:
        UsageError: there is none.
        RecordingError: it cannot be read.
    """
    try:
        text = path.read_bytes().decode("utf-8", "surrogatepass")
    except FileNotFoundError as error:
        if request.file.endswith(SUFFIX):
            wrong = f"`{request.file}` is a recording, and no workflow"
            raise UsageError(wrong, hint="name the workflow: its recording is found beside it") from error
        hint = f"`bridge-run {request.file} --record` makes it"
        raise UsageError(f"there is no recording `{path}`", hint=hint) from error
    except OSError as error:
        raise RecordingError(str(path), 0, f"it cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise RecordingError(
            str(path), line, "it is not UTF-8", hint=f"record it anew: `bridge-run {request.file} --record`"
        ) from error
    return read_cassette(text.removeprefix("\ufeff").replace("\r\n", "\n"), str(path))


def save_recording(path: Path, cassette: Cassette) -> None:
    """Write it in one piece.

    Raises:
        HistoryError: it cannot be written.
    """
    replace_recording(path, write_cassette(cassette))


def kept_models(exchanges: Sequence[Exchange], named: Collection[str]) -> tuple[Exchange, ...]:
    """The exchanges; of the lists of models only what a plan of the workflow looks at."""
    used = {one.request["model"] for one in exchanges if one.kind in ("load", "chat")}
    return tuple(_with_models(one, {*named, *used}) if one.kind == "catalogue" else one for one in exchanges)


def _with_models(one: Exchange, wanted: Collection[str]) -> Exchange:
    if "catalogue" not in one.answer:
        return one
    listed = Catalogue((read_catalogue(one.answer["catalogue"]),))
    found = [look_up(name, listed) for name in wanted]
    keys = {each.entry.key for each in found if each is not None}
    if DEFAULT in wanted:
        keys |= {entry.key for _, entry in listed if entry.in_memory}
    models = [model for model in one.answer["catalogue"].get("models", ()) if model["key"] in keys]
    return replace(one, answer={"catalogue": {**one.answer["catalogue"], "models": models}})


def merged(
    old: Sequence[Exchange], new: Sequence[Exchange], chosen: Callable[[str], bool]
) -> tuple[tuple[Exchange, ...], tuple[str, ...]]:
    """The old exchanges with those of the chosen units replaced, and the chosen units that asked nothing this time.

    What the run as a whole asked stays; what is new in it is added, and what others asked that had not been recorded.
    """
    again = [one for one in new if one.unit]
    tops = {one.unit.partition("/")[0].partition("[")[0] for one in again if chosen(one.unit)}
    missed = {one.unit for one in old if chosen(one.unit) and one.unit.partition("/")[0].partition("[")[0] not in tops}
    stay = [one for one in old if not chosen(one.unit) or one.unit in missed]
    of_run = [one for one in new if not one.unit]
    known = {(one.kind, repr(one.request)): one for one in stay if not one.unit}
    added = [one for one in of_run if (one.kind, repr(one.request)) not in known]
    lists = {repr(one.request): one for one in of_run if one.kind == "catalogue"}
    kept = [_listing(one, lists.get(repr(one.request))) if one.kind == "catalogue" else one for one in stay]
    return (*kept, *added, *again), tuple(sorted(missed))


def _listing(old: Exchange, new: Exchange | None) -> Exchange:
    """The old list with models that it lacks."""
    if new is None or "catalogue" not in old.answer or "catalogue" not in new.answer:
        return old
    models: list[Any] = list(old.answer["catalogue"].get("models", ()))
    keys = {model["key"] for model in models}
    more = [model for model in new.answer["catalogue"].get("models", ()) if model["key"] not in keys]
    return replace(old, answer={"catalogue": {**old.answer["catalogue"], "models": [*models, *more]}})
