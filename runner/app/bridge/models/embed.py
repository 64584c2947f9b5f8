"""``generate_embeddings``: vectors of texts, and a word where a text is too long for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from runner.app.bridge.house import BridgeHouse
from runner.app.bridge.models.asking import Asking, tokens_of
from runner.app.bridge.models.desk import model_desk
from runner.app.bridge.models.messages import usage_json
from runner.app.bridge.models.schema import COUNT, MODEL, NAME, PATIENCE, SECONDS, TEXT, USAGE, WARNINGS, given, told
from runner.app.bridge.tool import Tool
from runner.chat.offer import Offer, Progress
from runner.execute.lease import Lease
from runner.execute.resident import Resident

MOST_TEXTS: Final = 2_048


async def generate_embeddings(
    house: BridgeHouse,
    arguments: Mapping[str, Any],
    progress: Progress,  # noqa: ARG001  the desk tells that it goes on
) -> Mapping[str, Any]:
    """The vectors: ``{embeddings, dimensions, count, model, endpoint, usage, seconds, warnings, text}``.

    Raises:
        ModelNotFoundError: no server has the model, or none is named and there are several that embed.
        LLMValidationError: the model does not embed.
        LLMError: it failed, by class.
    """
    wanted = arguments["input"]
    texts: Sequence[str] = [wanted] if isinstance(wanted, str) else wanted
    sizes = [tokens_of(text) for text in texts]
    asking = Asking(model_desk(house), arguments, "embedding", 0)
    contexts: list[int | None] = []

    async def put(lease: Lease, resident: Resident) -> Any:
        contexts.append(lease.context_length or asking.found.entry.max_context_length)
        return await asking.backend.embed(asking.request(resident, {"input": list(texts)}), len(texts))

    said = await asking.ask(put)
    dimensions = len(said.vectors[0])
    return {
        "text": f"{said.model} embedded {len(texts)} as {dimensions} numbers each: see the structured content",
        "embeddings": [list(vector) for vector in said.vectors],
        "dimensions": dimensions,
        "count": len(texts),
        "model": said.model,
        "endpoint": asking.found.endpoint,
        "usage": usage_json(said.usage, sum(sizes)),
        "seconds": asking.seconds,
        "warnings": list(_cut(sizes, contexts[-1])),
    }


def _cut(sizes: Sequence[int], context: int | None) -> list[str]:
    """LM Studio embeds the beginning of a text that is too long, and says nothing."""
    return [
        f"input[{place}] has about {size:,} tokens, and the model a context of {context:,}: the server cuts what is "
        "beyond it without a word; split the text"
        for place, size in enumerate(sizes)
        if context is not None and size > context
    ]


GENERATE_EMBEDDINGS: Final = Tool(
    offer=Offer(
        name="generate_embeddings",
        title="Embed texts",
        description="Vectors of texts by a local embedding model, in the order of the texts.",
        input_schema=given(
            {
                "input": {
                    "anyOf": [
                        NAME,
                        {"type": "array", "minItems": 1, "maxItems": MOST_TEXTS, "items": NAME},
                    ],
                    "description": "A text, or a list of texts.",
                },
                "model": {
                    **MODEL,
                    "description": (
                        "Id of an embedding model. Left out, null, empty or `default`: the only one that is "
                        "loaded, else the only one there is."
                    ),
                },
                **PATIENCE,
            },
            required=["input"],
        ),
        output_schema=told(
            {
                "text": TEXT,
                "embeddings": {"type": "array", "items": {"type": "array", "items": {"type": "number"}}},
                "dimensions": COUNT,
                "count": COUNT,
                "model": TEXT,
                "endpoint": TEXT,
                "usage": USAGE,
                "seconds": SECONDS,
                "warnings": WARNINGS,
            }
        ),
        read_only=True,
        idempotent=True,
    ),
    work=generate_embeddings,
    long=True,
)
