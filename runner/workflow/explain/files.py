"""Codes about the meaning of a file: each is one rule of ``workflow.rules``."""

from __future__ import annotations

from collections.abc import Mapping

from runner.workflow.explain.explanation import Explanation, example


def _two(first: str, second: str) -> str:
    """Two steps, ``scan`` and ``fix``, with these lines each."""
    return example(f"steps:\n  - id: scan\n{_in(first)}\n  - id: fix\n{_in(second)}")


def _one(lines: str) -> str:
    return example(f"steps:\n  - id: scan\n{_in(lines)}")


def _in(lines: str) -> str:
    return "\n".join(f"    {line}" for line in lines.splitlines())


_FIELDS = "output:\n  type: object\n  additionalProperties: false\n  properties: {file: {type: string}}"
_OPEN = "output:\n  type: object\n  properties: {file: {type: string}}"
_INPUT = "inputs: {path: {type: string}}\n"
_FILES = "mcp_servers:\n  files: {builtin: files}\n"
_USE_FILES = "steps:\n  - id: scan\n    mcp_servers: [files]\n    task: Look around.\n"

MEANING: Mapping[str, Explanation] = {
    "BR203": Explanation(
        title="two steps have one id",
        text="Other steps name a step by its `id`, and so does the history of a run: it must be unique in the file.",
        wrong=example("steps:\n  - id: scan\n    task: Look.\n  - id: scan\n    task: Look again."),
        right=example("steps:\n  - id: scan\n    task: Look.\n  - id: scan_again\n    task: Look again."),
    ),
    "BR204": Explanation(
        title="`needs` names a step that does not exist",
        text="Every name under `needs` is the `id` of another step of the same file.",
        wrong=_two("task: Look.", "needs: [scann]\ntask: Fix it."),
        right=_two("task: Look.", "needs: [scan]\ntask: Fix it."),
    ),
    "BR205": Explanation(
        title="steps wait for each other",
        text="A step waits for those it names under `needs` and for those whose results its templates read. If that "
        "leads back to itself, none of them could ever start. The message shows the whole circle.",
        wrong=_two("needs: [fix]\ntask: Look.", 'task: "Fix {{ steps.scan.output }}"'),
        right=_two("task: Look.", 'task: "Fix {{ steps.scan.output }}"'),
    ),
    "BR206": Explanation(
        title="an input is not declared",
        text="Every input that a template reads is declared under `inputs`, with its type. So a misspelt name is found "
        "before anything runs.",
        wrong=example(_INPUT + 'steps:\n  - id: scan\n    task: "Look at {{ inputs.pth }}"'),
        right=example(_INPUT + 'steps:\n  - id: scan\n    task: "Look at {{ inputs.path }}"'),
    ),
    "BR207": Explanation(
        title="a name is not defined",
        text="Templates know `inputs`, `run.id`, and of a step `steps.<id>.output`, `.status`, `.error` and "
        "`.artifacts`, of a command also `.exit_code` and `.stderr`. `item` (or what `as` calls it) exists in a step "
        "with `for_each`, `matrix` in one with `matrix`, `previous` in one with `repeat`, `loop.index` in all of them. "
        "`output` is the answer being checked in `expect` and in `until`.",
        wrong=_two("task: Look.", 'task: "Fix {{ step.scan.output }}"'),
        right=_two("task: Look.", 'task: "Fix {{ steps.scan.output }}"'),
    ),
    "BR208": Explanation(
        title="a value can never have this",
        text="The path leads to something that the step's `output` schema, the input's own declaration or the called "
        "workflow rules out, or into a value that is a plain text. A step without `output` answers with text; the "
        "output of a step with `for_each` is a list of answers, of one with `matrix` a list of "
        "`{matrix: …, output: …}`.",
        wrong=_two(f"task: Look.\n{_FIELDS}", 'task: "Fix {{ steps.scan.output.fil }}"'),
        right=_two(f"task: Look.\n{_FIELDS}", 'task: "Fix {{ steps.scan.output.file }}"'),
    ),
    "BR209": Explanation(
        title="a filter or test is unknown",
        text="Templates know most of Jinja's filters and tests, except those that guess, escape HTML or reach for "
        "attributes.",
        wrong=example(_INPUT + 'steps:\n  - id: scan\n    task: "Look at {{ inputs.path | uper }}"'),
        right=example(_INPUT + 'steps:\n  - id: scan\n    task: "Look at {{ inputs.path | upper }}"'),
    ),
    "BR210": Explanation(
        title="a template in a shell command",
        text="What a template brings, a shell would read as part of the command: a file called `; rm -rf ~` would be "
        "run. Pass values by `env`, or use the list form of `run`, which has no shell.",
        wrong=example(_INPUT + 'steps:\n  - id: scan\n    shell: true\n    run: "ls {{ inputs.path }} | wc -l"'),
        right=example(
            _INPUT + 'steps:\n  - id: scan\n    shell: true\n    run: ls "$FOLDER" | wc -l\n'
            '    env: {FOLDER: "{{ inputs.path }}"}'
        ),
    ),
    "BR211": Explanation(
        title="a secret where it would be seen, or one that is not declared",
        text="Secrets may stand in `env` and `headers` of an MCP server and in `env` of a `run` step: never in a "
        "prompt, an argument or an output. Each is declared by name under `secrets`.",
        wrong=example('secrets: [TOKEN]\nsteps:\n  - id: scan\n    task: "Log in with {{ secrets.TOKEN }}"'),
        right=example(
            'secrets: [TOKEN]\nsteps:\n  - id: scan\n    run: [./fetch]\n    env: {TOKEN: "{{ secrets.TOKEN }}"}'
        ),
    ),
    "BR213": Explanation(
        title="an MCP server is not defined",
        text="A step names servers that stand under `mcp_servers` at the top of the file.",
        wrong=example(_FILES + _USE_FILES.replace("[files]", "[flies]")),
        right=example(_FILES + _USE_FILES),
    ),
    "BR214": Explanation(
        title="a tool that can never be used",
        text="A step may use what its `mcp_servers` offer, what each server's `tools` let through, and what its own "
        "`tools` name. This pattern is outside of that. Of the built-in files, `write` and `edit` need `write: true`.",
        wrong=example(_FILES + _USE_FILES + "    tools: [files.edit]"),
        right=example(_FILES.replace("files}", "files, write: true}") + _USE_FILES + "    tools: [files.edit]"),
    ),
    "BR216": Explanation(
        title="a template or expression is broken",
        text="It cannot be read, or it does what templates may not do: they read data, they do not load, import or "
        "define.",
        wrong=example(_INPUT + 'steps:\n  - id: scan\n    task: "Look at {{ inputs.path"'),
        right=example(_INPUT + 'steps:\n  - id: scan\n    task: "Look at {{ inputs.path }}"'),
    ),
    "BR225": Explanation(
        title="braces in an expression",
        text="`when`, `for_each`, `until` and `that` are expressions as they stand: they take no braces.",
        wrong=_two("task: Look.", "when: \"{{ steps.scan.status == 'succeeded' }}\"\ntask: Fix it."),
        right=_two("task: Look.", "when: steps.scan.status == 'succeeded'\ntask: Fix it."),
    ),
    "BR226": Explanation(
        title="a schema is no legal JSON Schema",
        text="`output` and `inputs` are JSON Schemas, draft 2020-12. One that is not legal could judge nothing.",
        wrong=_one("task: Look.\noutput: {type: objekt}"),
        right=_one("task: Look.\noutput: {type: object}"),
    ),
    "BR246": Explanation(
        title="a word that JSON Schema does not know",
        text="JSON Schema lets unknown words pass without judging anything by them, so a slip of the pen lets every "
        "answer pass. A warning; an error if `output` holds nothing else: names of properties, as other tools write "
        "them, belong under `properties`. Words that begin with `x-` are yours.",
        wrong=_one("task: Look.\noutput: {file: {type: string}}"),
        right=_one("task: Look.\noutput: {type: object, required: [file], properties: {file: {type: string}}}"),
    ),
    "BR247": Explanation(
        title="a word that nobody here understands",
        text="A warning. A `run` step with a list starts the program itself, without a shell: `&&`, `|`, `>` and "
        "`$HOME` are arguments like any other. And of `${{ … }}`, as GitHub Actions has it, the `$` stays in the text.",
        wrong=_one("run: [echo, hello, '>', out.txt]"),
        right=_one("run: echo hello > out.txt\nshell: true"),
    ),
    "BR228": Explanation(
        title="a template where none is expanded",
        text="The text would be used letter by letter, braces and all. Or it names something that does not exist yet: "
        "a model's name may use only `inputs` and `matrix`, an MCP server's settings `inputs`, `secrets` and `run`.",
        wrong=example("inputs:\n  a: {type: string, default: src}\n  b: {type: string, default: \"{{ inputs.a }}/x\"}\n"
                      'steps:\n  - id: scan\n    task: "Look at {{ inputs.a }} and {{ inputs.b }}"'),
        right=example("inputs:\n  a: {type: string, default: src}\n"
                      'steps:\n  - id: scan\n    task: "Look at {{ inputs.a }} and {{ inputs.a }}/x"'),
    ),
    "BR229": Explanation(
        title="an answer may lack this",
        text="The step's schema neither names nor forbids the property, but it names one that is very like it.",
        wrong=_two(f"task: Look.\n{_OPEN}", 'task: "Fix {{ steps.scan.output.fil }}"'),
        right=_two(f"task: Look.\n{_OPEN}", 'task: "Fix {{ steps.scan.output.file }}"'),
    ),
    "BR230": Explanation(
        title="an input is never used",
        text="Nothing reads it. Either a template was forgotten, or the input can go.",
        wrong=example(_INPUT + "steps:\n  - id: scan\n    task: Look around."),
        right=example(_INPUT + 'steps:\n  - id: scan\n    task: "Look at {{ inputs.path }}"'),
    ),
    "BR231": Explanation(
        title="a model, MCP server or secret is never used",
        text="It is declared at the top, and no step names it.",
        wrong=example(_FILES + "steps:\n  - id: scan\n    task: Look around."),
        right=example(_FILES + _USE_FILES),
    ),
    "BR232": Explanation(
        title="a file that is named is not there",
        text="The paths of `output: {schema: …}` and of `from:` start at the folder of the workflow file.",
        wrong=_one("task: Look.\noutput: {schema: no-such-file.json}"),
        right=_one("task: Look.\noutput: {type: object}"),
    ),
    "BR233": Explanation(
        title="a default does not fit its own input",
        text="The default is used when nothing is given, so it must be a value that could be given.",
        wrong=example('inputs: {count: {type: integer, default: three}}\nsteps:\n  - id: scan\n'
                      '    task: "Name {{ inputs.count }} files"'),
        right=example('inputs: {count: {type: integer, default: 3}}\nsteps:\n  - id: scan\n'
                      '    task: "Name {{ inputs.count }} files"'),
    ),
    "BR234": Explanation(
        title="a result is read where it cannot exist",
        text="A step's result exists when the step has ended: not inside the step itself, and not in models, servers "
        "or defaults, which are settled before the first step. In `expect`, the answer being checked is called "
        "`output`; so it is in `until`.",
        wrong=_one("task: Look.\nexpect:\n  - that: steps.scan.output | length > 0"),
        right=_one("task: Look.\nexpect:\n  - that: output | length > 0"),
    ),
    "BR235": Explanation(
        title="a picture that is not on this machine",
        text="Pictures are read here and sent with the prompt, as png, jpeg, webp or gif of at most 20 MB. A run "
        "fetches nothing on its own: let a step of the workflow do it, so that the file says where data comes from.",
        wrong=_one('task: What is it?\nimages: ["https://example.org/cat.png"]'),
        right=_one("task: What is it?\nimages: [pictures/cat.png]"),
    ),
}  # fmt: skip
