"""Playing an answer over HTTP: whole or streamed, at the model's pace, with the faults that the script asks for."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Literal

from runner.rehearse.simulator import native, refusal, say
from runner.rehearse.simulator.answer import Answer
from runner.rehearse.simulator.ask import Ask
from runner.rehearse.simulator.engine import Engine, Part, Seat, still_there
from runner.rehearse.simulator.fault import Strip, struck
from runner.rehearse.simulator.script import Fault

Form = Literal["chat", "text", "v0_chat", "v0_text", "native"]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]

_ALWAYS = ((b"x-powered-by", b"Express"), (b"keep-alive", b"timeout=5"))
_STREAM = [*_ALWAYS, (b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")]


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of a request, for the log; status 0 = nothing was sent."""

    status: int = 0
    model: str | None = None
    turn: str | None = None


class Stage:
    """Where one request for an answer is played."""

    def __init__(self, engine: Engine, send: Send, outcome: Outcome) -> None:
        self._engine = engine
        self._send = send
        self._outcome = outcome
        self._begun = False

    async def play(self, form: Form, ask: Ask) -> None:
        """Answer the request; cancelling it frees its slot.

        Raises:
            Refusal: it is refused, and nothing has been sent. Once something has, a refusal becomes an error event.
        """
        try:
            async with self._engine.seat(ask.model, "llm", ttl=ask.ttl, context_length=ask.context_length) as seat:
                part = self._engine.part(ask, seat.instance)
                self._outcome.model, self._outcome.turn = seat.instance.id, part.label
                await self._perform(form, ask, seat, part)
        except refusal.Refusal as refused:
            if not self._begun:
                raise
            await self._write(say.error_event(refused.text), last=True)

    async def _perform(self, form: Form, ask: Ask, seat: Seat, part: Part) -> None:
        pace = seat.instance.model.pace
        await _pause(seat, pace.first_token)
        _refuse_by_script(part.turn.fault, stream=ask.stream)
        seconds = pace.seconds(part.answer.completion_tokens)
        spent = say.Spent(first_token=pace.first_token, generation=seconds, load=seat.load_seconds)
        if ask.stream:
            await self._roll(seat, struck(_reel(form, ask, part.answer, spent), part.turn.fault))
        else:
            await _pause(seat, seconds)
            await self._whole(_body(form, ask, part.answer, seat, spent), part.turn.fault)

    async def _whole(self, body: dict[str, Any], fault: Fault | None) -> None:
        if fault is not None and fault.kind == "stall":
            await asyncio.Event().wait()
        if fault is not None and fault.kind == "no_finish" and "choices" in body:
            body["choices"][0]["finish_reason"] = None
        self._outcome.status = 200
        await send_json(self._send, 200, body, cut=fault is not None and fault.kind == "cut")

    async def _roll(self, seat: Seat, strip: Strip) -> None:
        pace = seat.instance.model.pace
        pending = b""
        if pace.tokens_per_second is None:
            pending = b"".join(data for _, data in strip.deltas)
        else:
            due = self._engine.clock()
            for tokens, data in strip.deltas:
                due += pace.seconds(tokens)
                await _pause(seat, due - self._engine.clock())
                await self._write(data)
        await self._write(pending + strip.tail, last=strip.ending == "end")
        if strip.ending == "stall":
            await asyncio.Event().wait()

    async def _write(self, data: bytes, *, last: bool = False) -> None:
        if not self._begun:
            self._begun = True
            self._outcome.status = 200
            await self._send({"type": "http.response.start", "status": 200, "headers": _STREAM})
        await self._send({"type": "http.response.body", "body": data, "more_body": not last})


async def send_json(send: Send, status: int, body: Any, *, cut: bool = False) -> None:
    """One JSON answer, pretty-printed as LM Studio does; a text is sent as it is, as HTML. ``cut`` breaks it off."""
    if isinstance(body, str):
        kind, data = b"text/html; charset=utf-8", body.encode()
    else:
        kind, data = (
            b"application/json; charset=utf-8",
            say.whole_unicode(json.dumps(body, ensure_ascii=False, indent=2)).encode(),
        )
    headers = [*_ALWAYS, (b"content-type", kind), (b"content-length", str(len(data)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    sent = data[: len(data) // 2] if cut else data
    await send({"type": "http.response.body", "body": sent, "more_body": cut})


def _refuse_by_script(fault: Fault | None, *, stream: bool) -> None:
    if fault is not None and fault.kind == "error":
        raise refusal.Refusal(fault.status, fault.body)
    if fault is not None and fault.kind == "error_event" and not stream:
        raise refusal.plain(fault.text)


async def _pause(seat: Seat, seconds: float) -> None:
    if seconds > 0:
        await asyncio.sleep(seconds)
    still_there(seat.instance)


def _reel(form: Form, ask: Ask, answer: Answer, spent: say.Spent) -> say.Reel:
    if form == "native":
        return native.native_reel(answer, native.native_chat(answer, spent, stored=ask.store), spent.load)
    if form in ("text", "v0_text"):
        return say.text_reel(answer, _now(), include_usage=ask.include_usage)
    return say.chat_reel(answer, _now(), include_usage=ask.include_usage)


def _body(form: Form, ask: Ask, answer: Answer, seat: Seat, spent: say.Spent) -> dict[str, Any]:
    if form == "native":
        return native.native_chat(answer, spent, stored=ask.store)
    body = (say.whole_text if form in ("text", "v0_text") else say.whole_chat)(answer, _now())
    return {**body, **say.v0_extras(answer, seat.instance, spent)} if form in ("v0_chat", "v0_text") else body


def _now() -> int:
    return int(time.time())
