"""The page about the tools of ``bridge-run serve``: what hosts are told of them, errors, and examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from markdown_text import json_block, plain, table
from schema_words import rows
from tool_errors import BUG, EVERY, LONG, OF_TOOL, RUN, SERVERS, by_code, named
from tool_examples import WORKFLOW, Example, Shown

from runner.chat.offer import Offer
from runner.words.errors import RETRIED_BY_DEFAULT

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "Hand a task to a model": (
        "autonomous_with_mcp", "autonomous_with_multiple_mcps", "autonomous_discover_and_execute",
        "list_available_mcps",
    ),
    "Run the workflows of the project": ("run_workflow", "check_workflow", "list_workflows", "workflow_greet"),
    "Follow long work": ("start_task", "task_status", "task_result", "cancel_task"),
    "Ask a model": ("chat_completion", "text_completion", "create_response", "generate_embeddings"),
    "See what there is": (
        "health_check", "server_status", "list_models", "list_loaded_models", "list_downloaded_models",
        "get_current_model",
    ),
    "Load, unload, download": ("load_model", "ensure_model_loaded", "unload_model", "download_model"),
}  # fmt: skip
OF_A_FILE: Final = "workflow_greet"
"""The tool that is there because the project of the examples has a workflow file."""
_HEAD: Final = """\
# Reference: the tools of `bridge-run serve`

Made by `make docs` from the tools themselves; a test holds the two together. [serve](serve.md) says how to use
them, the [reference for Python](reference-python.md) has the same work without a host.

Types are those of JSON. A path such as `messages[].role` is the key `role` of each item of the list `messages`. An
argument that is neither required nor given has its default; without one it is left out. Unknown arguments are
refused. Results may get further keys. Where a result has `text`, it is also the text of the answer, for hosts that
read no objects.

**Long work.** A tool marked so answers within `wait` seconds: with its result, or with `status: working`, a
`task_id` and a `hint`; then [task_result](#task_result) has the result. [start_task](#start_task) can start it.

**Errors.** An answer with `isError` has the object `error`, with a `code` of [those below](#errors). Every tool may
give EVERY, long work also LONG; the others stand at each tool.

The examples were made against a simulated LM Studio with three models and the MCP servers `clock` and `git`. Times,
ids and places in them are made up.
"""
_ERRORS: Final = """\
Every error has `code`, `kind`, `message`, `hint` (what to do, or null) and `retryable`: whether the same again may
help; where the class does not settle it, the `kind` does. Those about a file have `diagnostics` too, and a workflow
without a model that can answer comes with `available_models`.

The errors of model servers are SERVERS.
"""
_FLAGS: Final = (
    ("read_only", "reads only"),
    ("destructive", "destructive"),
    ("idempotent", "idempotent"),
    ("open_world", "open world"),
)


def tools_page(shown: Shown) -> str:
    """The whole page.

    Raises:
        LookupError: a tool is in no group, or has no errors.
    """
    lost = [offer.name for offer in shown.offers if not any(offer.name in names for names in GROUPS.values())]
    if lost:
        raise LookupError(f"in no group of docs/reference/tools_page.py: {', '.join(lost)}")
    return "\n".join(_lines(shown)).rstrip("\n") + "\n"


def _lines(shown: Shown) -> Iterator[str]:
    yield _HEAD.replace("EVERY", _codes(EVERY)).replace("LONG", _codes(LONG))
    contents = [(group, " ".join(f"[{name}](#{name})" for name in names)) for group, names in GROUPS.items()]
    yield from table(("what for", "tools"), contents)
    offers = {offer.name: offer for offer in shown.offers}
    results: list[tuple[Any, str]] = []
    for group, names in GROUPS.items():
        yield f"## {group}\n"
        for name in names:
            yield from _tool(offers[name], shown.examples.get(name), results)
    yield from _errors(shown)


def _tool(offer: Offer, example: Example | None, results: list[tuple[Any, str]]) -> Iterator[str]:
    output = offer.output_schema or {}
    long = "anyOf" in output
    yield f"### {offer.name}\n"
    if offer.name == OF_A_FILE:
        yield "Each file in `workflows/` that is right is a tool of its own. This one is there because of\n"
        yield f"```yaml\n{WORKFLOW}```\n"
    marks = [words for flag, words in _FLAGS if getattr(offer, flag)]
    yield f"**{offer.title}.** {plain(offer.description)}\n"
    yield f"{'Long work. ' if long else ''}Told to hosts: {', '.join(marks) or 'nothing more'}.\n"
    header = ("argument", "type", "default", "bounds", "meaning")
    arguments = list(rows(offer.input_schema))
    yield from table(header, [(f"`{path}`", *rest) for path, *rest in arguments])
    if not arguments:
        yield "No arguments.\n"
    yield from _result(offer.name, output["anyOf"][0] if long else output, results)
    codes = RUN if offer.name == OF_A_FILE else OF_TOOL[offer.name]
    also = ", and those of the tool whose work it is" if offer.name == "task_result" else ""
    if codes:
        alone = tuple(code for code in codes if code not in SERVERS)
        together = ["[errors of model servers](#errors)"] if set(SERVERS) <= set(codes) else []
        yield f"Errors: {', '.join([*map(_code, alone), *together])}{also}.\n"
    if example is not None:
        yield "A call and its answer:\n"
        yield from json_block({"name": offer.name, "arguments": example.arguments})
        yield from json_block(example.answer)


def _result(name: str, schema: Mapping[str, Any], results: list[tuple[Any, str]]) -> Iterator[str]:
    for known, where in results:
        if known == schema:
            yield f"The result is that of [{where}](#{where}).\n"
            return
    results.append((schema, name))
    found = [(f"`{path}`", kind, always, meaning) for path, kind, always, _, meaning in rows(schema)]
    optional = [(path, kind if always else f"{kind}, optional", meaning) for path, kind, always, meaning in found]
    yield from table(("result", "type", "meaning"), optional)


def _codes(codes: tuple[str, ...]) -> str:
    return ", ".join(map(_code, codes))


def _code(code: str) -> str:
    return f"`{code}`"


def _errors(shown: Shown) -> Iterator[str]:
    yield "## Errors\n"
    yield _ERRORS.replace("SERVERS", _codes(SERVERS))
    found = [
        (f"`{code}`", *_known(error), ", ".join(f"`{fact}`" for fact in error.facts), plain(_first(error)))
        for code, error in by_code().items()
        if code in named()
    ]
    found.append((f"`{BUG}`", "`bug`", "no", "`file`", "A bug of ours; `file` is the report to send."))
    yield from table(("code", "kind", "retryable", "more", "meaning"), found)
    for example in shown.failures:
        yield from json_block({"name": example.tool, "arguments": example.arguments})
        yield from json_block(example.answer)


def _known(error: Any) -> tuple[str, str]:
    """Kind and retryable, where the class alone tells them."""
    kind = error.kind
    if kind == "bug":
        return "its own", "by kind"
    return f"`{kind}`", "yes" if kind in RETRIED_BY_DEFAULT else "no"


def _first(error: type[Exception]) -> str:
    return (error.__doc__ or "").strip().split("\n\n")[0]
