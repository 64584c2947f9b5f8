"""The control words of a model's own format that a server let through into the text.

gpt-oss writes "harmony": messages with a channel, ``analysis`` for thinking, ``final`` for the answer. Gemma 4 puts
its thinking into a channel of its own. Servers should take these apart and at times do not.
"""

from __future__ import annotations

import re
from typing import Final

_HEADER: Final = (
    r"(?<!`)(?:<\|(?:end|return)\|>\s*)?(?P<head>(?:<\|start\|>assistant(?:\s+to=[\w.\-]{1,128})?\s*)?"
    r"<\|channel\|>\s*(?P<channel>analysis|commentary|final)\b[^<`]{0,80}(?:<\|constrain\|>[^<`]{0,20})?<\|message\|>)"
)
_THOUGHT: Final = r"(?s)\A\s*<\|channel>thought\s*(.*?)<channel\|>\s*"
_END: Final = r"(?:\s*<\|(?:end|return|call|im_end|eot_id|eom_id|endoftext)\|>|\s*<end_of_turn>)+\s*\Z"
"""Compiled when first met: hardly any server lets these through."""


def split_channels(text: str) -> tuple[str, str]:
    """``(thinking, answer)`` of a text in which control words stand; ``("", text)`` if none do.

    A message to a tool stays in the answer with its control words, by which it is known as a call.
    """
    if "<" not in text:
        return "", text
    thought = re.match(_THOUGHT, text)
    if thought is not None:
        return thought[1].strip(), re.sub(_END, "", text[thought.end() :])
    thinking: list[str] = []
    answer: list[str] = []
    part, start = answer, 0
    for header in re.finditer(_HEADER, text):
        part.append(re.sub(_END, "", text[start : header.start()]))
        is_call = "to=" in header[0]
        part = thinking if header["channel"] == "analysis" and not is_call else answer
        start = header.start("head") if is_call else header.end()
    part.append(re.sub(_END, "", text[start:]))
    if len(thinking) + len(answer) == 1:
        return "", answer[0]
    return "\n".join(thinking).strip(), "\n".join(filter(str.strip, answer))
