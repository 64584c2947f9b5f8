"""Loading, unloading and downloading models on LM Studio 0.4 and later.

The shapes are those of its documentation (``/api/v1/models/load``, ``unload``, ``download``, ``download/status``). A
load answers only when the model is there, without a word about its progress, and its keys are strict: an unknown one
is a 400. What was loaded may differ from what was asked (MLX fits the context itself), so the list is read back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, Literal, get_args
from urllib.parse import quote

from runner.chat.catalogue import EndpointCatalogue, Instance, ModelEntry, ServerFlavour
from runner.edges.model_server import listing
from runner.edges.model_server.errors import classify
from runner.edges.model_server.failure_text import error_text
from runner.edges.model_server.http import HttpClient, Reply
from runner.words.errors import (
    LLMError,
    LLMResponseError,
    LLMTimeoutError,
    LLMValidationError,
    ModelNotFoundError,
)
from runner.words.noun import noun

LOAD_SECONDS: Final = 3600.0
"""The longest load: a large model from a slow disk takes a quarter of an hour. Callers set tighter bounds of theirs."""

UNLOAD_SECONDS: Final = 60.0
LIST_SECONDS: Final = 30.0
"""For the list after a load, of a server that is busy and still owes it."""

_LOAD, _UNLOAD, _MODELS = "/api/v1/models/load", "/api/v1/models/unload", "/api/v1/models"
_DOWNLOAD, _DOWNLOADING = "/api/v1/models/download", "/api/v1/models/download/status/"

_KINDS: Final[Mapping[ServerFlavour, tuple[str, str]]] = {
    "lmstudio-v0": ("an LM Studio older than 0.4", "update LM Studio, or load and unload by hand (`lms load`)"),
    "lmstudio": ("an LM Studio older than 0.3.6", "update LM Studio, or load and unload by hand (`lms load`)"),
    "llama.cpp": ("llama.cpp's server", "start it with the model that is wanted"),
    "ollama": ("Ollama, which loads on demand", "ask the model: Ollama loads it by itself"),
    "vllm": ("vLLM", "start it with the model that is wanted"),
    "openai": ("a server of no known kind", "load the model with that server's own means"),
}

DownloadStatus = Literal["downloading", "paused", "completed", "failed", "already_downloaded"]


@noun
class Download:
    """How far a download is. ``job`` names it, None if there was nothing to do. Sizes in bytes, None = not said.

    ``seconds_left`` is reckoned from the server's own speed.
    """

    status: DownloadStatus
    job: str | None = None
    bytes: int = 0
    total_bytes: int | None = None
    seconds_left: float | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more will come of it, well or badly."""
        return self.status not in ("downloading", "paused")


def check_manages(found: EndpointCatalogue, purpose: str) -> None:
    """Nothing, if that server can be told what to load. ``purpose`` follows "cannot be told to".

    Raises:
        LLMValidationError: it cannot; the message names what kind of server it is.
    """
    if not found.manages:
        kind, hint = _KINDS.get(found.flavour, ("a server without management", "load the model by hand"))
        raise LLMValidationError(f"{found.endpoint} is {kind}, and cannot be told to {purpose}", hint=hint)


async def load(
    http: HttpClient, model: str, settings: Mapping[str, Any], known: tuple[ModelEntry, ...] = ()
) -> tuple[Instance, tuple[ModelEntry, ...]]:
    """Load one more copy; the copy as the server then lists it, and that list (empty if it did not come).

    ``settings`` that are None are left out. ``known`` are the models of the server, for variants and for messages.

    Raises:
        ModelMemoryError: it does not fit; with the sizes where the server says them.
        ModelNotFoundError: there is no such model.
        LLMError: anything else, by class; a server that accepts the load and then does not list it has lost it.
    """
    names = _load_names(model, known)
    for last, name in enumerate(names, 1 - len(names)):
        try:
            said = await _load_as(http, model, name, settings, known)
            break
        except ModelNotFoundError:
            if last == 0:
                raise
    return await _read_back(http, model, said)


async def unload(http: HttpClient, instance: str) -> None:
    """Unload an instance; one that is gone already is none the worse.

    Raises:
        LLMError: it could not be unloaded, by class.
    """
    reply = await _command(http, _UNLOAD, {"instance_id": instance}, UNLOAD_SECONDS)
    if reply.status == 200 and not _complains(reply):
        return
    error = classify(status=reply.status, body=reply.body, model=instance, where=http.endpoint)
    # that an unknown instance is a 404 is a guess of many clients; "No models loaded" says the same
    gone = isinstance(error, ModelNotFoundError) or "no models loaded" in error.message.casefold()
    if not gone and (reply.status != 404 or _is_foreign(reply)):
        raise error


async def download(http: HttpClient, model: str, quantization: str | None = None) -> Download:
    """Begin to download a model, by its key or the address of its page on Hugging Face.

    Raises:
        LLMError: the server refuses, by class; a model that nobody offers has the kind ``model_not_found``.
    """
    body = {"model": model} if quantization is None else {"model": model, "quantization": quantization}
    reply = await _command(http, _DOWNLOAD, body, LIST_SECONDS)
    return _read_download(http, reply, model)


