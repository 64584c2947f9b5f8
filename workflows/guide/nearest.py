"""The passages whose vectors point most nearly where the first vector, that of the question, points."""

import json
import math
import sys


def cosine(one: list[float], other: list[float]) -> float:
    product = sum(a * b for a, b in zip(one, other, strict=True))
    return product / (math.hypot(*one) * math.hypot(*other) or 1.0)


asked = json.load(sys.stdin)
question, *vectors = asked["answer"]["embeddings"]
near = sorted(zip(vectors, asked["passages"], strict=True), key=lambda pair: -cosine(question, pair[0]))
json.dump([passage for _, passage in near[: asked["most"]]], sys.stdout)
