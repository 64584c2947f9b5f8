"""What ``bridge-run explain`` says."""

from __future__ import annotations

from runner.words.errors import UsageError
from runner.words.suggest import nearest
from runner.workflow.explain.explain import EXPLANATIONS, Explanation


def list_text() -> str:
    """All codes with their titles, one a line."""
    lines = [f"{code}  {explanation.title}" for code, explanation in sorted(EXPLANATIONS.items())]
    return "\n".join([*lines, "", "bridge-run explain CODE says more about one of them."])


def explanation_text(code: str) -> str:
    """The explanation of one code, whatever its case; ``204`` is understood as ``BR204``.

    Raises:
        UsageError: there is no such code; with the near ones.
    """
    name = code.strip().upper()
    name = f"BR{name}" if name.isdigit() else name
    explanation = EXPLANATIONS.get(name)
    if explanation is None:
        near = nearest(name, EXPLANATIONS)
        ways = f"near: {', '.join(near)}; " if near else ""
        raise UsageError(f"there is no code `{code}`", hint=f"{ways}`bridge-run explain` lists them all")
    return _page(name, explanation)


def _page(code: str, explanation: Explanation) -> str:
    parts = [f"{code}: {explanation.title}", explanation.text.strip()]
    if explanation.wrong:
        parts.append("Wrong:\n\n" + _indented(explanation.wrong))
    if explanation.right:
        parts.append("Right:\n\n" + _indented(explanation.right))
    return "\n\n".join(parts)


def _indented(example: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in example.strip("\n").splitlines())
