"""What ``bridge-run explain CODE`` says: every code with a longer word and an example of wrong and right.

The examples of BR2xx are whole files; a test loads each, as ``example.yaml`` beside ``CALLED`` as ``other.yaml``.
"""

from __future__ import annotations

from collections.abc import Mapping

from runner.workflow.explain.explanation import Explanation
from runner.workflow.explain.files import MEANING
from runner.workflow.explain.fit import FIT
from runner.workflow.explain.flow import FLOW
from runner.workflow.explain.lock import LOCK
from runner.workflow.explain.machines import MACHINE
from runner.workflow.explain.settings import SETTINGS
from runner.workflow.explain.text import TEXT

__all__ = ["EXPLANATIONS", "Explanation"]

EXPLANATIONS: Mapping[str, Explanation] = {**TEXT, **MEANING, **FLOW, **MACHINE, **FIT, **SETTINGS, **LOCK}
