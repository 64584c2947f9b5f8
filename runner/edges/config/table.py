"""What the words of a configuration mean. Every fault of a file is found at once; nothing is passed over."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path as FilePath
from typing import Any, Final, TypeVar

from runner.chat.endpoint import Embedded, Endpoint
from runner.edges.config.configuration import CATALOGUE_SECONDS, Configuration, ConfiguredEndpoint
from runner.edges.config.endpoints import EMBEDDED, normal_endpoint
from runner.edges.config.place import key_span, line_of
from runner.words.diagnostics import Diagnostic, in_file_order
from runner.words.errors import UsageError, WorkflowError
from runner.words.spans import Path, show_path
from runner.words.suggest import did_you_mean, nearest
from runner.words.units import DURATION_HINT, parse_duration, parse_size

Value = TypeVar("Value")

TOP: Final = ("default_model", "catalogue_ttl", "endpoints")
SHARED: Final = ("parallel", "max_loaded", "memory", "first_byte_timeout", "idle_timeout")
OF_ADDRESS: Final = ("url", "token_env")
OF_EMBEDDED: Final = ("embedded", "models_folder", "context_length")
ENDPOINT: Final = (*OF_ADDRESS, *OF_EMBEDDED, *SHARED)
_FOR_URL: Final = ("address", "base_url", "host", "endpoint", "api_base")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_AWAY_HINT = 'keep it out of the file: put it into a variable, and name that: `token_env = "LM_API_TOKEN"`'
_SIZE_HINT = "write a whole number and a unit: 512MB, 24GB"


def decode_configuration(
    table: Mapping[str, Any], *, text: str, file: str, folder: FilePath, prefix: Path, home: FilePath | None
) -> Configuration:
    """The configuration of one file, whose ``text`` holds our ``table`` below ``prefix``.

    Paths in it count from ``folder``, where the file lies; ``~`` is ``home``.

    Raises:
        WorkflowError: with all findings: unknown keys (BR502), wrong values (BR503), a token (BR504).
    """
    table_reader = _Table(text=text, file=file, folder=folder, prefix=prefix, home=home)
    configuration = table_reader.configuration(table)
    if table_reader.findings:
        raise WorkflowError(in_file_order(table_reader.findings))
    return configuration


class _Table:
    """One file's table while it is read."""

    def __init__(self, *, text: str, file: str, folder: FilePath, prefix: Path, home: FilePath | None) -> None:
        self._text = text
        self._file = file
        self._folder = folder
        self._prefix = prefix
        self._home = home
        self.findings: list[Diagnostic] = []

    def configuration(self, table: Mapping[str, Any]) -> Configuration:
        self._refuse_unknown(table, (), TOP)
        default = self._value(table, "default_model", (), _word)
        if default == "default":
            self._fault(("default_model",), "`default_model` is to name a model; `default` stands for itself")
        return Configuration(
            default_model=default,
            catalogue_ttl=self._value(table, "catalogue_ttl", (), _seconds) or CATALOGUE_SECONDS,
            endpoints=self._endpoints(table.get("endpoints", {})),
            files=(self._file,),
        )

    def _endpoints(self, tables: Any) -> tuple[ConfiguredEndpoint, ...]:
        if not isinstance(tables, Mapping):
            self._fault(("endpoints",), "`endpoints` is to be tables", "write `[endpoints.NAME]` and its keys below")
            return ()
        found: dict[str, ConfiguredEndpoint] = {}
        for name, table in tables.items():
            one = self._endpoint(name, table)
            if one is None:
                continue
            twin = found.setdefault(one.endpoint.url, one)
            if twin is not one:
                message = f"the endpoints `{twin.name}` and `{name}` have the same address {one.endpoint.url}"
                self._fault(("endpoints", name, "url"), message, "keep one of the two")
        return tuple(found.values())

    def _endpoint(self, name: str, table: Any) -> ConfiguredEndpoint | None:
        at: Path = ("endpoints", name)
        before = len(self.findings)
        if not _NAME.fullmatch(name):
            ways = "take letters, digits, `_` and `-`, and a letter first: a dot or a colon looks like an address"
            self._fault(at, f"`{name}` cannot be the name of an endpoint", ways)
        if not isinstance(table, Mapping):
            self._fault(at, f"`endpoints.{name}` is to be a table", f"write `[endpoints.{name}]` and its keys below")
            return None
        self._refuse_unknown(table, at, ENDPOINT)
        own = self._is_embedded(name, table, at)
        shared = self._shared(table, at)
        embedded = self._embedded(table, at, shared["parallel"]) if own else None
        url = EMBEDDED if name == EMBEDDED else f"{EMBEDDED}:{name}"
        if not own:
            url = self._value(table, "url", at, _address) or ""
        variable = self._value(table, "token_env", at, _variable, private=True)
        if len(self.findings) > before:
            return None
        return ConfiguredEndpoint(
            endpoint=Endpoint(url=url, name=name, origin=self._file, embedded=embedded, **shared),
            name=name,
            token_env=variable,
            file=self._file,
            span=self._span(at),
            token_span=self._span((*at, "token_env")),
        )

    def _is_embedded(self, name: str, table: Mapping[str, Any], at: Path) -> bool:
        """Which of the two kinds it is; both or none is a fault, and so are the keys of the other kind."""
        own = "embedded" in table
        if own == ("url" in table):
            what = "both `url` and `embedded`" if own else "neither `url` nor `embedded`"
            ways = 'keep `url = "http://127.0.0.1:1234"` for a server, `embedded = true` for one of our own'
            self._fault(at, f"the endpoint `{name}` has {what}", ways)
            return own
        for key in OF_ADDRESS if own else OF_EMBEDDED:
            if key in table:
                kind = "an embedded server has none" if own else "only an embedded server has it"
                self._fault((*at, key), f"`{key}` does not belong to the endpoint `{name}`: {kind}", "take it out")
        if name == EMBEDDED and not own:
            self._fault(at, f"the name `{EMBEDDED}` stands for a server of our own", "give the endpoint another name")
        return own

    def _shared(self, table: Mapping[str, Any], at: Path) -> dict[str, Any]:
        values: dict[str, Any] = {
            "parallel": self._value(table, "parallel", at, _count),
            "max_loaded": self._value(table, "max_loaded", at, _count),
            "memory": self._value(table, "memory", at, _bytes),
            "first_byte_timeout": self._value(table, "first_byte_timeout", at, _seconds),
        }
        idle = self._value(table, "idle_timeout", at, _seconds)
        return values if idle is None else values | {"idle_timeout": idle}

    def _embedded(self, table: Mapping[str, Any], at: Path, parallel: int | None) -> Embedded:
        model = self._value(table, "embedded", at, _model_file)
        folder = self._value(table, "models_folder", at, _word)
        return Embedded(
            model=self._path(model) if model and model.lower().endswith(".gguf") else model or None,
            models_folder=self._path(folder) if folder else None,
            context_length=self._value(table, "context_length", at, _count),
            parallel=parallel or 1,
        )

    def _path(self, text: str) -> str:
        if self._home is not None and (text == "~" or text.startswith("~/")):
            return str(self._home / text[2:])
        return str(self._folder / text)

    def _value(
        self, table: Mapping[str, Any], key: str, at: Path, read: Callable[[Any], Value], *, private: bool = False
    ) -> Value | None:
        """The value of a key as ``read`` understands it; None if it is not there, or wrong and complained of."""
        if key not in table:
            return None
        try:
            return read(table[key])
        except _WrongError as wrong:
            self._fault((*at, key), f"`{key}` {wrong.what}", wrong.ways, private=private)
        return None

    def _refuse_unknown(self, table: Mapping[str, Any], at: Path, known: Iterable[str]) -> None:
        for key in table:
            if key in known:
                continue
            if key in {"token", "api_key", "api_token", "password"}:
                self._fault((*at, key), f"a token stands in the file: `{key}`", _AWAY_HINT, code="BR504", private=True)
                continue
            every = ", ".join(f"`{name}`" for name in known)
            ways = did_you_mean(key, known) or _other_word(key, known) or f"the keys are {every}"
            where = f" in `{show_path(at)}`" if at else ""
            self._fault((*at, key), f"unknown key `{key}`{where}", ways, code="BR502")

    def _fault(
        self, at: Path, message: str, ways: str | None = None, *, code: str = "BR503", private: bool = False
    ) -> None:
        """A finding about the key ``at`` that place; of one that is ``private`` no word of its line is shown."""
        span = None if private else self._span(at)
        line = line_of(self._text, (*self._prefix, *at)) if private else None
        text = f"{message} (line {line})" if line else message
        self.findings.append(Diagnostic(code=code, message=text, file=self._file, span=span, help=ways))

    def _span(self, at: Path) -> Any:
        return key_span(self._text, (*self._prefix, *at))


