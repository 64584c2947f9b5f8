"""The page about ``import runner``: signatures, docstrings, the fields of nouns, events, and the tree of errors."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Final

from markdown_text import WIDTH, plain, prose, table
from python_names import Place, home_of, is_noun, meaning_of, names_in, value_of, words_of_fields
from tool_errors import children, family

import runner
from runner.record.events import EVENTS
from runner.record.wire import TYPE_NAMES
from runner.words.errors import RETRIED_BY_DEFAULT, BridgeError

NAMES: Final = dir(runner)
"""``runner.__all__``."""
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "Runs": ("run_sync", "run", "start", "LiveRun", "Run", "Entry"),
    "Files": ("check", "CheckReport", "load", "Workflow"),
    "The bridge": ("Bridge", "TaskEnd", "ModelValidator"),
    "The package": ("__version__",),
}
"""The names that are no errors."""
MADE_BY: Final = {"LiveRun": "start"}
"""Classes that nobody calls, and what gives them."""
_HEAD: Final = """\
# Reference: `import runner`

Made by `make docs` from signatures and docstrings; a test holds the two together. [From Python](python.md) shows
them at work, the [reference of the tools](reference-tools.md) has the same for MCP hosts.
"""
_EVENTS: Final = """\
What `entry.event` may be, in `runner.record.events`. In the journal an event is one JSON line: `seq`, `at`, `run`,
`type` and the fields below; those that are None are left out. `step` is the id of a step, that of a called workflow
after the calling step (`call/draft`, in a fan-out `call[3]/draft`); `item` is the index, from 0, of the item of a
fan-out that the event is about, None for the step as a whole. Read fields by name: later versions may have more.
"""
_ERRORS: Final = """\
Every error is a `BridgeError`: one `except` catches all. `kind` says what went wrong in the words of `retry.on`;
where a cell is empty it differs from case to case. The exit code is that of `bridge-run`, where the error ends it.
What has no link is not imported from `runner` itself, and is caught as what it is a child of.
"""


def python_page() -> str:
    """The whole page.

    Raises:
        LookupError: a name of ``runner.__all__`` is in no group.
    """
    grouped = {name for names in GROUPS.values() for name in names}
    lost = [name for name in NAMES if name not in grouped and not _is_error(getattr(runner, name))]
    if lost:
        raise LookupError(f"in no group of docs/reference/python_page.py: {', '.join(lost)}")
    return "\n".join(_lines()).rstrip("\n") + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD
    errors = [name for name in NAMES if _is_error(getattr(runner, name))]
    contents = {**GROUPS, "Errors": (*errors,)}
    yield from table(("", "names"), [(f"[{group}](#{_anchor(group)})", _links(contents[group])) for group in contents])
    told: list[Place] = []
    for group, names in GROUPS.items():
        yield f"## {group}\n"
        for name in names:
            value = getattr(runner, name)
            yield from _name(name, value)
            if inspect.isclass(value):
                told.append((value.__module__, value.__qualname__))
    nouns, aliases = _reached(told)
    yield "## What they hold\n"
    for place in nouns:
        yield from _name(place[1], value_of(place))
    yield "## Names of types\n"
    yield from table(
        ("name", "stands for"), [(f"`{name}`", f"`{meaning}`") for name, meaning in sorted(aliases.items())]
    )
    yield f"## Events\n\n{_EVENTS}"
    for event in EVENTS:
        yield f"### {event.__name__}\n"
        yield f"`type` in the journal: `{TYPE_NAMES[event]}`.\n"
        yield from prose(event.__doc__)
        yield from _fields(event)
    yield f"## Errors\n\n{_ERRORS}"
    yield from _errors()


def _name(name: str, value: Any) -> Iterator[str]:
    yield f"### {_title(name)}\n"
    if isinstance(value, str):
        yield "The version of the package, a text such as `1.2.3`.\n"
    elif inspect.isclass(value):
        if name in MADE_BY:
            yield f"Made by [{MADE_BY[name]}](#{_anchor(MADE_BY[name])}).\n"
        elif not is_noun(value):
            yield from _signature(name, value)
        yield from prose(value.__doc__)
        yield from _fields(value)
        yield from _members(name, value)
    else:
        yield from _signature(name, value)
        yield from prose(value.__doc__)


def _members(owner: str, kind: type) -> Iterator[str]:
    """Its public methods and properties, in the order of the source."""
    for name, member in vars(kind).items():
        function = getattr(member, "fget", None) or getattr(member, "__func__", member)
        if name.startswith("_") or not inspect.isfunction(function):
            continue
        if isinstance(member, property):
            returns = inspect.signature(function).return_annotation
            yield f"**`{owner}.{name}`**: `{returns}`. {' '.join(prose(function.__doc__)).strip()}\n"
        elif not isinstance(member, classmethod):
            yield f"#### {owner}.{name}\n"
            yield from _signature(name, function, bound=True)
            yield from prose(function.__doc__)


def _signature(name: str, value: Any, *, bound: bool = False) -> Iterator[str]:
    """As it is written, an argument a line where it is long."""
    signature = inspect.signature(value)
    given = [one for one in signature.parameters.values() if not (bound and one.name == "self")]
    function = value.__init__ if inspect.isclass(value) else value
    before = "class " if inspect.isclass(value) else "async def " if inspect.iscoroutinefunction(value) else "def "
    if inspect.isasyncgenfunction(function):
        before = "async def "
    returns = "" if inspect.isclass(value) else f" -> {signature.return_annotation}"
    words = list(_parameters(given))
    line = f"{before}{name}({', '.join(words)}){returns}"
    if len(line) > WIDTH:
        line = f"{before}{name}(\n" + "".join(f"    {word},\n" for word in words) + f"){returns}"
    yield f"```python\n{line}\n```\n"


def _parameters(given: Iterable[inspect.Parameter]) -> Iterator[str]:
    starred = False
    for one in given:
        if one.kind is one.KEYWORD_ONLY and not starred:
            starred = True
            yield "*"
        default = "" if one.default is one.empty else f" = {one.default!r}"
        yield f"{one.name}: {one.annotation}{default}"


def _fields(noun: Any) -> Iterator[str]:
    if not is_dataclass(noun):
        found = getattr(noun, "_fields", ())
        types = {
            name: getattr(noun.__annotations__[name], "__forward_arg__", noun.__annotations__[name]) for name in found
        }
        yield from table(("field", "type"), [(f"`{name}`", f"`{kind}`") for name, kind in types.items()])
        return
    words = words_of_fields(noun)  # type: ignore[arg-type]  # a class, not an instance
    rows = [(f"`{one.name}`", f"`{one.type}`", _default(one), plain(words.get(one.name, ""))) for one in fields(noun)]
    yield from table(("field", "type", "default", "meaning"), rows)


def _default(one: Any) -> str:
    if one.default_factory is not MISSING:
        made = one.default_factory()
        return f"`{made!r}`" if not made else ""
    if one.default is MISSING:
        return ""
    return f"`{type(one.default).__name__}()`" if is_dataclass(one.default) else f"`{one.default!r}`"


def _reached(told: Iterable[Place]) -> tuple[list[Place], dict[str, str]]:
    """The nouns and the names of types that somebody meets who begins with the public names, each once."""
    known, nouns = set(told), []
    known |= {(event.__module__, event.__name__) for event in EVENTS}
    aliases: dict[str, str] = {}
    begin = [(runner.run.__module__, one) for one in _annotations(runner.run)]
    begin += [found for place in told for found in _told_by(value_of(place))]
    begin += [found for event in EVENTS for found in _told_by(event)]
    while begin:
        module, annotation = begin.pop(0)
        for name in names_in(annotation):
            place = home_of(module, name)
            if place is None or place in known or name.startswith("_"):
                continue
            known.add(place)
            value = value_of(place)
            if is_noun(value):
                nouns.append(place)
                begin += _told_by(value)
            elif not inspect.isclass(value):
                aliases[name] = meaning_of(place)
                begin.append((place[0], aliases[name]))
    return nouns, aliases


def _told_by(kind: Any) -> list[Place]:
    """``(module, annotation)`` of all that its public face mentions."""
    if kind.__name__ in MADE_BY:
        found = []
    elif is_noun(kind):
        found = [str(one.type) for one in fields(kind)] if is_dataclass(kind) else []
    else:
        found = list(_annotations(kind))
    members = [getattr(member, "fget", None) or member for name, member in vars(kind).items() if name[0] != "_"]
    found += [one for member in members if inspect.isfunction(member) for one in _annotations(member)]
    return [(kind.__module__, one) for one in found]


def _annotations(value: Any) -> Iterator[str]:
    signature = inspect.signature(value)
    for one in (*(one.annotation for one in signature.parameters.values()), signature.return_annotation):
        if isinstance(one, str):
            yield one


def _errors() -> Iterator[str]:
    public = [error for error in family() if error.__module__.startswith("runner.words.")]
    yield "```text"
    yield from _tree(BridgeError, "", "")
    yield "```\n"
    rows = []
    for error in public:
        kind = "" if error.kind == "bug" else f"`{error.kind}`"
        retryable = "" if error.kind == "bug" else "yes" if error.kind in RETRIED_BY_DEFAULT else "no"
        name = f"[{error.__name__}](#{_anchor(error.__name__)})" if error.__name__ in NAMES else f"`{error.__name__}`"
        rows.append((name, kind, retryable, str(int(error.exit_code))))
    yield from table(("error", "kind", "retryable", "exit code"), rows)
    for error in public:
        if error.__name__ in NAMES:
            yield f"### {error.__name__}\n"
            yield from prose(error.__doc__)
            own = [name for name in error.facts if name not in error.__mro__[1].__dict__.get("facts", ())]
            if own:
                yield f"Has, and tells in `to_dict()`: {', '.join(f'`{name}`' for name in own)}.\n"
            if error is BridgeError:
                yield "Has `message`, `hint` (what to do, or None), `kind` and `exit_code`; and these:\n"
                yield from _members(error.__name__, error)


def _tree(error: type[BridgeError], first: str, rest: str) -> Iterator[str]:
    yield f"{first}{error.__name__}"
    below = [one for one in children(error) if one.__module__.startswith("runner.words.")]
    for child in below:
        last = child is below[-1]
        yield from _tree(child, rest + ("└── " if last else "├── "), rest + ("    " if last else "│   "))


def _is_error(value: Any) -> bool:
    return inspect.isclass(value) and issubclass(value, BridgeError)


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


def _title(name: str) -> str:
    """``run`` and ``Run`` are two places for people, and one for links, so classes are called so."""
    value = getattr(runner, name, None)
    if isinstance(value, str):
        return f"`{name}`"
    return name if inspect.isfunction(value) or _is_error(value) else f"class {name}"


def _links(names: Iterable[str]) -> str:
    return " ".join(f"[`{name}`](#{_anchor(_title(name).strip('`'))})" for name in names)
