"""Runs that are watched: metrics that say what the journal says, spans over the wire, logs that tell no secret."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from kit.project import Project, wait_until
from kit.stage import CODER, Stage, flow, model
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).resolve().parents[2]
GIT = ("git", "-c", "user.name=test", "-c", "user.email=test@example.invalid", "-c", "commit.gpgsign=false")
OF_THE_ISSUE = {
    "lms_model_load_attempts_total": ("counter", "model_name result", ""),
    "lms_model_load_duration_seconds": ("histogram", "model_name", ".1 .5 1 2.5 5 10 30 60"),
    "lms_model_verification_attempts_total": ("counter", "model_name result", ""),
    "lms_model_verification_duration_seconds": ("histogram", "model_name", ".01 .05 .1 .5 1 2 5"),
    "lms_active_models": ("gauge", "", ""),
    "lms_circuit_breaker_state": ("gauge", "operation", ""),
    "lms_autonomous_task_duration_seconds": ("histogram", "mcp_name result", "1 5 10 30 60 300 600"),
    "lms_autonomous_task_rounds": ("histogram", "mcp_name", "1 5 10 20 50 100 500 1000"),
}
ASK = "version: 1\nname: ask\nsteps:\n  - {id: answer, task: Say the word of the day.}\n"
TEXT = "the word of the day is haddock"

Samples = dict[tuple[str, ...], float]


def samples(text: str) -> Samples:
    """By the name and the values of the labels, which are in the order of the labels' names."""
    families = text_string_to_metric_families(text)
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


def rows_of_the_page() -> dict[str, tuple[str, str, str]]:
    page = (ROOT / "docs/observability.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (counter|gauge|histogram) \| (.*?) \| (.*?) \|", page, re.MULTILINE)
    return {name: (kind, labels.replace("`", ""), buckets) for name, kind, labels, buckets in rows}


def numbers(buckets: str) -> list[float]:
    return [float(one) for one in buckets.split()]


def log(raw: str) -> list[dict[str, Any]]:
    """Every line of stderr; one that is no object fails the test."""
    return [json.loads(line) for line in raw.splitlines()]


@contextmanager
def collector(answers: threading.Event | None = None) -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    """A receiver of OTLP over HTTP on a socket; gives its address and what came. It ``answers`` only then."""
    came: list[ExportTraceServiceRequest] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.path == "/v1/traces"
            came.append(ExportTraceServiceRequest.FromString(body))
            if answers is not None:
                answers.wait()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", came
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def without(project: Project, *modules: str) -> dict[str, str]:
    """An environment in which these modules are not installed."""
    blocked = "\n".join(f"sys.modules[{name!r}] = None" for name in modules)
    project.write("blocked/sitecustomize.py", f"import sys\n{blocked}\n")
    return {"PYTHONPATH": str(project.folder / "blocked")}


def test_the_page_lists_the_metrics_of_the_issue_exactly_so():
    rows = rows_of_the_page()
    named = {name: row for name, row in rows.items() if name.startswith("lms_")}
    assert {name: (kind, labels, numbers(buckets)) for name, (kind, labels, buckets) in named.items()} == {
        name: (kind, labels, numbers(buckets)) for name, (kind, labels, buckets) in OF_THE_ISSUE.items()
    }


@pytest.fixture(scope="module")
def refactored(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], str]:
    """The journal of ``workflows/refactor.yaml`` on its simulator, and the file of metrics that the run has left."""
    project = Project(tmp_path_factory.mktemp("refactor"))
    shutil.copytree(ROOT / "workflows", project.folder / "workflows", ignore=shutil.ignore_patterns("__pycache__"))
    script = project.folder / "workflows/refactor.sim.yaml"
    script.write_text(re.sub(r"\n    (first_token|tokens_per_second): .*", "", script.read_text("utf-8")), "utf-8")
    project.write(".gitignore", "__pycache__/\n.bridge/\n")
    for arguments in (("init", "--quiet"), ("add", "."), ("commit", "--quiet", "-m", "as it was")):
        subprocess.run([*GIT, *arguments], cwd=project.folder, check=True)
    file = "workflows/refactor.yaml"
    ended = project.run(file, "--simulate", str(script), "--metrics-file", "run.prom", timeout=110)
    assert ended.code == 0, ended
    return project.journal(), (project.folder / "run.prom").read_text("utf-8")


