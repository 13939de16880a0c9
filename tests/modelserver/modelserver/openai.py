"""The OpenAI-compatible API: chat and text completions, whole or streamed."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aifactory.simulate.engine.batching import RequestTooLongError, Sequence
from aiohttp import web

from .engine import Aborted

if TYPE_CHECKING:
    from .engine import Engine
    from .settings import Settings

CHARACTERS_PER_TOKEN = 4
WORDS = ("tokens", "leave", "this", "server", "at", "the", "pace", "of", "a", "real", "batch")


class BadRequest(ValueError):
    """A request that the API refuses, with the HTTP status and OpenAI's error type."""

    def __init__(self, message: str, status: int = 400, kind: str = "BadRequestError") -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Completion:
    """A parsed request."""

    chat: bool
    prompt_tokens: int
    output_tokens: int
    finish_reason: str
    stream: bool
    include_usage: bool


def parse(body: Any, chat: bool, settings: Settings) -> Completion:
    """Read a request body. Raises BadRequest naming the parameter.

    Without ignore_eos an answer ends by itself after `settings.answer_tokens`.
    """
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object")
    if body.get("model", settings.model) not in (settings.model, *settings.adapters):
        raise BadRequest(f"The model `{body['model']}` does not exist.", 404, "NotFoundError")
    if body.get("n", 1) != 1:
        raise BadRequest("n must be 1: one answer per request")
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    if limit is None:
        limit = settings.answer_tokens if chat else 16
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise BadRequest(f"max_tokens must be a positive integer, not {limit!r}")
    ends_itself = not body.get("ignore_eos") and settings.answer_tokens <= limit
    options = body.get("stream_options") or {}
    return Completion(
        chat=chat,
        prompt_tokens=_prompt_tokens(body, chat),
        output_tokens=settings.answer_tokens if ends_itself else limit,
        finish_reason="stop" if ends_itself else "length",
        stream=bool(body.get("stream")),
        include_usage=isinstance(options, dict) and bool(options.get("include_usage")),
    )


def _prompt_tokens(body: dict[str, Any], chat: bool) -> int:
    """Tokens of the prompt, estimated from its text; a list of token numbers is counted."""
    if not chat:
        prompt = body.get("prompt")
        if isinstance(prompt, list) and prompt and all(isinstance(token, int) for token in prompt):
            return len(prompt)
        if not isinstance(prompt, str) or not prompt:
            raise BadRequest("prompt must be a text or a list of token numbers")
        return _estimate(len(prompt))
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(each, dict) for each in messages):
        raise BadRequest("messages must be a list of at least one message")
    return _estimate(sum(_characters(message.get("content")) for message in messages))


