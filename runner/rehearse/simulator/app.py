"""The routes of the simulator: LM Studio's three interfaces, by version, behind its token.

The only door to starlette.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from runner.rehearse.simulator import ask, listing, refusal
from runner.rehearse.simulator.embed import embeddings
from runner.rehearse.simulator.engine import Engine
from runner.rehearse.simulator.responses_ask import read_response
from runner.rehearse.simulator.script import ScriptedModel
from runner.rehearse.simulator.stage import Form, Outcome, Stage, send_json
from runner.rehearse.simulator.state import domain_of
from runner.words.noun import noun

Body = dict[str, Any]
OnRequest = Callable[["Served"], None]
Endpoint = Callable[["Call"], Awaitable[None]]
_DOWNLOAD_STATUS = "/api/v1/models/download/status/"


@noun
class Served:
    """A request that is over, for the log; ``body`` is the parsed JSON of the request, None if it had none."""

    method: str
    path: str
    outcome: Outcome
    seconds: float
    body: Body | None


@noun
class Call:
    """A request on its way through: where it goes, what it says, and how to answer."""

    method: str
    path: str
    body: Body | None
    send: Send
    outcome: Outcome

    @property
    def said(self) -> Body:
        """The body; a missing one counts as empty, as with LM Studio."""
        return self.body or {}

    async def answer(self, body: Any, status: int = 200) -> None:
        """Send one JSON answer."""
        self.outcome.status = status
        await send_json(self.send, status, body)


class App:
    """The ASGI application of one script."""

    def __init__(self, engine: Engine, on_request: OnRequest | None = None) -> None:
        self._engine = engine
        self._on_request = on_request
        self._settings = engine.script.settings
        self._routes = self._table()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; everything else that ASGI knows is left unanswered."""
        if scope["type"] != "http":
            return
        began = self._engine.clock()
        outcome = Outcome()
        request = Request(scope, receive)
        method, path = request.method, request.url.path
        body: Body | None = None
        try:
            self._check_token(path, request.headers)
            body = await _read_json(request)
            call = Call(method=method, path=path, body=body, send=send, outcome=outcome)
            await _unless_disconnected(receive, self._serve(call))
        except refusal.Refusal as refused:
            outcome.status = refused.status
            await send_json(send, refused.status, refused.body)
        except ClientDisconnect:
            return
        except Exception as bug:
            outcome.status = 500
            await send_json(send, 500, {"error": f"the simulator has a bug: {type(bug).__name__}: {bug}"})
        finally:
            if self._on_request is not None:
                seconds = self._engine.clock() - began
                self._on_request(Served(method=method, path=path, outcome=outcome, seconds=seconds, body=body))

    async def _serve(self, call: Call) -> None:
        endpoint = self._routes.get((call.method, call.path))
        if endpoint is not None:
            await endpoint(call)
        elif call.method == "GET" and self._settings.has_v0 and call.path.startswith("/api/v0/models/"):
            await self._v0_model(call)
        elif call.method == "GET" and self._settings.has_native and call.path.startswith(_DOWNLOAD_STATUS):
            await self._download_status(call)
        else:
            raise refusal.unexpected(call.method, call.path)

    def _check_token(self, path: str, headers: Headers) -> None:
        """The greeting needs none: official clients ask for it before they know of any token (a guess)."""
        token = self._settings.token
        if token is None or path == "/lmstudio-greeting":
            return
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not given:
            raise refusal.no_token()
        if given != token:
            raise refusal.wrong_token(given)

    def _table(self) -> dict[tuple[str, str], Endpoint]:
        table: dict[tuple[str, str], Endpoint] = {
            ("GET", "/lmstudio-greeting"): self._greeting,
            ("GET", "/v1/models"): self._models,
            ("POST", "/v1/chat/completions"): self._plays("chat", ask.read_chat),
            ("POST", "/v1/completions"): self._plays("text", ask.read_completion),
            ("POST", "/v1/embeddings"): self._embeddings,
        }
        if self._settings.has_responses:
            table["POST", "/v1/responses"] = self._plays("response", self._read_response)
        if self._settings.has_v0:
            table |= {
                ("GET", "/api/v0/models"): self._v0_models,
                ("POST", "/api/v0/chat/completions"): self._plays("v0_chat", ask.read_chat),
                ("POST", "/api/v0/completions"): self._plays("v0_text", ask.read_completion),
                ("POST", "/api/v0/embeddings"): self._embeddings,
            }
        if self._settings.has_native:
            table |= {
                ("GET", "/api/v1/models"): self._native_models,
                ("POST", "/api/v1/models/load"): self._load,
                ("POST", "/api/v1/models/unload"): self._unload,
                ("POST", "/api/v1/models/download"): self._download,
                ("POST", "/api/v1/chat"): self._plays("native", self._read_native_chat),
            }
        return table

    def _plays(self, form: Form, read: Callable[[Body], ask.Ask]) -> Endpoint:
        async def play(call: Call) -> None:
            await Stage(self._engine, call.send, call.outcome).play(form, read(call.said))

        return play

    async def _greeting(self, call: Call) -> None:
        await call.answer({"lmstudio": True})

    async def _models(self, call: Call) -> None:
        instances = self._engine.instances()
        await call.answer(listing.openai_models(self._engine.models(), instances, jit=self._settings.jit))

    async def _v0_models(self, call: Call) -> None:
        await call.answer(listing.v0_models(self._engine.models(), self._engine.instances()))

    async def _v0_model(self, call: Call) -> None:
        name = call.path.removeprefix("/api/v0/models/")
        row = listing.v0_model(self._engine.models(), self._engine.instances(), name)
        if row is None:
            raise refusal.plain(f"Model with key '{name}' not found", status=404)
        await call.answer(row)

    async def _native_models(self, call: Call) -> None:
        await call.answer(listing.native_models(self._engine.models(), self._engine.instances()))

    async def _embeddings(self, call: Call) -> None:
        texts = ask.read_embedding(call.said)
        async with self._engine.seat(ask.model_name(call.said), "embedding", ttl=ask.time_to_live(call.said)) as seat:
            call.outcome.model = seat.instance.id
            instance = seat.instance
            await call.answer(embeddings(instance.id, texts, instance.model.dimensions, instance.context_length))

    async def _load(self, call: Call) -> None:
        wish = ask.read_load(call.said)
        model = self._known(wish.model)
        began = self._engine.clock()
        instance = await self._engine.load(model, wish.context_length, wish.config)
        call.outcome.model = instance.id
        answer: Body = {
            "type": domain_of(model),
            "instance_id": instance.id,
            "load_time_seconds": round(self._engine.clock() - began, 3),
            "status": "loaded",
        }
        await call.answer({**answer, "load_config": listing.load_config(instance)} if wish.echo else answer)

    async def _unload(self, call: Call) -> None:
        instance_id = ask.read_unload(call.said)
        if not self._engine.memory.unload(instance_id):
            raise refusal.native_unknown_model(instance_id)
        await call.answer({"instance_id": instance_id})

    async def _download(self, call: Call) -> None:
        name = ask.read_download(call.said)
        await call.answer(self._engine.downloads.begin(name, self._engine.models(), self._engine.moment()))

    async def _download_status(self, call: Call) -> None:
        job = call.path.removeprefix(_DOWNLOAD_STATUS)
        await call.answer(self._engine.downloads.status(job, self._engine.moment()))

    def _read_native_chat(self, body: Body) -> ask.Ask:
        asked = ask.read_native_chat(body)
        model = self._engine.memory.named(asked.model or "", self._engine.clock())
        if model is None:
            raise refusal.native_unknown_model(asked.model or "")
        options = model.reasoning.allowed_options if model.reasoning is not None else ()
        if asked.reasoning is not None and asked.reasoning not in options:
            raise refusal.native_reasoning(asked.reasoning, model.key, options)
        return asked

    def _read_response(self, body: Body) -> ask.Ask:
        return read_response(body, self._engine.remembered)

    def _known(self, name: str) -> ScriptedModel:
        model = self._engine.memory.find(name)
        if model is None:
            raise refusal.native_unknown_model(name)
        return model


async def _read_json(request: Request) -> Body | None:
    """The body of the request; one that is not said to be JSON counts as none, as Express has it.

    Raises:
        Refusal: it is no JSON, or no mapping.
    """
    data = await request.body()
    if not data or "json" not in request.headers.get("content-type", ""):
        return None
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise refusal.bad_json(str(error)) from error
    if not isinstance(body, dict):
        raise refusal.bad_json("expected an object")
    return body


async def _unless_disconnected(receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Do the work, and give it up as soon as the client closes its connection."""
    working = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(_disconnect(receive))
    try:
        await asyncio.wait((working, watching), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        for task in (working, watching):
            task.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
