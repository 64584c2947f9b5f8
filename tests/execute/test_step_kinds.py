"""What each kind of step gives, and how it complains: ``run``, ``tool``, and the outputs of the workflow."""

from __future__ import annotations

import pytest
from kit.world import PaintedBox

from runner.chat.toolbox import Tool, ToolResult
from runner.record.events import CommandRan, ToolCalled, ToolReturned
from runner.words.errors import TemplateError

HEAD = "version: 1\nname: flow\n"
SERVER = "mcp_servers:\n  box: {command: painted}\n"
SHAPE = "{type: object, required: [n], properties: {n: {type: integer}}}"


def error_of(ran, step="a"):
    error = ran.finished[step].error
    return (error["kind"], error["message"])


class TestRun:
    def run(self, bench, step, **inputs):
        return bench().run(f"{HEAD}steps:\n  - id: a\n    {step}\n", **inputs)

    @pytest.mark.parametrize(
        ("wrote", "output"),
        [(r"a\n", "a"), ("a", "a"), (r"a\n\n", "a\n"), (r"a\r\n", "a"), (r"\n", ""), ("", ""), (r" a \n", " a ")],
    )
    def test_stdout_without_its_last_newline(self, bench, wrote, output):
        assert self.run(bench, f"run: [printf, '{wrote}']").finished["a"].output == output

    def test_json(self, bench):
        ran = self.run(bench, "run: [echo, '{\"n\": [1, null]}']\n    output: json")
        assert ran.finished["a"].output == {"n": [1, None]}

    @pytest.mark.parametrize(
        ("wrote", "message"),
        [
            ("seven", "stdout of `cat` is not JSON: Expecting value: line 1 column 1 (char 0)"),
            ('{"n": "x"}', "stdout of `cat` does not fit its schema: n: expected a whole number, got the text `x`"),
        ],
    )
    def test_what_is_not_as_asked(self, bench, wrote, message):
        assert error_of(self.run(bench, f"run: [cat]\n    stdin: '{wrote}'\n    output: {SHAPE}")) == (
            "invalid_output",
            message,
        )

    def test_brackets_without_end(self, bench):
        ran = self.run(bench, "shell: true\n    run: head -c 200000 /dev/zero | tr '\\0' '['\n    output: json")
        assert error_of(ran)[0] == "invalid_output"

    def test_texts_of_a_step_are_rendered_and_never_expanded_again(self, bench, tmp_path):
        place = bench()
        place.environment = {"PATH": "/bin:/usr/bin"}
        ran = place.run(
            f"""{HEAD}
inputs: {{odd: {{type: string}}}}
steps:
  - id: b
    run: [printf, "%s", "{{{{ inputs.odd }}}}"]
  - id: a
    shell: true
    run: pwd; cat; echo; echo "$LIST $FLAG $TEXT"
    cwd: {tmp_path}
    stdin: "in: {{{{ steps.b.output }}}}"
    env: {{LIST: "{{{{ [1, 'ü'] }}}}", FLAG: true, TEXT: "{{{{ steps.b.output }}}}"}}
""",
            odd="{{ inputs.odd }} $HOME",
        )
        odd = "{{ inputs.odd }} $HOME"
        assert ran.finished["a"].output == f'{tmp_path}\nin: {odd}\n[1, "ü"] true {odd}'

    def test_secrets_of_the_file_are_not_inherited(self, bench):
        place = bench(environment={"PATH": "/bin:/usr/bin", "TOKEN": "correct-horse", "OTHER": "seen"})
        ran = place.run(f"{HEAD}secrets: [TOKEN]\nsteps:\n  - {{id: a, run: [sh, -c, 'echo $TOKEN-$OTHER']}}\n")
        assert ran.finished["a"].output == "-seen"

    def test_a_failure_shows_the_end_of_what_it_wrote(self, bench):
        ran = self.run(bench, "run: [sh, -c, 'seq 10000 >&2; exit 3']")
        kind, message = error_of(ran)
        assert kind == "command"
        assert message.startswith("`sh -c seq 10000 >&2; exit 3` ended with exit code 3:\n")
        assert message.endswith("\n9999\n10000")
        assert len(message) < 2_100
        assert ran.finished["a"].extras["exit_code"] == 3

    def test_long_output_is_journalled_in_part_and_kept_whole(self, bench):
        ran = self.run(bench, "run: [seq, '10000']")
        [event] = ran.events(CommandRan)
        assert len(event.stdout) < 21_000
        assert (ran.folder / event.artifact).read_text() == ran.finished["a"].output + "\n"

    def test_expectations(self, bench):
        ran = self.run(
            bench,
            "run: [echo, hi]\n    expect:\n    - that: output == 'hi'\n"
            "    - {that: output == 'ho', message: 'say {{ output }}'}",
        )
        assert error_of(ran) == ("expectation", "say hi\nthis does not hold: output == 'ho'")