def test_the_file_of_metrics_has_every_name_label_and_bucket_of_the_page(refactored):
    _, text = refactored
    families = list(text_string_to_metric_families(text))
    kinds = {f"{one.name}_total" if one.type == "counter" else one.name: one for one in families}
    rows = rows_of_the_page()
    assert {name: family.type for name, family in kinds.items()} == {name: row[0] for name, row in rows.items()}
    filled = 0
    for name, family in kinds.items():
        kind, labels, buckets = rows[name]
        for sample in family.samples:
            filled += 1
            assert sorted(sample.labels.keys() - {"le"}) == sorted(labels.split()), name
        if kind == "histogram" and family.samples:
            bounds = {float(one.labels["le"]) for one in family.samples if one.name.endswith("_bucket")}
            assert bounds == {*numbers(buckets), float("inf")}, name
    assert filled > 100


def test_metrics_say_what_the_journal_says(refactored):
    journal, text = refactored
    shown = samples(text)

    def of(kind: str) -> list[dict[str, Any]]:
        return [entry for entry in journal if entry["type"] == kind]

    def counted(name: str) -> Samples:
        return {key[1:]: value for key, value in shown.items() if key[0] == name}

    answers = of("model_answered")
    assert counted("bridge_run_answers_total") == Counter((one["model"],) for one in answers)
    for name, key in (("prompt", "prompt_tokens"), ("completion", "completion_tokens"),
                      ("reasoning", "reasoning_tokens"), ("cached_prompt", "cached_tokens")):  # fmt: skip
        tokens: Counter[tuple[str, ...]] = Counter()
        for one in answers:
            tokens[one["model"],] += one["usage"][key]
        assert counted(f"bridge_run_{name}_tokens_total") == dict(tokens)
        assert name in ("cached_prompt", "reasoning") or sum(tokens.values()) > 0
    for name in {one["model"] for one in answers}:
        spent = sum(one["seconds"] for one in answers if one["model"] == name)
        assert shown["bridge_run_answer_duration_seconds_sum", name] == pytest.approx(spent)
    calls = Counter(
        ("error" if one["is_error"] else "success", one["server"], one["tool"]) for one in of("tool_returned")
    )
    assert counted("bridge_run_tool_calls_total") == calls
    assert calls["error", "files", "edit"] == 1
    steps = [one for one in of("step_finished") if "item" not in one]
    assert counted("bridge_run_steps_total") == Counter((one["status"],) for one in steps)
    items = [one for one in of("step_finished") if "item" in one]
    assert counted("bridge_run_items_total") == Counter((one["status"],) for one in items)
    assert counted("bridge_run_refused_answers_total") == Counter((one["kind"],) for one in of("answer_refused"))
    assert counted("bridge_run_runs_total") == {("succeeded",): 1}
    (end,) = of("run_finished")
    assert shown["bridge_run_run_duration_seconds_sum", "succeeded"] == pytest.approx(end["seconds"])
    models = {one["model"] for one in of("run_started")[0]["models"].values()}
    assert counted("lms_circuit_breaker_state") == {(f"chat {name}",): 0 for name in models}
    assert shown["lms_active_models",] == 0


def test_a_load_is_measured_as_the_journal_has_it(project: Project, stage: Stage):
    stage.serve({CODER: model(load_time="150ms")})
    project.write("ask.yaml", flow(f"{{id: answer, model: {CODER}, task: Say it.}}"))
    ended = project.run("ask.yaml", "--metrics-file", "m.prom")
    assert ended.code == 0, ended
    shown = samples((project.folder / "m.prom").read_text("utf-8"))
    (loaded,) = [entry for entry in project.journal() if entry["type"] == "model_loaded"]
    assert shown["lms_model_load_attempts_total", CODER, "success"] == 1
    assert shown["lms_model_load_duration_seconds_sum", CODER] == pytest.approx(loaded["seconds"])
    assert shown["lms_model_load_duration_seconds_bucket", "0.1", CODER] == 0  # it takes 150 ms at least


