"""A model that begins every answer with a tool call, for what a real server makes of one.

It is the model of noise, steered: its layers add nothing, so that each token alone decides on the next, and a few of
them on one that is certain. They spell the mark by which the template begins a call, no letter of it twice; from there
on the server's grammar leaves only calls of the offered tools, and noise chooses among them.
"""

from __future__ import annotations

from pathlib import Path

from kit.tiny_gguf import TEMPLATE, write_model

_MARK = "<func>"
_END = 257
"""The token that ends an answer."""


def calling_model(folder: Path) -> Path:
    """Write the model into ``folder``."""
    import gguf

    template = TEMPLATE.replace("<tool_call>", _MARK).replace("</tool_call>", "</func>")
    path = write_model(folder / "calling.gguf", template=template)
    reader = gguf.GGUFReader(path, "r+")
    tensors = {tensor.name: tensor.data for tensor in reader.tensors}
    for name, weights in tensors.items():
        if name.endswith(("attn_output.weight", "ffn_down.weight")):
            weights[:] = 0
    known = tensors["token_embd.weight"].copy()
    spelled = "\n" + _MARK
    for one, following in zip(spelled, (*map(ord, _MARK), _END), strict=True):
        direction = known[ord(one)]
        tensors["output.weight"][following] += 4 * direction / (direction**2).sum() ** 0.5
    reader.data.flush()
    return path
