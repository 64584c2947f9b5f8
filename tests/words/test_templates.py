"""Rendering and judging templates."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.words.errors import TemplateError
from runner.words.template_check import check_expression, check_template
from runner.words.template_run import run_expression, run_template
from runner.words.templates import (
    Inspection,
    evaluate,
    has_template,
    inspect_expression,
    inspect_template,
    render,
    render_text,
    template_holes,
    template_value,
    truth,
)

NAMES = {
    "inputs": {"path": "src", "count": 3, "names": ["a", "b"], "yes": True, "no": None, "text": "x" * 1000},
    "steps": {
        "scan": {"output": None, "status": "failed"},
        "find": {"output": {"targets": [{"file": "a.py"}], "items": "mine", "ümlaut": "é<b>"}, "status": "succeeded"},
    },
    "output": "fine",
}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("no braces", "no braces"),
        ("{{ inputs.count }}", 3),
        ("{{inputs.names}}", ["a", "b"]),
        ("{{ inputs.yes }}", True),
        ("{{ inputs.no }}", None),
        (" {{ inputs.count }}", " 3"),
        ("{{ inputs.path }}{{ inputs.count }}", "src3"),
        ("a {{ inputs.yes }} b {{ inputs.no }} c {{ inputs.names }}", 'a true b  c ["a", "b"]'),
        ("{{ steps.find.output }}!", '{"targets": [{"file": "a.py"}], "items": "mine", "ümlaut": "é<b>"}!'),
        ("{{ steps.find.output | tojson }}", '{"targets": [{"file": "a.py"}], "items": "mine", "ümlaut": "é<b>"}'),
        ("{{ steps.find.output.items }}", "mine"),
        ("{{ steps['find'].output.targets[0].file }}", "a.py"),
        ("{{ inputs.names | map('upper') | list }}", ["A", "B"]),
        ("{{ inputs.names | join('-') }}", "a-b"),
        ("{{ inputs.path ~ none ~ true ~ 1.5 }}", "srctrue1.5"),
        ("{{ inputs.path.upper() }}", "SRC"),
        ("{{ inputs.path.replace('s', 'S') }}", "Src"),
        ("{{ ', '.join(inputs.names) }}", "a, b"),
        ("{{ inputs.absent | default('none given') }}", "none given"),
        ("{{ steps.scan.output.targets | default([]) }}", []),
        ("{{ (1, 2) }}", [1, 2]),
        ("{{ '%03d' % 7 }}", "007"),
        ("{{ 'é' | tojson }}", '"é"'),
        ("{% for name in inputs.names %}{{ loop.index }}{{ name }}{% endfor %}", "1a2b"),
        ("{% set x = inputs.path %}{{ x }}\n", "src\n"),
        ("{% if inputs.no %}yes{% else %}{{ none }}no{% endif %}", "no"),
        ("{# nothing #}{{ range(3) | sum }}", "3"),
        ("{{ {'a': 1}.items() | list }}", [["a", 1]]),
        ("{{ inputs.names | groupby('0') | list }}", [["a", ["a"]], ["b", ["b"]]]),
        ("{{ 'a b c' | wordwrap(1) }}", "a\nb\nc"),
        ("{{ 'x' | center(3) | indent(1, true) }}", "  x "),
        ("{{ 2.567 | round(1) }}", 2.6),
    ],
)
def test_rendering(source: str, value: object) -> None:
    assert render(source, NAMES) == value


def test_structures_are_rendered_inside() -> None:
    value = {"a": ["{{ inputs.count }}", 1, None], "{{ key }}": {"b": "<{{ inputs.path }}>"}}
    assert render(value, NAMES) == {"a": [3, 1, None], "{{ key }}": {"b": "<src>"}}


def test_what_a_value_says_is_never_expanded() -> None:
    assert render("{{ output }}", {"output": "{{ inputs.path }}"}) == "{{ inputs.path }}"
    assert render("{{ output | string }}", {"output": "{{ inputs.path }}"}) == "{{ inputs.path }}"


def test_text_of_values() -> None:
    assert render_text("{{ inputs.names }}", NAMES) == '["a", "b"]'
    assert render_text("{{ inputs.yes }}", NAMES) == "true"
    assert render_text("{{ inputs.no }}", NAMES) == ""
    assert render_text(5, NAMES) == "5"
    assert render_text({"a": "{{ inputs.count }}"}, NAMES) == '{"a": 3}'


def test_numbers_that_json_has_not_are_no_bug_but_words() -> None:
    for source in ("{{ inputs.n | tojson }}", "x{{ inputs.n }}"):
        with pytest.raises(TemplateError) as caught:
            render(source, {"inputs": {"n": float("inf")}})
        said = str(caught.value).removesuffix(": inf")  # which Python says since 3.13
        assert said == f"the template `{source}` cannot be rendered: Out of range float values are not JSON compliant"


def test_more_than_a_megabyte_is_refused_unless_it_is_passed_on_as_it_is() -> None:
    names = {"inputs": {"big": "x" * 1_100_000}}
    assert render_text("x" * 1_100_000, names) == "x" * 1_100_000
    names["inputs"]["half"] = "x" * 600_000
    twice = "{{ inputs.half }}{{ inputs.half }}"
    for value in ("{{ inputs.big }}", "-{{ inputs.big }}", "{{ [inputs.big] | tojson }}", twice):
        with pytest.raises(TemplateError, match="the template gives more than 1 MB of text"):
            render(value, names)
    with pytest.raises(TemplateError) as caught:
        render_text({"half": "{{ inputs.half }}", "other": "{{ inputs.half }}"}, {"inputs": {"half": "x" * 600_000}})
    assert (caught.value.message, caught.value.hint) == (
        "the template gives more than 1 MB of text",
        "pass a part of it, or the path of a file",
    )
    with pytest.raises(TemplateError, match="more than 1 MB"):
        evaluate("inputs.big", names)


def test_blocks() -> None:
    assert render("{% set x | upper %}abc{% endset %}{{ x }}", {}) == "ABC"
    assert render("{% for i in [1, 2, 3] if i > 1 %}{{ i }}{% else %}none{% endfor %}", {}) == "23"
    assert render("{% for i in [] %}{{ i }}{% else %}none{% endfor %}", {}) == "none"
    assert inspect_template("{% set x | nope %}{{ y }}{% endset %}{% for i in [] if z %}{% endfor %}").references


def test_expressions() -> None:
    assert evaluate("inputs.count", NAMES) == 3
    assert evaluate("inputs.count + 1", NAMES) == 4
    assert truth("output | length > 0 and steps.scan.status == 'failed'", NAMES)
    assert not truth("inputs.no", NAMES)
    assert truth("inputs.absent is not defined", NAMES)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{ steps.scan.output.targets }}", "`steps.scan.output` is null, so `targets` cannot be read from it"),
        ("{{ steps.scan.output.a.b | upper }}", "`steps.scan.output` is null, so `a` cannot be read from it"),
        ("{{ nothing }}", "`nothing` is not defined"),
        ("{{ inputs.count.x }}", "`inputs.count` is a number, which has no `x`"),
        ("{{ inputs.path.x }}", "`inputs.path` is a text, which has no `x`"),
        ("{{ steps.find.output.zap }}", "`steps.find.output` has no `zap` (it has `targets`, `items`, `ümlaut`)"),
        ("{{ steps.find.output.targets[4].file }}", "`steps.find.output.targets` has 1 items, so there is no item 4"),
        ("x {{ ''.__class__ }}", "`it` is a text, which has no `__class__`"),
        ("{{ inputs.yes.x }}", "`inputs.yes` is a boolean, which has no `x`"),
        ("{{ inputs.names.x }}", "`inputs.names` is a list, which has no `x`"),
        ("{{ {}.x }}", "`it` has no `x` (it is empty)"),
        (
            "{{ 1.5 | round(31) }}",
            "the template `{{ 1.5 | round(31) }}` cannot be rendered: `round` takes at most 30 digits",
        ),
        (
            "{{ " + "9" * 3000 + " * " + "9" * 3000 + " }}",
            "the template `{{ " + "9" * 77 + "…` cannot be rendered: the product is too large",
        ),
        ("{{ 1 / 0 }}", "the template `{{ 1 / 0 }}` cannot be rendered: division by zero"),
        ("{{ 'a' * 10**9 }}", "the template `{{ 'a' * 10**9 }}` cannot be rendered: a value would grow beyond 16 MB"),
        ("{{ 2 ** 999999 }}", "the template `{{ 2 ** 999999 }}` cannot be rendered: the power is too large"),
        (
            "{{ 'a' | center(10**8) }}",
            "the template `{{ 'a' | center(10**8) }}` cannot be rendered: a value would grow beyond 16 MB",
        ),
        (
            "{{ '%999999d' % 1 }}",
            "the template `{{ '%999999d' % 1 }}` cannot be rendered: a field of a format is too wide",
        ),
        (
            "{{ range(10**9) | list }}",
            "the template `{{ range(10**9) | list }}` cannot be rendered: "
            "`range` gives at most 100,000 numbers in one template",
        ),
        (
            "{{ inputs.path.upper }}",
            "the template `{{ inputs.path.upper }}` cannot be rendered: "
            "the result is no value but a builtin_function_or_method; a method needs its parentheses",
        ),
        (
            "{% include 'x' %}",
            "the template `{% include 'x' %}` cannot be rendered: the tag `include` is not allowed in a workflow",
        ),
    ],
)
def test_what_cannot_be_rendered_says_why(source: str, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        render(source, NAMES)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "source",
    [
        "{% for i in range(90000) %}{% for j in range(90000) %}{% endfor %}{% endfor %}",
        "{% for i in range(5000) %}{{ inputs.text }}{% endfor %}",
        "{% set a = inputs.text %}" + "{% set a = a ~ a %}" * 40 + "{{ a }}",
        "{% set a = inputs.text %}" + "{% set a = a + a %}" * 40 + "{{ a }}",
        "{{ (inputs.text * 10000).replace('x', inputs.text) }}",
        "{{ ([inputs.text] * 100000) | join(inputs.text) }}",
        "{{ (inputs.text ~ '\n') | indent(10**9) }}",
        "{{ 'x' | wordwrap(0) }}",
        "{{ 1.5 | round(10**9, 'ceil') }}",
        "{{ '{:>999999999}'.format(1) }}",
        "{{ inputs.path.zfill(10**9) }}",
        "{{ " + "(" * 2000 + "1" + ")" * 2000 + " }}",
        "{{ inputs.names.append(1) }}",
        "{{ inputs.update({'path': 1}) }}",
        "{{ lipsum() }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ self }}x",
        "{{ 1e999 }}x",
        "{{ 10 ** 5000 }}x",
    ],
)
def test_the_sandbox_holds(source: str) -> None:
    with pytest.raises(TemplateError):
        render_text(source, NAMES)
    assert NAMES["inputs"]["path"] == "src"


def references(source: str) -> list[tuple[tuple[str | int, ...], str]]:
    """The paths, and the characters of the source that the offsets cut out."""
    found = inspect_template(source).references
    return [(reference.path, source[reference.offset : reference.offset + reference.length]) for reference in found]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("none", []),
        ("{{ a.b }}", [(("a", "b"), "a.b")]),
        ("x{{ a }}y\n{{ b.c|tojson }}", [(("a",), "a"), (("b", "c"), "b.c")]),
        (
            '{{ steps["scan"] . output [ 0 ].x }}',
            [(("steps", "scan", "output", 0, "x"), 'steps["scan"] . output [ 0 ].x')],
        ),
        ("{{ steps[which].output }}", [(("steps",), "steps"), (("which",), "which")]),
        ("{{ a.b.upper() }}", [(("a", "b"), "a.b")]),
        ("{{ a[1:2].b }}", [(("a",), "a")]),
        ("  {{- a.b -}}  {{ c|upper }}", [(("a", "b"), "a.b"), (("c",), "c")]),
        (
            "{% for t in a.b %}{{ t.x }}{{ loop.index }}{{ c }}{% endfor %}{{ t }}",
            [(("a", "b"), "a.b"), (("c",), "c"), (("t",), "t")],
        ),
        ("{% set x = a %}{{ x.y }}{{ b | d(x) }}", [(("a",), "a"), (("b",), "b")]),
        ("{% if a %}{% set x = 1 %}{% endif %}{{ x }}", [(("a",), "a")]),
        ("{% with x = a, y = x %}{{ x }}{{ y }}{% endwith %}{{ y }}", [(("a",), "a"), (("x",), "x"), (("y",), "y")]),
        ("{% set x %}{{ a }}{% endset %}{{ x }}", [(("a",), "a")]),
        ("{% filter upper %}{{ a }}{% endfilter %}", [(("a",), "a")]),
        ("é\r\n{{ a|upper }}\r\n{{ b.c|upper }}", [(("a",), "a"), (("b", "c"), "b.c")]),
        ("{{ a if b is defined else c }}", [(("a",), "a"), (("b",), "b"), (("c",), "c")]),
        ("{{ f(x, y=z.q) }}", [(("f",), "f"), (("x",), "x"), (("z", "q"), "z.q")]),
        ("{# {{ a }} #}{% raw %}{{ b }}{% endraw %}{{ c | upper }}", [(("c",), "c")]),
        ("{{ {'k': a}['k'] }}", [(("a",), "a")]),
        ("{{{ a }}", []),
    ],
)
def test_references(source: str, expected: object) -> None:
    assert references(source) == expected


def problem(inspection: Inspection) -> tuple[str, str, str, int, int]:
    assert len(inspection.problems) == 1
    found = inspection.problems[0]
    return found.kind, found.name, found.message, found.offset, found.length


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ a | uper }}", ("unknown_filter", "uper", "there is no filter `uper`; did you mean `upper`?", 7, 4)),
        (
            "{{ a is not defned }}",
            ("unknown_test", "defned", "there is no test `defned`; did you mean `defined`?", 12, 6),
        ),
        ("{{ a.zfill(3) }}", ("forbidden", "zfill", "nothing has a method `zfill`", 5, 5)),
        (
            "x {% include 'y' %}",
            (
                "forbidden",
                "include",
                "the tag `include` is not allowed in a workflow: a template reads data and nothing else",
                5,
                7,
            ),
        ),
        ("{{ a", ("syntax", "", "a `{{` is never closed; write `}}` behind it", 3, 1)),
        ("{{ }}", ("syntax", "", "there is nothing between `{{` and `}}`", 3, 2)),
        ("{{ a b }}", ("syntax", "", "`}}` or an operator is expected here, not `b`", 5, 1)),
        ("{{ a ! }}", ("syntax", "", "`!` means nothing here; write `not`", 5, 1)),
        ("x {# y", ("syntax", "", "a `{#` is never closed; write `#}` behind it", 2, 2)),
        (
            "{% for x in y %}",
            (
                "syntax",
                "",
                "`{% for %}` is never closed; write `{% endfor %}` behind it",
                14,
                2,
            ),
        ),
        ("{% frob %}", ("syntax", "", "there is no tag `frob`; there are `if`, `for` and `set`", 3, 4)),
        ("{{ a) }}", ("syntax", "", "`)` cannot stand here", 4, 1)),
    ],
)
def test_problems(source: str, expected: object) -> None:
    assert problem(inspect_template(source)) == expected


def test_problems_of_expressions() -> None:
    assert problem(inspect_expression("a > 1 b")) == ("syntax", "", "`b` cannot stand here", 6, 1)
    assert inspect_expression("steps.a.output | length > 0").references[0].path == ("steps", "a", "output")
    assert inspect_expression("").problems[0].kind == "syntax"


def test_deep_nesting_is_a_problem() -> None:
    assert inspect_template("{{ " + "[" * 5000 + "]" * 5000 + "|upper }}").problems[0].kind == "syntax"


NOISE = st.lists(
    st.sampled_from(
        ["{{", "}}", "{%", "%}", "{#", "#}", " ", "\n", "\r\n", "a", "inputs", ".path", "[0]", "|", "upper", "-"]
    )
    | st.characters(codec="utf-8"),
    max_size=30,
).map("".join)
PIECES = st.lists(
    st.sampled_from(
        [
            "{{ ",
            " }}",
            "{{",
            "}}",
            "{% if a %}",
            "{% endif %}",
            "{% for x in inputs.names %}",
            "{% endfor %}",
            "{% set a = 1 %}",
            "{#",
            "#}",
            "inputs",
            "inputs.path",
            "steps.find.output",
            ".targets",
            "[0]",
            "['k']",
            " | ",
            "upper",
            "tojson",
            "length",
            "items()",
            " ~ ",
            " + ",
            " * ",
            "9",
            "'x'",
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            " if ",
            " else ",
            " is ",
            "defined",
            "\n",
            "\r\n",
            "-",
            "none",
            "not ",
            "{%- raw %}",
            "{% endraw -%}",
            "x",
            "é",
            "\\",
            '"',
            ",",
            ":",
            "loop",
            "range(3)",
            "1e5",
            "0x1f",
            "%}",
        ]
    ),
    max_size=12,
).map("".join)


@settings(max_examples=400, deadline=None)
@given(st.one_of(NOISE, PIECES))
def test_any_text_can_be_inspected_and_rendered(source: str) -> None:
    found = inspect_template(source)
    assert all(r.offset >= 0 and r.offset + r.length <= len(source) for r in found.references)
    assert all(0 <= p.offset <= len(source) for p in found.problems)
    for reference in found.references:
        assert source[reference.offset :].startswith(str(reference.path[0]))
    try:
        render(source, NAMES)
    except TemplateError:
        return
    assert not [p for p in found.problems if p.kind == "syntax"], "what renders was called broken"


@settings(max_examples=400, deadline=None)
@given(PIECES)
def test_any_text_is_an_expression_or_a_problem(source: str) -> None:
    found = inspect_expression(source)
    try:
        evaluate(source, NAMES)
    except TemplateError:
        return
    assert not [p for p in found.problems if p.kind == "syntax"]


PATHS = st.sampled_from(
    [
        "inputs.path",
        "inputs.names",
        "steps.find.output",
        "inputs.no",
        "inputs.absent",
        "nothing",
        "inputs",
        "inputs.names[1]",
        "inputs['names'][0]",
        'steps["find"].output',
        "inputs.names[9]",
    ]
)
PLAIN = st.lists(
    PATHS.map(lambda path: f"{{{{ {path} }}}}")
    | PATHS.map(lambda path: f"{{{{{path}|tojson}}}}")
    | PATHS.map(lambda path: f"{{{{ {path} | length | string }}}}")
    | st.sampled_from(["text", "{", "}", "\n", " "]),
    max_size=5,
).map("".join)


@settings(max_examples=200, deadline=None)
@given(PLAIN)
def test_the_short_way_says_what_the_sandbox_says(source: str) -> None:
    def outcome(way: object) -> object:
        try:
            return way(source, NAMES)
        except TemplateError as error:
            return str(error)

    assert outcome(render) == outcome(lambda text, names: run_template(text, names) if has_template(text) else text)
    if has_template(source):
        short, long = inspect_template(source), check_template(source)
        assert (short.references, short.problems) == (long.references, long.problems)
        assert template_holes(source) == long.holes
        assert template_value(source) == (long.holes[0] if long.is_value else None)


@given(PATHS)
def test_the_short_way_of_expressions(source: str) -> None:
    long = check_expression(source)
    assert inspect_expression(source).references == long.references
    assert template_value(source, bare=True) == template_holes(source, bare=True)[0] == long.holes[0]
    if "absent" not in source and "9" not in source and source != "nothing":
        assert evaluate(source, NAMES) == run_expression(source, NAMES)


def test_plain_templates_do_not_import_jinja() -> None:
    program = (
        "import sys; from runner.words.templates import render, inspect_template, truth\n"
        "assert render('a {{ inputs.x }}', {'inputs': {'x': 1}}) == 'a 1'\n"
        "assert inspect_template('{{ inputs.x | tojson }}').references\n"
        "assert truth('inputs.x', {'inputs': {'x': 1}})\n"
        "sys.exit('jinja2' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_number_of_too_many_digits_is_a_problem_of_its_template() -> None:
    (problem,) = inspect_template("{{ " + "1" * 5000 + " }}").problems
    assert (problem.kind, problem.message.split(" for ")[0]) == ("syntax", "Exceeds the limit (4300 digits)")