def test_retries_and_an_open_circuit_are_measured(project: Project, serve):
    serve([{"fault": "status-500", "times": 99}])
    retry = "{attempts: 5, wait: 1ms, max_wait: 2ms}"
    project.write("ask.yaml", ASK.replace("task:", f"retry: {retry}, task:"))
    ended = project.run("ask.yaml", "--metrics-file", "m.prom")
    assert ended.code == 1, ended
    shown = samples((project.folder / "m.prom").read_text("utf-8"))
    retried = [entry["kind"] for entry in project.journal() if entry["type"] == "step_retried"]
    assert shown["bridge_run_retries_total", "server"] == retried.count("server") == 4
    assert shown["lms_circuit_breaker_state", f"chat {CODER}"] == 1
    assert shown["bridge_run_steps_total", "failed"] == shown["bridge_run_runs_total", "failed"] == 1


def test_metrics_are_served_while_the_run_lives(project: Project):
    project.write("wait.yaml", "version: 1\nname: wait\nsteps:\n"
                  "  - {id: hold, run: [sh, -c, 'until [ -e go ]; do sleep 0.05; done']}\n")  # fmt: skip
    process = project.start("wait.yaml", "--metrics-port", "0", "--log-format", "json")
    assert process.stderr is not None
    first = json.loads(process.stderr.readline())
    url = first["message"].removeprefix("metrics at ")
    shown: Samples = {}

    def begun() -> bool:
        with urllib.request.urlopen(url, timeout=10) as page:
            assert page.headers["Content-Type"].startswith("text/plain; version=")
            shown.update(samples(page.read().decode()))
        return ("lms_active_models",) in shown

    wait_until(begun, "the page is there")
    assert shown["lms_active_models",] == 0
    project.write("go", "")
    assert project.ended(process).code == 0


def test_without_its_library_a_run_with_metrics_is_refused_and_any_other_is_not(project: Project, serve):
    serve([{"say": TEXT, "times": 2}])
    project.write("ask.yaml", ASK)
    env = without(project, "prometheus_client")
    ended = project.run("ask.yaml", "--metrics-port", "0", env=env)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "error: `--metrics-port` needs the library prometheus-client, which is not installed\n"
        "  = help: pip install 'bridge-run[metrics]'\n"
    )
    assert project.run("ask.yaml", env=env).code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--log-level", "debug"), "`--log-level` belongs to `--log-format json`"),
        (("--metrics-port", "0", "--dry-run"), "`--metrics-port` and `--dry-run` exclude each other"),
        (("--metrics-file", "m", "--rehearse"), "`--metrics-file` and `--rehearse` exclude each other"),
        (("--log-format", "json", "--faults", "all"), "`--log-format` and `--faults` exclude each other"),
    ],
)
def test_options_that_make_no_sense_together_are_refused(project: Project, arguments, said):
    project.write("ask.yaml", ASK)
    ended = project.run("ask.yaml", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


def test_a_file_of_metrics_that_cannot_be_written_stops_the_run_before_it_begins(project: Project, serve):
    serve([{"say": TEXT}])
    project.write("ask.yaml", ASK)
    ended = project.run("ask.yaml", "--metrics-file", "gone/m.prom")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "error: cannot write the metrics into `PROJECT/gone/m.prom`: No such file or directory\n"
        "  = help: choose another `--metrics-file`\n"
    )
    assert project.runs() == []


