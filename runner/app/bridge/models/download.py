"""``download_model``: a server fetches a model, and we tell how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from runner.app.bridge.house import BridgeHouse
from runner.app.bridge.models.desk import ModelDesk, model_desk
from runner.app.bridge.models.schema import COUNT, ENDPOINT, SECONDS, TEXT, given, told
from runner.app.bridge.tool import Tool
from runner.chat.offer import Offer, Progress
from runner.edges.model_server.lmstudio import HttpBackend
from runner.edges.model_server.management import Download
from runner.words.errors import LLMConnectionError, LLMError, LLMTimeoutError, LLMValidationError, UsageError
from runner.words.units import show_bytes, show_seconds

POLL_SECONDS: Final = 1.0
"""Between two questions how far it is: the server does not say it by itself."""
FAILURES: Final = 10
"""So many questions in a row may fail; a server that is busy with its disk may be late."""


async def download_model(house: BridgeHouse, arguments: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
    """Have a model downloaded and wait for it, or tell at once how far a ``job`` is.

    ``{text, model, job, status, bytes, total_bytes, seconds_left, endpoint, seconds}``. Who is cancelled stops to wait;
    the server goes on.

    Raises:
        UsageError: neither a model nor a job is named, or both.
        LLMValidationError: no server can be told to, none offers the model, or none knows the job.
        LLMError: the download failed.
    """
    model, job = arguments.get("model"), arguments.get("job")
    if (model is None) == (job is None):
        raise UsageError("name either a `model` to download or the `job` of a download that goes on")
    desk = model_desk(house)
    backend = await _backend(desk, arguments)
    began = desk.clock.monotonic()
    if model is None:
        now = await backend.download_status(str(job))
        return _told(str(job), now, backend.endpoint, desk.clock.monotonic() - began)
    now = await backend.download(model, arguments.get("quantization"))
    while not now.over:
        await progress(
            float(now.bytes), None if now.total_bytes is None else float(now.total_bytes), _words(model, now)
        )
        await desk.clock.sleep(POLL_SECONDS)
        now = await _progress(desk, backend, model, now)
    if now.status == "failed":
        raise LLMError(
            f"the download of `{model}` failed after {show_bytes(now.bytes)}",
            hint="the server's own log says why; is its disk full, is the network there?",
        )
    desk.forget()
    return _told(model, now, backend.endpoint, desk.clock.monotonic() - began)


async def _backend(desk: ModelDesk, arguments: Mapping[str, Any]) -> HttpBackend:
    """The first server that can download.

    Raises:
        LLMValidationError: there is none.
    """
    only = None if arguments.get("endpoint") is None else desk.server(arguments["endpoint"])
    asked = await desk.ask()
    for one in asked.catalogue.endpoints:
        if one.manages and only in (None, one.endpoint) and isinstance(desk.backends[one.endpoint], HttpBackend):
            return desk.http(one.endpoint)
    where = only or ", ".join(one.endpoint for one in asked.catalogue.endpoints)
    raise LLMValidationError(
        f"no server here can be told to download; asked: {where}",
        hint="LM Studio 0.4 and later can; others fetch models by their own means",
    )


async def _progress(desk: ModelDesk, backend: HttpBackend, model: str, before: Download) -> Download:
    """How far it is now; a server that says nothing for a while is asked again.

    Raises:
        LLMError: the server cannot say, or was silent too often.
    """
    if before.job is None:
        raise LLMError(f"the server downloads `{model}` and does not say under which name to ask for it")
    for _ in range(FAILURES - 1):
        try:
            return await backend.download_status(before.job)
        except (LLMConnectionError, LLMTimeoutError):
            await desk.clock.sleep(POLL_SECONDS)
    return await backend.download_status(before.job)


def _told(name: str, now: Download, endpoint: str, seconds: float) -> dict[str, Any]:
    return {
        "text": _words(name, now),
        "model": name,
        "job": now.job,
        "status": now.status,
        "bytes": now.bytes,
        "total_bytes": now.total_bytes,
        "seconds_left": now.seconds_left,
        "endpoint": endpoint,
        "seconds": round(seconds, 3),
    }


def _words(name: str, now: Download) -> str:
    """``qwen/qwen3-8b: downloading, 1.2 GB of 4.7 GB, 26 %, 48s left``."""
    parts = [now.status.replace("_", " ")]
    if now.total_bytes:
        parts += [
            f"{show_bytes(now.bytes)} of {show_bytes(now.total_bytes)}",
            f"{now.bytes * 100 // now.total_bytes} %",
        ]
    if now.seconds_left is not None and not now.over:
        parts.append(f"{show_seconds(now.seconds_left)} left")
    return f"{name}: {', '.join(parts)}"


DOWNLOAD_MODEL: Final = Tool(
    offer=Offer(
        name="download_model",
        title="Download a model",
        description=(
            "Have a server download a model, and wait for it; or, with `job`, tell at once how far a download is. "
            "LM Studio 0.4 and later."
        ),
        input_schema=given(
            {
                "model": {
                    "type": ["string", "null"],
                    "minLength": 1,
                    "default": None,
                    "description": "Key of the model, or the address of its page on Hugging Face.",
                },
                "job": {
                    "type": ["string", "null"],
                    "minLength": 1,
                    "default": None,
                    "description": "The download to ask for, instead of `model`.",
                },
                "quantization": {"type": ["string", "null"], "default": None, "description": "`Q4_K_M` and the like."},
                "endpoint": ENDPOINT,
            }
        ),
        output_schema=told(
            {
                "text": TEXT,
                "model": TEXT,
                "job": {"type": ["string", "null"]},
                "status": {"enum": ["downloading", "paused", "completed", "failed", "already_downloaded"]},
                "bytes": COUNT,
                "total_bytes": {"type": ["integer", "null"], "minimum": 0},
                "seconds_left": {"type": ["number", "null"], "minimum": 0},
                "endpoint": TEXT,
                "seconds": SECONDS,
            }
        ),
        idempotent=True,
        open_world=True,
    ),
    work=download_model,
    long=True,
)