def _estimate(characters: int) -> int:
    return max(1, -(-characters // CHARACTERS_PER_TOKEN))


def _characters(content: Any) -> int:
    if isinstance(content, str):
        return len(content)
    parts = content if isinstance(content, list) else []
    return sum(len(str(part.get("text", ""))) for part in parts if isinstance(part, dict))


class Api:
    """Handlers that turn requests into sequences and tokens into answers."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._settings = settings
        self._engine = engine
        self._numbers = itertools.count(1)
        self._created = int(time.time())
        self._clock = asyncio.get_running_loop().time

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/models", self.models),
            web.post("/v1/chat/completions", self.chat),
            web.post("/v1/completions", self.text),
            web.post(f"/v2/models/{self._settings.model}/generate", self.generate),
        ]

    async def models(self, _request: web.Request) -> web.Response:
        names = (self._settings.model, *self._settings.adapters)
        return web.json_response({"object": "list", "data": [self._card(name) for name in names]})

    def _card(self, name: str) -> dict[str, Any]:
        parent = None if name == self._settings.model else self._settings.model
        return {
            "id": name, "object": "model", "created": self._created, "owned_by": "modelserver",
            "root": self._settings.model, "parent": parent, "max_model_len": self._settings.kv_tokens,
        }  # fmt: skip

    async def chat(self, request: web.Request) -> web.StreamResponse:
        return await self._complete(request, chat=True)

    async def text(self, request: web.Request) -> web.StreamResponse:
        return await self._complete(request, chat=False)

    async def generate(self, request: web.Request) -> web.StreamResponse:
        """Triton's API: `text_input` and `max_tokens` in, `text_output` out."""
        body = await request.json()
        sequence = Sequence(
            _estimate(len(body["text_input"])), body["max_tokens"], self._clock(), finish_reason="length"
        )
        async with aclosing(self._engine.generate(sequence)) as tokens:
            async for _ in tokens:
                pass
        return web.json_response({"model_name": self._settings.model, "text_output": "tokens " * body["max_tokens"]})

    async def _complete(self, request: web.Request, chat: bool) -> web.StreamResponse:
        arrived = self._clock()
        try:
            completion = parse(await _json(request), chat, self._settings)
            sequence = Sequence(
                completion.prompt_tokens, completion.output_tokens, arrived, finish_reason=completion.finish_reason
            )
            answer = Answer(completion, self._settings.model, next(self._numbers))
            return await (self._stream if completion.stream else self._whole)(request, answer, sequence)
        except BadRequest as error:
            return refusal(str(error), error.status, error.kind)
        except RequestTooLongError as error:
            return refusal(str(error), 400, "BadRequestError")
        except Aborted:
            if request.transport is not None:
                request.transport.abort()
            raise asyncio.CancelledError from None

    async def _whole(self, _request: web.Request, answer: Answer, sequence: Sequence) -> web.Response:
        async with aclosing(self._engine.generate(sequence)) as tokens:
            async for _ in tokens:
                pass
        return web.json_response(answer.whole())

    async def _stream(self, request: web.Request, answer: Answer, sequence: Sequence) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        sent = 0
        async with aclosing(self._engine.generate(sequence)) as tokens:
            async for count in tokens:
                if not sent:
                    await response.prepare(request)
                events = answer.tokens(sent, count)
                sent += count
                if sent == sequence.output_tokens:
                    events += answer.end()
                await response.write(events)
        await response.write_eof()
        return response


class Answer:
    """The bytes of one answer. What stays the same in every event is encoded once."""

    def __init__(self, completion: Completion, model: str, number: int) -> None:
        self._completion = completion
        kind = "chat.completion" if completion.chat else "text_completion"
        self._head: dict[str, Any] = {
            "id": f"{'chatcmpl' if completion.chat else 'cmpl'}-{number}", "object": kind, "created": int(time.time()),
            "model": model,
        }  # fmt: skip
        event_kind = f"{kind}.chunk" if completion.chat else kind
        self._event_head = json.dumps({**self._head, "object": event_kind})[:-1]

    def tokens(self, sent: int, count: int) -> bytes:
        """Events for `count` tokens after the first `sent`, one each."""
        last = self._completion.output_tokens - 1
        events = b"".join(
            self._event(WORDS[index % len(WORDS)], self._completion.finish_reason if index == last else None)
            for index in range(sent, sent + count)
        )
        return self._role() + events if sent == 0 else events

    def end(self) -> bytes:
        """What follows the last token."""
        usage = f'data: {self._event_head}, "choices": [], "usage": {json.dumps(self._usage())}}}\n\n'
        return (usage.encode() if self._completion.include_usage else b"") + b"data: [DONE]\n\n"

    def whole(self) -> dict[str, Any]:
        text = "".join(f" {WORDS[index % len(WORDS)]}" for index in range(self._completion.output_tokens))
        content = {"message": {"role": "assistant", "content": text}} if self._completion.chat else {"text": text}
        choice = {"index": 0, **content, "logprobs": None, "finish_reason": self._completion.finish_reason}
        return {**self._head, "choices": [choice], "usage": self._usage()}

    def _role(self) -> bytes:
        if not self._completion.chat:
            return b""
        delta = '{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": null}'
        return f'data: {self._event_head}, "choices": [{delta}]}}\n\n'.encode()

    def _event(self, word: str, reason: str | None) -> bytes:
        content = f'"delta": {{"content": " {word}"}}' if self._completion.chat else f'"text": " {word}"'
        ending = f'"{reason}"' if reason else "null"
        choice = f'{{"index": 0, {content}, "logprobs": null, "finish_reason": {ending}}}'
        return f'data: {self._event_head}, "choices": [{choice}]}}\n\n'.encode()

    def _usage(self) -> dict[str, int]:
        prompt, output = self._completion.prompt_tokens, self._completion.output_tokens
        return {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output}


def refusal(message: str, status: int, kind: str) -> web.Response:
    """An error in the shape that OpenAI clients read."""
    error = {"message": message, "type": kind, "param": None, "code": status}
    return web.json_response({"error": error}, status=status)


async def _json(request: web.Request) -> Any:
    try:
        return await request.json()
    except ValueError as error:
        raise BadRequest(f"The body is not JSON: {error}") from error
