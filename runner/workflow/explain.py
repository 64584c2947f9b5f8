"""What ``bridge-run explain CODE`` says: every code with a longer word and an example of wrong and right.

The examples of BR2xx are whole files; a test loads each, as ``example.yaml`` beside ``CALLED`` as ``other.yaml``.
"""

from __future__ import annotations

from collections.abc import Mapping

from runner.workflow.explanation import Explanation
from runner.workflow.explanation_of_files import MEANING
from runner.workflow.explanation_of_fit import FIT
from runner.workflow.explanation_of_flow import FLOW
from runner.workflow.explanation_of_lock import LOCK
from runner.workflow.explanation_of_machines import MACHINE
from runner.workflow.explanation_of_settings import SETTINGS
from runner.workflow.explanation_of_text import TEXT

__all__ = ["EXPLANATIONS", "Explanation"]

EXPLANATIONS: Mapping[str, Explanation] = {**TEXT, **MEANING, **FLOW, **MACHINE, **FIT, **SETTINGS, **LOCK}
