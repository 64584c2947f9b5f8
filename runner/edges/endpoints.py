"""Where the model servers are, and the token they want: from the command line and the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from runner.words.errors import UsageError

DEFAULT_ENDPOINT: Final = "http://127.0.0.1:1234"
DEFAULT_PORT: Final = 1234

_ADDRESS = re.compile(
    r"(?:(?P<scheme>https?)://)?(?P<host>[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[0-9A-Fa-f:.%]+\])"
    r"(?::(?P<port>\d+))?(?P<path>/[A-Za-z0-9_./~-]*)?",
    re.IGNORECASE,
)
_API_PATH = re.compile(r"/+(?:api/v\d+|v\d+)?(?:/(?:chat/completions|models))?/*$")
_HINT = "write it as http://127.0.0.1:1234 or as 127.0.0.1:1234"


def endpoints_from(given: Sequence[str], environment: Mapping[str, str]) -> tuple[str, ...]:
    """The addresses to ask, best first, without trailing slashes or ``/v1``.

    ``given`` (``--endpoint``) beats ``BRIDGE_RUN_ENDPOINT`` (several with commas), which beats ``LMSTUDIO_HOST`` and
    ``LMSTUDIO_PORT``; else it is where LM Studio listens by default.

    Raises:
        UsageError: one of them is no address; the message names the place it came from.
    """
    if given:
        return tuple(dict.fromkeys(normal_endpoint(text, "--endpoint") for text in given))
    several = [text for text in environment.get("BRIDGE_RUN_ENDPOINT", "").split(",") if text.strip()]
    if several:
        return tuple(dict.fromkeys(normal_endpoint(text, "BRIDGE_RUN_ENDPOINT") for text in several))
    return (_from_lmstudio(environment),)


def token_from(environment: Mapping[str, str]) -> str | None:
    """The token for the servers, from ``LM_API_TOKEN`` or ``LMSTUDIO_API_TOKEN``; None if neither is set.

    Raises:
        UsageError: it has characters that no HTTP header can carry.
    """
    for name in ("LM_API_TOKEN", "LMSTUDIO_API_TOKEN"):
        token = environment.get(name, "").strip()
        if token:
            if not (token.isascii() and token.isprintable()):
                raise UsageError(f"{name} has characters that a token cannot have", hint="copy the token once more")
            return token
    return None


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
