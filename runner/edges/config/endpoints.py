"""Where the model servers are, and the tokens they want: from command line, environment and configuration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from runner.chat.endpoint import Embedded, Endpoint
from runner.edges.config.configuration import NO_CONFIGURATION, Configuration, ConfiguredEndpoint
from runner.words.diagnostics import Diagnostic
from runner.words.errors import UsageError

DEFAULT_ENDPOINT: Final = "http://127.0.0.1:1234"
DEFAULT_PORT: Final = 1234
EMBEDDED: Final = "embedded"
"""The word that stands for a llama.cpp server of our own where an address could stand."""
TOKEN_VARIABLES: Final = ("LM_API_TOKEN", "LMSTUDIO_API_TOKEN")
"""Where a token is looked for if the configuration names no variable, the first one first."""

_ADDRESS = re.compile(
    r"(?:(?P<scheme>https?)://)?(?P<host>[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[0-9A-Fa-f:.%]+\])"
    r"(?::(?P<port>\d+))?(?P<path>/[A-Za-z0-9_./~-]*)?",
    re.IGNORECASE,
)
_API_PATH = re.compile(r"/+(?:api/v\d+|v\d+)?(?:/(?:chat/completions|models))?/*$")
_BARE_WORD = re.compile(r"[A-Za-z0-9_-]+")
_HINT = "write it as http://127.0.0.1:1234 or as 127.0.0.1:1234"


def endpoints_from(
    given: Sequence[str], environment: Mapping[str, str], config: Configuration = NO_CONFIGURATION
) -> tuple[Endpoint, ...]:
    """The servers to ask, best first, each with its token.

    ``given`` (``--endpoint``) beats ``BRIDGE_RUN_ENDPOINT`` (several with commas), which beats ``LMSTUDIO_HOST`` and
    ``LMSTUDIO_PORT``, which beat the configuration; else it is where LM Studio listens by default. Each may be an
    address, the name of a configured endpoint, ``embedded`` or ``embedded:MODEL``. An address that is configured is
    used as the configuration says.

    Raises:
        UsageError: one of them is none of these, or a token cannot be sent; the message names the place it came from.
    """
    places = _Places(config)
    several = [text for text in environment.get("BRIDGE_RUN_ENDPOINT", "").split(",") if text.strip()]
    if given:
        found = [places.meant_by(text, "--endpoint") for text in given]
    elif several:
        found = [places.meant_by(text, "BRIDGE_RUN_ENDPOINT") for text in several]
    elif any(environment.get(name, "").strip() for name in ("LMSTUDIO_HOST", "LMSTUDIO_PORT")):
        origin = "LMSTUDIO_HOST" if environment.get("LMSTUDIO_HOST", "").strip() else "LMSTUDIO_PORT"
        found = [places.at(_from_lmstudio(environment), origin)]
    elif config.endpoints:
        found = list(config.endpoints)
    else:
        found = [places.at(DEFAULT_ENDPOINT, "the default")]
    unique = {one.endpoint.url: one for one in reversed(found)}
    return tuple(_with_token(unique[url], environment) for url in dict.fromkeys(one.endpoint.url for one in found))


def token_from(environment: Mapping[str, str]) -> str | None:
    """The token for servers without a variable of their own: ``TOKEN_VARIABLES``; None if neither is set.

    Raises:
        UsageError: it has characters that no HTTP header can carry.
    """
    return next((token for name in TOKEN_VARIABLES if (token := _token(name, environment))), None)


def tokens_of(environment: Mapping[str, str], config: Configuration = NO_CONFIGURATION) -> dict[str, str]:
    """Every token that is set, by the name of its variable, used or not: what must never be stored or shown."""
    names = (*TOKEN_VARIABLES, *config.token_variables())
    return {name: token for name in names if (token := environment.get(name, "").strip())}


def unset_tokens(
    endpoints: Iterable[Endpoint], environment: Mapping[str, str], config: Configuration
) -> Iterator[Diagnostic]:
    """Warnings about those of the endpoints whose configured variable holds no token."""
    for endpoint in endpoints:
        written = config.at(endpoint.url)
        if written is None or written.token_env is None or environment.get(written.token_env, "").strip():
            continue
        yield Diagnostic(
            code="BR506",
            message=f"the token of the endpoint `{written.name}` is to stand in {written.token_env}, which is not set",
            file=written.file,
            span=written.token_span,
            level="warning",
            help=f"set {written.token_env}; until then the server is asked without a token",
        )


def normal_endpoint(text: str, origin: str, *, port: int | None = None) -> str:
    """One address in its normal form: scheme, host, port, and the path of a reverse proxy if there is one.

    An address without a port gets ``port``. If that is None, a bare host gets the port of LM Studio, and an address
    with a scheme keeps the scheme's own, as in a browser.

    Raises:
        UsageError: it is no address; the message says so of ``origin``.
    """
    match = _ADDRESS.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{origin}: {_shown(text)} is not the address of a server", hint=_HINT)
    if match["port"]:
        port = _port(match["port"], origin)
    elif port is None and not match["scheme"]:
        port = DEFAULT_PORT
    scheme, host = (match["scheme"] or "http").lower(), match["host"].lower()
    return f"{scheme}://{host}{f':{port}' if port else ''}{_API_PATH.sub('', match['path'] or '')}"


class _Places:
    """What a word means that stands where an address could."""

    def __init__(self, config: Configuration) -> None:
        self._config = config

    def meant_by(self, text: str, origin: str) -> ConfiguredEndpoint:
        word = text.strip()
        named = self._config.named(word)
        if named is not None:
            return named
        kind, _, model = word.partition(":")
        if kind == EMBEDDED and not model.isdigit():  # `embedded:8080` is a host of that name
            return _own_server(word.rstrip(":"), model or None, origin)
        if _BARE_WORD.fullmatch(word):
            self._refuse_misspelt(word, origin)
        return self.at(normal_endpoint(text, origin), origin)

    def at(self, url: str, origin: str) -> ConfiguredEndpoint:
        return self._config.at(url) or ConfiguredEndpoint(endpoint=Endpoint(url=url, origin=origin), name="")

    def _refuse_misspelt(self, word: str, origin: str) -> None:
        """A bare word may be a host; one that is nearly the name of an endpoint must say which it is."""
        from runner.words.suggest import nearest

        near = nearest(word, self._config.names, 1) if self._config.names else ()
        if near:
            ways = f"did you mean `{near[0]}`? The host is written `{word}:{DEFAULT_PORT}`"
            raise UsageError(f"{origin}: no endpoint `{word}` is configured", hint=ways)


def _own_server(word: str, model: str | None, origin: str) -> ConfiguredEndpoint:
    return ConfiguredEndpoint(endpoint=Endpoint(url=word, origin=origin, embedded=Embedded(model=model)), name="")


def _with_token(one: ConfiguredEndpoint, environment: Mapping[str, str]) -> Endpoint:
    """A token goes only where it belongs: a variable of its own that is not set is not replaced by another one."""
    if one.endpoint.embedded is not None:
        return one.endpoint
    token = _token(one.token_env, environment) if one.token_env else token_from(environment)
    return replace(one.endpoint, token=token or None)


def _token(name: str, environment: Mapping[str, str]) -> str:
    token = environment.get(name, "").strip()
    if token and not (token.isascii() and token.isprintable()):
        raise UsageError(f"{name} has characters that a token cannot have", hint="copy the token once more")
    return token


def _from_lmstudio(environment: Mapping[str, str]) -> str:
    """What LM Studio's own variables say; a port within ``LMSTUDIO_HOST`` wins."""
    host = environment.get("LMSTUDIO_HOST", "").strip()
    port = environment.get("LMSTUDIO_PORT", "").strip()
    return normal_endpoint(host or "127.0.0.1", "LMSTUDIO_HOST", port=_port(port, "LMSTUDIO_PORT") if port else None)


def _port(text: str, origin: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536):
        raise UsageError(f"{origin}: `{text}` is not a port; ports go from 1 to 65535", hint=_HINT)
    return int(text)


def _shown(text: str) -> str:
    """The text as it may be shown: a password in an address is not."""
    return "an address with a user name" if "@" in text else f"`{text.strip()}`"
