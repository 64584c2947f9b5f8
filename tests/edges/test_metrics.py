"""The door to Prometheus: the page over a socket, the text file, and what is said where that cannot be."""

from __future__ import annotations

import http.client
import socket
import stat
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families

from runner.edges import metrics
from runner.edges.metrics import MetricStore
from runner.record.metric import METRICS, Measurement
from runner.words.errors import OutsideError, UsageError


def store() -> MetricStore:
    made = MetricStore("--metrics-port")
    made.record((
        Measurement(name="lms_active_models", value=2),
        Measurement(name="lms_model_load_attempts_total", labels=("a/b", "success")),
        Measurement(name="lms_model_load_attempts_total", labels=("a/b", "success")),
        Measurement(name="lms_model_load_duration_seconds", value=3.0, labels=("a/b",)),
    ))  # fmt: skip
    return made


def refuse(complaint: str) -> None:
    raise AssertionError(complaint)


def samples(text: bytes) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(text.decode())
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


def get(url: str, path: str = "/metrics", *, host: str | None = None, method: str = "GET") -> tuple[int, bytes]:
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=10)
    try:
        connection.request(method, path, headers={} if host is None else {"Host": host})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_the_page_is_what_prometheus_reads():
    with store().served(0) as url:
        status, page = get(url)
    assert status == 200
    shown = samples(page)
    assert shown["lms_active_models",] == 2
    assert shown["lms_model_load_attempts_total", "a/b", "success"] == 2
    assert shown["lms_model_load_duration_seconds_bucket", "2.5", "a/b"] == 0
    assert shown["lms_model_load_duration_seconds_bucket", "5.0", "a/b"] == 1
    assert shown["lms_model_load_duration_seconds_sum", "a/b"] == 3.0


def test_the_page_has_every_metric_under_its_own_name_and_no_other():
    families = list(text_string_to_metric_families(store().text().decode()))
    kinds = {f"{one.name}_total" if one.type == "counter" else one.name: one.type for one in families}
    assert kinds == {name: metric.kind for name, metric in METRICS.items()}


def test_each_store_counts_for_itself():
    first, second = store(), MetricStore("--metrics-port")
    assert samples(first.text())["lms_active_models",] == 2
    assert samples(second.text())["lms_active_models",] == 0


@pytest.mark.parametrize(("path", "method"), [("/", "GET"), ("/metrics/x", "GET"), ("/metrics", "POST")])
def test_nothing_else_is_served(path, method):
    with store().served(0) as url:
        status, said = get(url, path, method=method)
    assert (status, said) == (404, b"metrics are at /metrics\n")


def test_some_of_them_can_be_asked_for():
    with store().served(0) as url:
        _, page = get(url, "/metrics?name[]=lms_active_models")
    assert samples(page) == {("lms_active_models",): 2}


def test_a_page_of_a_browser_that_points_its_name_at_us_gets_nothing():
    with store().served(0) as url:
        assert get(url, host="evil.example")[0] == 403
        assert get(url, host="evil.example:80")[0] == 403
        assert get(url, host="localhost:1")[0] == 200


def test_only_this_machine_is_served_and_only_for_a_while():
    with store().served(0) as url:
        assert urlsplit(url).hostname == "127.0.0.1"
    with pytest.raises(OSError, match="refused"):
        get(url)


def test_a_port_that_is_taken_is_said():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OutsideError) as caught, store().served(port):
            pass
    assert str(caught.value) == f"metrics cannot be served on 127.0.0.1:{port}: Address already in use"
    assert caught.value.hint == "choose another `--metrics-port`, or 0 for a free one"


def test_without_the_library_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(UsageError) as caught:
        MetricStore("--metrics-file")
    assert str(caught.value) == "`--metrics-file` needs the library prometheus-client, which is not installed"
    assert caught.value.hint == "pip install 'bridge-run[metrics]'"


def test_the_file_is_written_at_the_beginning_meanwhile_and_at_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(metrics, "WRITE_SECONDS", 0.01)
    file, made = tmp_path / "m.prom", store()

    def shown() -> float:
        return samples(file.read_bytes())["lms_active_models",]

    with made.written(str(file), refuse):
        assert shown() == 2
        made.record((Measurement(name="lms_active_models", value=3),))
        while shown() != 3:
            pass
        monkeypatch.setattr(metrics, "WRITE_SECONDS", 600.0)
        made.record((Measurement(name="lms_active_models", value=4),))
    assert shown() == 4
    assert [path.name for path in tmp_path.iterdir()] == ["m.prom"]


def test_whoever_collects_the_file_may_read_it(tmp_path):
    with store().written(str(tmp_path / "m.prom"), refuse):
        pass
    assert stat.S_IMODE((tmp_path / "m.prom").stat().st_mode) == 0o644


@pytest.mark.parametrize(("name", "why"), [("gone/m.prom", "No such file or directory"), (".", "it is a folder")])
def test_a_file_that_cannot_be_written_is_said_before_the_work(tmp_path: Path, monkeypatch, name, why):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught, store().written(name, refuse):
        raise AssertionError("the work has begun")
    assert str(caught.value) == f"cannot write the metrics into `{tmp_path / name}`: {why}"
    assert list(tmp_path.iterdir()) == []


def test_work_that_goes_into_another_folder_leaves_the_file_where_it_is(tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    made = store()
    with made.written("m.prom", refuse):
        made.record((Measurement(name="lms_active_models", value=7),))
        monkeypatch.chdir(tmp_path / "other")
    assert samples((tmp_path / "m.prom").read_bytes())["lms_active_models",] == 7
    assert list((tmp_path / "other").iterdir()) == []


def test_a_file_that_cannot_be_written_at_the_end_is_a_complaint(tmp_path):
    complaints: list[str] = []
    file = tmp_path / "m.prom"
    with store().written(str(file), complaints.append):
        file.unlink()
        file.mkdir()
    assert complaints == [f"warning: cannot write the metrics into `{file}`: it is a folder"]
