"""The control words of a model's own format that a server let through into the text.

gpt-oss writes "harmony": messages with a channel, ``analysis`` for thinking, ``final`` for the answer. Gemma 4 puts
its thinking into a channel of its own. Servers should take these apart and at times do not.
"""

from __future__ import annotations

import re

_HEADER = re.compile(
    r"(?<!`)(?:<\|(?:end|return)\|>\s*)?(?:<\|start\|>assistant\s*)?"
    r"<\|channel\|>\s*(?P<channel>analysis|commentary|final)\b[^<`]{0,80}(?:<\|constrain\|>[^<`]{0,20})?<\|message\|>"
)
_THOUGHT = re.compile(r"\A\s*<\|channel>thought\s*(.*?)<channel\|>\s*", re.DOTALL)
_END = re.compile(r"(?:\s*<\|(?:end|return|call|im_end|eot_id|eom_id|endoftext)\|>|\s*<end_of_turn>)+\s*\Z")


def split_channels(text: str) -> tuple[str, str]:
    """``(thinking, answer)`` of a text in which control words stand; ``("", text)`` if none do."""
    if "<" not in text:
        return "", text
    thought = _THOUGHT.match(text)
    if thought is not None:
        return thought[1].strip(), _END.sub("", text[thought.end() :])
    thinking: list[str] = []
    answer: list[str] = []
    channel, start = "", 0
    for header in _HEADER.finditer(text):
        (thinking if channel == "analysis" else answer).append(_END.sub("", text[start : header.start()]))
        channel, start = header["channel"], header.end()
    (thinking if channel == "analysis" else answer).append(_END.sub("", text[start:]))
    return "\n".join(thinking).strip(), "\n".join(part for part in answer if part.strip()) if channel else answer[0]
