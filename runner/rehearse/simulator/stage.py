"""Playing an answer over HTTP: whole or streamed, at the model's pace, with the faults that the script asks for."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Literal

from runner.rehearse.simulator import native, refusal, responses, say
from runner.rehearse.simulator.answer import Answer
from runner.rehearse.simulator.ask import Ask
from runner.rehearse.simulator.effect import Effect, Strip, struck
from runner.rehearse.simulator.engine import Engine, Part, Seat, still_there
from runner.rehearse.simulator.pool import Claim
from runner.words.noun import noun

Form = Literal["chat", "text", "v0_chat", "v0_text", "native", "response"]
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
    fault: str | None = None


@noun
class _Played:
    """A request that has its slot: what is said to it, and what it holds of the shared context."""

    seat: Seat
    part: Part
    claim: Claim

    def take(self, tokens: int) -> None:
        """Take so much more of the shared context.

        Raises:
            Refusal: it is full.
        """
        self.seat.instance.pool.take(self.claim, tokens)

    async def pause(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            Refusal: the instance was unloaded meanwhile, or its context was full.
        """
        if seconds == math.inf:
            await asyncio.Event().wait()
        if seconds > 0:
            await asyncio.sleep(seconds)
        still_there(self.seat.instance)
        self.claim.check()


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
                self._outcome.fault = part.fault
                claim = seat.instance.pool.enter()
                try:
                    await self._perform(form, ask, _Played(seat=seat, part=part, claim=claim))
                finally:
                    seat.instance.pool.leave(claim)
        except refusal.Refusal as refused:
            if not self._begun:
                raise
            await self._write(say.error_event(refused.text), last=True)

    async def _perform(self, form: Form, ask: Ask, played: _Played) -> None:
        seat, part, effect = played.seat, played.part, played.part.effect
        pace = seat.instance.model.pace
        played.take(part.answer.prompt_tokens)
        await played.pause(pace.first_token + effect.silence)
        self._refuse(ask, played)
        seconds = pace.seconds(part.answer.completion_tokens)
        if form == "response" and ask.store and effect.breaks == "never":
            self._engine.remembered.add(responses.response_id(part.answer), ask.asked, part.answer)
        spent = say.Spent(first_token=pace.first_token, generation=seconds, load=seat.load_seconds)
        if ask.stream:
            await self._roll(played, struck(_reel(form, ask, part.answer, spent), effect))
        else:
            played.take(part.answer.completion_tokens)
            await played.pause(seconds)
            await self._whole(_body(form, ask, part.answer, seat, spent), effect)

    def _refuse(self, ask: Ask, played: _Played) -> None:
        """What is refused before anything is sent; unstreamed, an error event becomes a refusal as well."""
        effect, instance = played.part.effect, played.seat.instance
        if effect.refuse is not None:
            self._engine.strike_down(instance, effect)
            raise effect.refuse(instance.model.key)
        if effect.message is not None and not ask.stream:
            self._engine.strike_down(instance, effect)
            raise refusal.plain(effect.message)

    async def _whole(self, body: dict[str, Any], effect: Effect) -> None:
        if effect.then == "stall":
            await asyncio.Event().wait()
        if effect.breaks == "finish" and "choices" in body:
            body["choices"][0]["finish_reason"] = None
        elif effect.breaks == "finish" and "status" in body:
            body["status"] = "in_progress"
        self._outcome.status = 200
        await send_json(self._send, 200, body, cut=effect.then == "cut")

    async def _roll(self, played: _Played, strip: Strip) -> None:
        pace, drag = played.seat.instance.model.pace, played.part.effect.drag
        pending = b""
        if pace.tokens_per_second is None and not drag:
            pending = b"".join(data for _, data in strip.deltas)
            played.take(played.part.answer.completion_tokens)
        else:
            due = self._engine.clock()
            for tokens, data in strip.deltas:
                due += pace.seconds(tokens) + drag
                played.take(tokens)
                await played.pause(due - self._engine.clock())
                await self._write(data)
        self._engine.strike_down(played.seat.instance, played.part.effect)
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


def _reel(form: Form, ask: Ask, answer: Answer, spent: say.Spent) -> say.Reel:
    if form == "native":
        return native.native_reel(answer, native.native_chat(answer, spent, stored=ask.store), spent.load)
    if form == "response":
        return responses.response_reel(answer, ask.echo, _now())
    if form in ("text", "v0_text"):
        return say.text_reel(answer, _now(), include_usage=ask.include_usage)
    return say.chat_reel(answer, _now(), include_usage=ask.include_usage)


def _body(form: Form, ask: Ask, answer: Answer, seat: Seat, spent: say.Spent) -> dict[str, Any]:
    if form == "native":
        return native.native_chat(answer, spent, stored=ask.store)
    if form == "response":
        return responses.whole_response(answer, ask.echo, _now())
    body = (say.whole_text if form in ("text", "v0_text") else say.whole_chat)(answer, _now())
    return {**body, **say.v0_extras(answer, seat.instance, spent)} if form in ("v0_chat", "v0_text") else body


def _now() -> int:
    return int(time.time())