class TestTool:
    def run(self, bench, result, step="", tools=None):
        self.box = PaintedBox("box", tools or (Tool(name="act"),), lambda tool, arguments: result)
        text = f"{HEAD}{SERVER}steps:\n  - id: a\n    tool: box.act\n    {step}\n"
        return bench(boxes={"box": self.box}).run(text)

    def test_text(self, bench):
        ran = self.run(bench, "hello")
        assert ran.finished["a"].output == "hello"
        [called], [returned] = ran.events(ToolCalled), ran.events(ToolReturned)
        assert (called.call, called.arguments, returned.text) == ("a-1", {}, "hello")

    @pytest.mark.parametrize("value", [{"n": 1}, [1], None, 0])
    def test_structured_content_goes_first(self, bench, value):
        ran = self.run(bench, ToolResult(text="as text", structured=value, has_structured=True))
        assert ran.finished["a"].output == value

    def test_text_is_parsed_where_a_shape_is_asked_for(self, bench):
        assert self.run(bench, '{"n": 1}', f"output: {SHAPE}").finished["a"].output == {"n": 1}

    def test_structured_content_is_judged(self, bench):
        ran = self.run(bench, ToolResult(text="", structured={"n": "x"}, has_structured=True), f"output: {SHAPE}")
        assert error_of(ran) == (
            "invalid_output",
            "box.act: the answer does not fit the JSON Schema asked for:\n"
            "- n: expected a whole number, got the text `x`",
        )

    def test_arguments_keep_their_types(self, bench):
        self.run(bench, "done", "arguments: {whole: '{{ [1, 2] }}', text: 'n is {{ 3 }}', deep: {x: ['{{ none }}']}}")
        assert self.box.calls == [("act", {"whole": [1, 2], "text": "n is 3", "deep": {"x": [None]}})]

    @pytest.mark.parametrize(
        ("text", "said"),
        [("no\n", "no"), ("", "it did not say why"), ("x" * 9_000_000, "x" * 2_000)],
        ids=["word", "silence", "novel"],
    )
    def test_a_failing_tool(self, bench, text, said):
        ran = self.run(bench, ToolResult(text=text, is_error=True))
        assert error_of(ran) == ("tool", f"box.act failed: {said}")

    def test_a_tool_that_is_gone(self, bench):
        ran = self.run(bench, "done", tools=(Tool(name="other"),))
        assert error_of(ran) == ("tool", "the server `box` has no tool `act` any more")

    def test_expectations(self, bench):
        ran = self.run(bench, "hello", "expect: [{that: output == 'bye'}]")
        assert error_of(ran) == ("expectation", "this does not hold: output == 'bye'")

    def test_built_in_files(self, bench, tmp_path):
        (tmp_path / "place").mkdir()
        (tmp_path / "place/notes.txt").write_text("buy milk\n")
        ran = bench().run(
            f"{HEAD}mcp_servers:\n  files: {{builtin: files, root: .}}\n"
            "steps:\n  - {id: a, tool: files.search, arguments: {pattern: milk}}\n"
        )
        assert "notes.txt:1: buy milk" in ran.finished["a"].output


class TestOutputs:
    STEPS = """
steps:
  - {id: good, run: [echo, '{"n": 7}'], output: json}
  - {id: bad, run: [sh, -c, 'exit 3'], output: json}
  - {id: never, when: false, run: [echo, x]}
  - {id: saved, run: ["false"], output: json, on_error: {output: {n: 8}}}
"""

    def run(self, bench, outputs):
        return bench().run(f"{HEAD}{self.STEPS}outputs: {outputs}\n").outputs

    @pytest.mark.parametrize(
        ("template", "value"),
        [
            ("{{ steps.good.output.n }}", 7),
            ("n is {{ steps.good.output.n }}", "n is 7"),
            ("{{ steps.saved.output.n }}", 8),
            ("{{ steps.bad.output.n }}", None),
            ("{{ steps.good.output.n }} and {{ steps.bad.output.n }}", None),
            ("{{ steps.never.output }}", None),
            ("{{ steps.never.exit_code }}", None),
            ("{{ steps.bad.exit_code }}", 3),
            ("{{ steps.bad.status }}", "failed"),
            ("{{ steps.bad.error.kind }}", "command"),
            ("{{ steps.good.error }}", None),
            ("plain", "plain"),
        ],
    )
    def test_what_did_not_succeed_is_null(self, bench, template, value):
        assert self.run(bench, f"{{x: '{template}'}}") == {"x": value}

    def test_structures(self, bench):
        bad = "'{{ steps.bad.output }}'"
        outputs = f"{{x: {{a: ['{{{{ steps.good.output.n }}}}', 1]}}, y: [{bad}], z: {{b: {bad}}}, w: 3}}"
        assert self.run(bench, outputs) == {"x": {"a": [7, 1]}, "y": None, "z": None, "w": 3}

    def test_without_outputs_it_is_what_nobody_uses(self, bench):
        ran = bench().run(
            f"{HEAD}steps:\n"
            "  - {id: last, needs: [first], run: [echo, '{{ steps.first.output }}!']}\n"
            "  - {id: first, run: [echo, one]}\n"
            "  - {id: alone, run: ['false']}\n"
        )
        assert list(ran.outputs.items()) == [("last", "one!"), ("alone", None)]

    def test_an_output_that_cannot_be_made_says_which(self, bench):
        with pytest.raises(TemplateError, match=r"^outputs\.x: "):
            self.run(bench, "{x: '{{ steps.good.output.n / 0 }}'}")