def _other_word(key: str, known: Iterable[str]) -> str | None:
    """A hint for those who call a key as other programs do."""
    meant = "url" if nearest(key, _FOR_URL, 1) else ""
    return f"did you mean `{meant}`?" if meant in known else None


class _WrongError(Exception):
    """A value that cannot be read: what it should be, and how to write it."""

    def __init__(self, what: str, ways: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.ways = ways


def _word(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _WrongError("is to be a text", "write it in quotes")
    return value.strip()


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise _WrongError("is to be a whole number, 1 or more", "write it without quotes")
    return value


def _seconds(value: Any) -> float:
    return _unit(value, parse_duration, "a duration", DURATION_HINT)


def _bytes(value: Any) -> int:
    return _unit(value, parse_size, "a size", _SIZE_HINT)


def _unit(value: Any, parse: Callable[[str], Value], what: str, ways: str) -> Value:
    try:
        return parse(value)
    except (ValueError, TypeError) as error:
        raise _WrongError(f"is to be {what} in quotes", ways) from error


def _address(value: Any) -> str:
    try:
        return normal_endpoint(_word(value), "url")
    except UsageError as error:
        raise _WrongError(f"is no address: {error.message.partition(': ')[2]}", error.hint) from error


def _variable(value: Any) -> str:
    if not isinstance(value, str) or not _VARIABLE.fullmatch(value):
        raise _WrongError("is to be the name of an environment variable, not the token itself", _AWAY_HINT)
    return value


def _model_file(value: Any) -> str:
    """The model of an embedded server; an empty text for ``true``, which leaves it open."""
    if value is True:
        return ""
    if not isinstance(value, str) or not value.strip():
        raise _WrongError("is to be `true`, a GGUF file or the key of a model", "leave the endpoint out to have none")
    return value.strip()
