"""All rules of meaning, in the order of their codes. A rule reads the view and yields what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from runner.words.diagnostics import Diagnostic
from runner.workflow.rules.approvals import br245_answer_unread
from runner.workflow.rules.braces import (
    br209_unknown_filter,
    br210_template_in_shell,
    br216_broken_template,
    br225_braces_in_expression,
    br228_template_not_expanded,
)
from runner.workflow.rules.calls import br241_inputs_of_a_call
from runner.workflow.rules.compare import br243_idle_comparison, br244_impossible_status
from runner.workflow.rules.keys import br237_taken_name, br238_key_out_of_place, br239_default_is_no_choice
from runner.workflow.rules.keywords import br246_unknown_keyword
from runner.workflow.rules.names import (
    br206_undeclared_input,
    br207_undefined_name,
    br211_secret_out_of_place,
    br228_name_out_of_place,
)
from runner.workflow.rules.order import (
    br203_duplicate_step,
    br204_unknown_need,
    br205_circle,
    br234_no_result_yet,
)
from runner.workflow.rules.rows import br240_rows
from runner.workflow.rules.shapes import br208_impossible_reference, br229_unlikely_reference
from runner.workflow.rules.shell_words import br247_words_of_others
from runner.workflow.rules.tools import br213_unknown_server, br214_tool_never_matches
from runner.workflow.rules.unused import br230_unused_input, br231_unused_declaration
from runner.workflow.rules.values import (
    br226_illegal_schema,
    br232_absent_file,
    br233_default_breaks_schema,
    br235_image_address,
)
from runner.workflow.rules.view import View
from runner.workflow.rules.wanted import br242_wrong_kind

Rule = Callable[[View], Iterable[Diagnostic]]

RULES: tuple[Rule, ...] = (
    br203_duplicate_step,
    br204_unknown_need,
    br205_circle,
    br206_undeclared_input,
    br207_undefined_name,
    br208_impossible_reference,
    br209_unknown_filter,
    br210_template_in_shell,
    br211_secret_out_of_place,
    br213_unknown_server,
    br214_tool_never_matches,
    br216_broken_template,
    br225_braces_in_expression,
    br226_illegal_schema,
    br228_name_out_of_place,
    br228_template_not_expanded,
    br229_unlikely_reference,
    br230_unused_input,
    br231_unused_declaration,
    br232_absent_file,
    br233_default_breaks_schema,
    br234_no_result_yet,
    br235_image_address,
    br237_taken_name,
    br238_key_out_of_place,
    br239_default_is_no_choice,
    br240_rows,
    br241_inputs_of_a_call,
    br242_wrong_kind,
    br243_idle_comparison,
    br244_impossible_status,
    br245_answer_unread,
    br246_unknown_keyword,
    br247_words_of_others,
)


def judge(view: View) -> tuple[Diagnostic, ...]:
    """Everything that the rules find, rule by rule."""
    return tuple(finding for rule in RULES for finding in rule(view))
