"""Rules about schemas, defaults and files that are named: BR226, BR232, BR233, BR235."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from runner.words.complaint import Complaint
from runner.words.diagnostics import Diagnostic
from runner.words.schemas import complaints
from runner.words.spans import Path, show_path
from runner.workflow.rules.typing import types_of
from runner.workflow.rules.view import View, schema_file

_ADDRESS = re.compile(r"(?:https?|ftp|data|file|s3|gs):", re.IGNORECASE)


def br226_illegal_schema(view: View) -> Iterable[Diagnostic]:
    """What should be a JSON Schema and is none."""
    for path, schema in _schemas(view):
        file = schema_file(schema) if path[0] == "steps" else None
        if file is None:
            yield from _illegal(view, path, schema)
        else:
            yield from _illegal_file(view, (*path, "schema"), file)


def _schemas(view: View) -> Iterator[tuple[Path, Any]]:
    for name, declared in view.section("inputs").items():
        if isinstance(declared, dict):
            yield ("inputs", name), types_of(view).input(name)
    for step in view.steps:
        output = step.data.get("output")
        if isinstance(output, dict | bool):
            yield (*step.path, "output"), output


def _illegal(view: View, path: Path, schema: Any) -> Iterable[Diagnostic]:
    for complaint in types_of(view).faults(schema):
        span = view.value_span((*path, *complaint.path))
        message = f"`{show_path((path[-1], *complaint.path))}` is no legal JSON Schema: {complaint.message}"
        yield view.finding("BR226", message, span, help=_ways(complaint))


def _ways(complaint: Complaint) -> str:
    if complaint.path[-1:] == ("required",):
        return "`required` is the list of those names, beside `properties`"
    return "see json-schema.org, draft 2020-12"


def _illegal_file(view: View, path: Path, file: str) -> Iterable[Diagnostic]:
    try:
        schema = view.read_schema(file)
    except OSError:
        return  # BR232
    except ValueError as error:
        message = f"the schema file `{file}` is no JSON: {error}"
        yield view.finding("BR226", message, view.value_span(path))
        return
    for complaint in types_of(view).faults(schema):
        where = f" at `{show_path(complaint.path)}`" if complaint.path else ""
        message = f"the schema file `{file}` is no legal JSON Schema{where}: {complaint.message}"
        yield view.finding("BR226", message, view.value_span(path))


def br232_absent_file(view: View) -> Iterable[Diagnostic]:
    """A file that the workflow names and that is not there."""
    for path, file in _files(view):
        if not view.has_file(file):
            hint = "the path starts at the folder of the workflow file"
            yield view.finding("BR232", f"there is no file `{file}`", view.value_span(path), help=hint)


def _files(view: View) -> Iterator[tuple[Path, str]]:
    for name, server in view.section("mcp_servers").items():
        if isinstance(server.get("from"), str):
            yield ("mcp_servers", name, "from"), server["from"]
    for step in view.steps:
        file = schema_file(step.data.get("output"))
        if file is not None:
            yield (*step.path, "output", "schema"), file


def br233_default_breaks_schema(view: View) -> Iterable[Diagnostic]:
    """A default that the input itself would not take."""
    for name, declared in view.section("inputs").items():
        if not isinstance(declared, dict) or "default" not in declared:
            continue
        schema = types_of(view).input(name)
        if types_of(view).faults(schema):
            continue  # BR226
        for complaint in complaints(schema, declared["default"]):
            span = view.value_span(("inputs", name, "default", *complaint.path))
            where = f" at `{show_path(complaint.path)}`" if complaint.path else ""
            yield view.finding("BR233", f"the default of `{name}` does not fit{where}: {complaint.message}", span)


def br235_image_address(view: View) -> Iterable[Diagnostic]:
    """A picture on another machine: what is sent to a model is what lies on this one."""
    for step in view.steps:
        images = step.data.get("images")
        for number, image in enumerate(images if isinstance(images, list) else ()):
            if isinstance(image, str) and _ADDRESS.match(image):
                shown = image if len(image) <= 60 else image[:60] + "…"
                message = f"the image `{shown}` is an address, and only local files are sent"
                hint = "fetch it in a `run` step of its own, and name the file"
                yield view.finding("BR235", message, view.value_span((*step.path, "images", number)), help=hint)