async def download_status(http: HttpClient, job: str) -> Download:
    """How far the download of that job is; to be asked again and again, for the server does not say it by itself.

    Raises:
        LLMError: the job is not known, or the server cannot say, by class.
    """
    reply = await http.get(_DOWNLOADING + quote(job, safe=""), seconds=LIST_SECONDS)
    return _read_download(http, reply, job, job=job)


def _load_names(model: str, known: tuple[ModelEntry, ...]) -> tuple[str, ...]:
    """The names to try, in this order: the load takes keys, and not every version of it takes ``key@variant``.

    The key alone loads the variant that is selected in LM Studio. It only stands for a variant that this may be.
    """
    key, _, variant = model.partition("@")
    if not variant:
        return (model,)
    entry = next((one for one in known if one.key.casefold() == key.casefold()), None)
    selected = entry.quantization if entry is not None else None
    return (key, model) if selected is None or selected.casefold() == variant.casefold() else (model,)


async def _load_as(
    http: HttpClient, model: str, name: str, settings: Mapping[str, Any], known: tuple[ModelEntry, ...]
) -> Mapping[str, Any]:
    """The answer to a load that succeeded: it has an ``instance_id``."""
    given = {key: value for key, value in settings.items() if value is not None}
    body = {"model": name, **given, "echo_load_config": True}
    try:
        reply = await _command(http, _LOAD, body, LOAD_SECONDS)
    except LLMTimeoutError as error:
        raise LLMTimeoutError(
            f"`{model}` on {http.endpoint} was not loaded within {LOAD_SECONDS / 60:g} min",
            hint="load it by hand once: the server's own window shows how it goes",
        ) from error
    if reply.status != 200 or _complains(reply):
        available = tuple(entry.key for entry in known)
        raise classify(status=reply.status, body=reply.body, model=model, where=http.endpoint, available=available)
    said = reply.json
    if not isinstance(said, Mapping) or not isinstance(said.get("instance_id"), str) or not said["instance_id"]:
        raise LLMResponseError(
            f"{http.endpoint} was told to load `{model}` and does not say what it loaded: {error_text(reply.body)}"
        )
    return said


async def _read_back(http: HttpClient, model: str, said: Mapping[str, Any]) -> tuple[Instance, tuple[ModelEntry, ...]]:
    """What the list says of the new instance; what the load itself said if no list comes."""
    name = said["instance_id"]
    try:
        listed = listing.from_v1((await http.get(_MODELS, seconds=LIST_SECONDS)).json)
    except LLMError:
        listed = None
    if listed is None:
        return listing.lmstudio_instance(name, said.get("load_config")), ()
    found = next((one for entry in listed for one in entry.instances if one.id == name), None)
    if found is None:
        raise LLMResponseError(
            f"{http.endpoint} loaded `{model}` as `{name}` and has lost it at once",
            hint="it may have crashed, or been pushed out by another model's loading",
        )
    return found, listed


async def _command(http: HttpClient, path: str, body: Mapping[str, Any], seconds: float) -> Reply:
    return await http.command(path, json.dumps(body, default=dict).encode(), seconds=seconds)


def _complains(reply: Reply) -> bool:
    """Whether the body is a complaint, which LM Studio sends under 200 too."""
    said = reply.json
    return not isinstance(said, Mapping) or bool(said.get("error"))


def _is_foreign(reply: Reply) -> bool:
    """Whether a 404 is that of a server which does not know the route at all: no complaint of LM Studio's."""
    said = reply.json
    return not (isinstance(said, Mapping) and "error" in said)


def _read_download(http: HttpClient, reply: Reply, model: str, *, job: str | None = None) -> Download:
    if reply.status >= 400 or _complains(reply):
        raise _download_error(http, reply, model, job)
    said = reply.json
    status = said.get("status")
    if status not in get_args(DownloadStatus):
        raise LLMResponseError(f"{http.endpoint} says nothing known of the download of `{model}`: {status!r}")
    total, done = listing.count(said.get("total_size_bytes")), listing.count(said.get("downloaded_bytes")) or 0
    speed = listing.count(said.get("bytes_per_second"))
    return Download(
        status=status,
        job=said.get("job_id") if isinstance(said.get("job_id"), str) else job,
        bytes=done,
        total_bytes=total,
        seconds_left=max(0, total - done) / speed if total is not None and speed is not None else None,
    )


def _download_error(http: HttpClient, reply: Reply, model: str, job: str | None) -> LLMError:
    text = error_text(reply.body)
    if job is not None and (reply.status == 404 or "job_not_found" in reply.body.decode("utf-8", "replace")):
        return LLMValidationError(f"{http.endpoint} knows no download `{job}`: {text}")
    error = classify(status=reply.status, body=reply.body, model=model, where=http.endpoint)
    if isinstance(error, ModelNotFoundError):  # that one speaks of models which are there
        return LLMValidationError(
            f"{http.endpoint} finds no model `{model}` to download: {text}", kind="model_not_found"
        )
    return error