def test_a_plain_run_imports_neither_library(project: Project, serve):
    serve([{"say": TEXT}])
    project.write("ask.yaml", ASK)
    script = (
        "import sys\nfrom runner.cli.main import main\nsys.argv = ['bridge-run', 'ask.yaml', '-q']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "print([name for name in ('prometheus_client', 'opentelemetry') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=project.folder, env=project.environment, capture_output=True, text=True
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "[]"


def spans_of(came: list[ExportTraceServiceRequest]) -> dict[str, Any]:
    return {
        span.name: span
        for request in came
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    }


def test_spans_go_to_a_collector(project: Project, serve):
    serve([{"say": TEXT}])
    project.write("ask.yaml", ASK)
    with collector() as (url, came):
        ended = project.run("ask.yaml", env={"OTEL_EXPORTER_OTLP_ENDPOINT": url})
    assert ended.code == 0, ended
    assert "warning" not in ended.err
    found = spans_of(came)
    assert set(found) == {"invoke_workflow ask", "invoke_agent answer", f"chat {CODER}"}
    run, agent, chat = (found[name] for name in ("invoke_workflow ask", "invoke_agent answer", f"chat {CODER}"))
    assert (run.parent_span_id, agent.parent_span_id, chat.parent_span_id) == (b"", run.span_id, agent.span_id)
    assert len({span.trace_id for span in found.values()}) == 1
    service = {one.key: one.value.string_value for one in came[0].resource_spans[0].resource.attributes}
    assert service["service.name"] == "bridge-run"
    assert TEXT not in str(came)


def test_spans_of_the_mcp_library_are_below_the_call_that_they_belong_to(project: Project):
    server = json.dumps(str(Path(sys.executable).with_name("mcp-server-time")))
    project.write("now.yaml", f"""
version: 1
name: now
mcp_servers:
  clock: {{command: {server}, args: [--local-timezone, UTC]}}
steps:
  - {{id: first, tool: clock.get_current_time, arguments: {{timezone: UTC}}}}
  - {{id: second, tool: clock.convert_time, needs: [first], arguments:
      {{source_timezone: UTC, time: "12:00", target_timezone: UTC}}}}
""")  # fmt: skip
    with collector() as (url, came):
        ended = project.run("now.yaml", "-q", env={"OTEL_EXPORTER_OTLP_ENDPOINT": url})
    assert ended.code == 0, ended
    found = spans_of(came)
    for tool, step in (("get_current_time", "first"), ("convert_time", "second")):
        theirs, ours = found[f"MCP send tools/call {tool}"], found[f"execute_tool {tool}"]
        assert theirs.parent_span_id == ours.span_id
        assert ours.parent_span_id == found[f"step {step}"].span_id


def test_a_collector_that_does_not_answer_is_a_warning_and_no_more(project: Project, serve):
    serve([{"say": TEXT}])
    project.write("ask.yaml", ASK)
    ended = project.run("ask.yaml", "-q", env={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"})
    assert (ended.code, ended.out.strip()) == (0, TEXT)
    assert ended.err == "warning: not all traces could be exported to 127.0.0.1:9: Connection refused\n"


def test_a_collector_that_keeps_silent_is_not_waited_for(project: Project, serve):
    """It answers when the command is over; who waits for it, or for the library's own time limit, never is."""
    serve([{"say": TEXT}])
    project.write("ask.yaml", ASK)
    over = threading.Event()
    with collector(over) as (url, _):
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_EXPORTER_OTLP_TIMEOUT": "1000"}
        ended = project.run("ask.yaml", "-q", env=env)
        over.set()
    assert (ended.code, ended.out.strip()) == (0, TEXT)
    assert ended.err == f"warning: not all traces could be exported to {url.removeprefix('http://')}: no answer\n"


def test_an_exporter_that_is_not_known_is_told(project: Project, serve):
    serve([{"say": TEXT}])
    project.write("ask.yaml", ASK)
    ended = project.run("ask.yaml", "-q", env={"OTEL_TRACES_EXPORTER": "zipkin"})
    assert (ended.code, ended.out.strip()) == (0, TEXT)
    assert ended.err == (
        "warning: OTEL_TRACES_EXPORTER=zipkin is not known here, so there are no traces: "
        "it takes otlp, console or none\n"
    )


def test_spans_on_stderr_do_not_break_a_log_into_pieces(project: Project, serve):
    serve([{"say": TEXT}])
    project.write("ask.yaml", ASK)
    ended = project.run("ask.yaml", "--log-format", "json", env={"OTEL_TRACES_EXPORTER": "console"})
    assert ended.code == 0
    lines = log(ended.raw_err)
    assert [line["event"] for line in lines if "event" in line][-1] == "run_reported"
    assert {line["name"] for line in lines if "event" not in line} >= {"invoke_workflow ask", "invoke_agent answer"}


def test_without_the_sdk_a_warning_says_what_to_install(project: Project, serve):
    serve([{"say": TEXT}])
    project.write("ask.yaml", ASK)
    env = without(project, "opentelemetry.sdk") | {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    ended = project.run("ask.yaml", "-q", env=env)
    assert (ended.code, ended.out.strip()) == (0, TEXT)
    assert ended.err == (
        "warning: the environment asks for traces, but the OpenTelemetry SDK is not installed; there are none: "
        "pip install 'bridge-run[otel]'\n"
    )


def test_traces_can_be_turned_off(project: Project, serve):
    serve([{"say": TEXT, "times": 2}])
    project.write("ask.yaml", ASK)
    with collector() as (url, came):
        for off in ({"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"}):
            ended = project.run("ask.yaml", "-q", env={"OTEL_EXPORTER_OTLP_ENDPOINT": url, **off})
            assert (ended.code, ended.err) == (0, "")
    assert came == []


def test_a_log_is_one_object_a_line_with_the_ids_of_the_run(project: Project, serve):
    serve([{"say": TEXT}])
    project.write("ask.yaml", ASK)
    ended = project.run("ask.yaml", "--log-format", "json")
    assert (ended.code, ended.out.strip()) == (0, TEXT)
    lines = log(ended.raw_err)
    assert [line["event"] for line in lines] == [
        "run_started", "step_started", "model_loaded", "model_asked", "model_answered", "step_finished", "run_finished",
        "run_reported",
    ]  # fmt: skip
    (run,) = {line["run"] for line in lines}
    assert run == project.runs()[-1].name
    assert all(list(line)[:3] == ["ts", "level", "event"] for line in lines)
    assert {key: lines[4][key] for key in ("step", "attempt", "round", "model")} == {
        "step": "answer", "attempt": 1, "round": 1, "model": CODER,
    }  # fmt: skip


@pytest.mark.parametrize(("level", "said"), [("info", False), ("debug", True)])
def test_what_was_said_is_in_a_log_only_at_debug(project: Project, serve, level, said):
    serve([{"say": TEXT}])
    project.write("ask.yaml", ASK)
    ended = project.run("ask.yaml", "--log-format", "json", "--log-level", level)
    assert ("Say the word of the day." in ended.raw_err) is said
    assert (TEXT in ended.raw_err) is said
    lines = log(ended.raw_err)
    telling = [line for line in lines if "Say the word of the day." in str(line) or TEXT in str(line)]
    assert {line["level"] for line in telling} == ({"debug"} if said else set())
    assert [line["event"] for line in lines if line["level"] != "debug"] == [
        "run_started", "step_started", "model_loaded", "model_asked", "model_answered", "step_finished", "run_finished",
        "run_reported",
    ]  # fmt: skip


def test_a_log_of_warnings_is_silent_where_all_goes_well_and_says_what_does_not(project: Project, serve):
    serve([{"say": TEXT}, {"say": "no JSON", "times": 9}])
    project.write("ask.yaml", ASK)
    assert project.run("ask.yaml", "--log-format", "json", "--log-level", "warning").raw_err == ""
    schema = "output: {type: object, required: [a], properties: {a: {type: string}}}"
    project.write("ask.yaml", ASK.replace("}\n", f", {schema}}}\n"))
    ended = project.run("ask.yaml", "--log-format", "json", "--log-level", "warning")
    assert ended.code == 1
    lines = log(ended.raw_err)
    assert {line["level"] for line in lines} == {"warning", "error"}
    assert (lines[-1]["event"], lines[-1]["status"]) == ("run_finished", "failed")
    assert "no JSON" not in ended.raw_err


def test_a_file_that_is_at_fault_is_logged_with_its_place(project: Project):
    project.write("ask.yaml", ASK.replace("task:", "taks:"))
    ended = project.run("ask.yaml", "--log-format", "json")
    assert (ended.code, ended.out) == (3, "")
    lines = log(ended.raw_err)
    assert (lines[0]["event"], lines[0]["file"], lines[0]["line"]) == ("finding", "ask.yaml", 4)
    assert lines[-1]["event"] == "error"


def test_a_server_that_does_not_answer_is_logged(project: Project):
    project.write("ask.yaml", ASK)
    ended = project.run("ask.yaml", "--log-format", "json")
    assert ended.code == 5
    (line,) = log(ended.raw_err)
    assert (line["event"], line["level"]) == ("error", "error")
    assert "127.0.0.1:9" in line["message"]


def test_a_run_that_goes_on_is_watched_like_any_other(project: Project, serve):
    serve([{"say": TEXT}])
    project.write("ask.yaml", ASK + "  - {id: gate, approve: Go on?, needs: [answer]}\n")
    with collector() as (url, came):
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": url}
        assert project.run("ask.yaml", "-q").code == 8
        options = ("--answer", "gate=yes", "--metrics-file", "m.prom", "--log-format", "json")
        ended = project.run("resume", "last", *options, env=env)
    assert ended.code == 0, ended
    events = [line["event"] for line in log(ended.raw_err)]
    assert (events[0], events[-2:]) == ("run_resumed", ["run_finished", "run_reported"])
    shown = samples((project.folder / "m.prom").read_text("utf-8"))
    assert shown["bridge_run_runs_total", "succeeded"] == shown["bridge_run_steps_total", "succeeded"] == 1
    assert set(spans_of(came)) == {"invoke_workflow ask", "step gate"}


SECRET = "s3cr3t-t0ken-of-mine"
LEAKY = """
version: 1
name: leaky
secrets: [MY_TOKEN]
inputs:
  text: {type: string}
steps:
  - id: shout
    run: [sh, -c, 'echo "$TOKEN"; echo "$TOKEN" >&2; echo "$1"', sh, "{{ inputs.text }}"]
    env: {TOKEN: "{{ secrets.MY_TOKEN }}"}
  - {id: answer, task: "Repeat {{ steps.shout.output }}"}
  - id: fail
    needs: [answer]
    run: [sh, -c, 'echo "$TOKEN" >&2; exit 3']
    env: {TOKEN: "{{ secrets.MY_TOKEN }}"}
outputs:
  all: "{{ steps.answer.output }}"
"""


def test_secrets_are_in_no_log_metric_or_span(project: Project, serve):
    serve([{"say": f"You said {SECRET}"}])
    project.write("leaky.yaml", LEAKY)
    with collector() as (url, came):
        ended = project.run(
            "leaky.yaml", "-i", f"text=it is {SECRET}", "--log-format", "json", "--log-level", "debug",
            "--metrics-file", "m.prom",
            env={
                "MY_TOKEN": SECRET,
                "OTEL_EXPORTER_OTLP_ENDPOINT": url,
                "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true",
            },
        )  # fmt: skip
    assert ended.code == 1, ended
    traced = str(came)
    assert SECRET not in ended.raw_err + traced + (project.folder / "m.prom").read_text("utf-8")
    for event in ("run_started", "command_ran", "model_asked", "model_answered"):
        texts = [json.dumps(line) for line in log(ended.raw_err) if line["event"] == event]
        assert any("[secret MY_TOKEN]" in text for text in texts), event
    assert "[secret MY_TOKEN]" in traced


PROGRAM = """
import logging, sys
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
import asyncio
from runner.app.in_process import run_in_process
from runner.app.request import RunRequest

kept = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(kept))
trace.set_tracer_provider(provider)
logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s", stream=sys.stdout)

async def main():
    with trace.get_tracer("mine").start_as_current_span("mine"):
        await run_in_process(RunRequest(file="ask.yaml"))

asyncio.run(main())
names = {span.context.span_id: span.name for span in kept.get_finished_spans()}
print(sorted((span.name, span.parent and names[span.parent.span_id]) for span in kept.get_finished_spans()))
"""


def test_a_program_has_spans_below_its_own_and_records_in_its_log(project: Project, serve):
    serve([{"say": TEXT}])
    project.write("ask.yaml", ASK)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=project.folder, env=project.environment, capture_output=True, text=True
    )
    assert done.stderr == ""
    *records, spans = done.stdout.splitlines()
    assert spans == str([
        (f"chat {CODER}", "invoke_agent answer"),
        ("invoke_agent answer", "invoke_workflow ask"),
        ("invoke_workflow ask", "mine"),
        ("mine", None),
    ])  # fmt: skip
    ours = [record for record in records if record.startswith("INFO bridge_run ")]
    assert any(record.startswith("INFO bridge_run step_finished run=") for record in ours)
    assert TEXT not in done.stdout


def test_a_program_that_has_set_up_nothing_hears_nothing(project: Project, serve):
    serve([{"say": TEXT}])
    project.write("ask.yaml", ASK)
    script = (
        "import asyncio\nfrom runner.app.in_process import run_in_process\nfrom runner.app.request import RunRequest\n"
        "asyncio.run(run_in_process(RunRequest(file='ask.yaml')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=project.folder, env=project.environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
