"""Loads with settings, and downloads with their jobs, over HTTP."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from kit.simulator import simulator

from runner.rehearse.simulator.download import Downloads, Moment
from runner.rehearse.simulator.refusal import Refusal
from runner.rehearse.simulator.script import Settings

SETTINGS = Settings(downloadable={"ibm/granite": 1000}, download_speed=100)


def at(seconds: float) -> Moment:
    return Moment(seconds, datetime.fromtimestamp(1_700_000_000 + seconds, UTC))


def test_a_job_from_its_beginning_to_its_end() -> None:
    downloads = Downloads(SETTINGS)
    begun = downloads.begin("IBM/granite", (), at(0))
    job = begun["job_id"]
    assert begun == {
        "job_id": job,
        "status": "downloading",
        "total_size_bytes": 1000,
        "started_at": "2023-11-14T22:13:20.000Z",
    }
    assert downloads.begin("https://huggingface.co/ibm/granite", (), at(1)) == begun
    assert downloads.status(job, at(4)) == {
        "job_id": job,
        "status": "downloading",
        "bytes_per_second": 100,
        "estimated_completion": "2023-11-14T22:13:30.000Z",
        "downloaded_bytes": 400,
        "total_size_bytes": 1000,
        "started_at": "2023-11-14T22:13:20.000Z",
    }
    assert downloads.finished(9.9) == []
    assert downloads.status(job, at(10)) == {
        "job_id": job,
        "status": "completed",
        "downloaded_bytes": 1000,
        "total_size_bytes": 1000,
        "started_at": "2023-11-14T22:13:20.000Z",
        "completed_at": "2023-11-14T22:13:30.000Z",
    }
    assert [done.key for done in downloads.finished(10)] == ["ibm/granite"]
    assert downloads.begin("ibm/granite", ("ibm/granite",), at(11)) == {"status": "already_downloaded"}


def test_what_nobody_has_and_nobody_began() -> None:
    downloads = Downloads(SETTINGS)
    assert downloads.begin("here", ("here",), at(0)) == {"status": "already_downloaded"}
    for refused in (lambda: downloads.begin("nowhere", (), at(0)), lambda: downloads.status("job_1", at(0))):
        with pytest.raises(Refusal) as caught:
            refused()
        assert caught.value.status == 404


def test_a_downloaded_model_answers() -> None:
    settings = {"downloadable": {"m": "1KB"}, "download_speed": "1GB"}
    script: dict[str, Any] = {"settings": settings, "models": {"m": {"turns": [{"say": "hi"}]}, "other": {}}}
    with simulator(script) as url, httpx.Client(base_url=url) as client:
        assert [row["id"] for row in client.get("/v1/models").json()["data"]] == ["other"]
        job = client.post("/api/v1/models/download", json={"model": "m"}).json()["job_id"]
        while client.get(f"/api/v1/models/download/status/{job}").json()["status"] != "completed":
            time.sleep(0.005)
        assert [row["id"] for row in client.get("/v1/models").json()["data"]] == ["other", "m"]
        body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
        assert client.post("/v1/chat/completions", json=body).json()["choices"][0]["message"]["content"] == "hi"
        unknown = client.get("/api/v1/models/download/status/job_0")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "job_not_found")


def test_settings_of_a_load_are_shown() -> None:
    wish = {"model": "m", "context_length": 99, "eval_batch_size": 7, "flash_attention": False, "num_experts": 2}
    with simulator({"models": {"m": {"size": "1GB"}}}) as url, httpx.Client(base_url=url) as client:
        echoed = client.post("/api/v1/models/load", json={**wish, "echo_load_config": True}).json()["load_config"]
        [row] = client.get("/api/v1/models").json()["models"]
        strict = client.post("/api/v1/models/load", json={**wish, "parallel": 2})
    assert row["loaded_instances"] == [{"id": "m", "config": echoed}]
    assert echoed == {
        "context_length": 99,
        "parallel": 4,
        "eval_batch_size": 7,
        "flash_attention": False,
        "offload_kv_cache_to_gpu": True,
        "num_experts": 2,
    }
    assert strict.json()["error"]["message"] == "Unrecognized key(s) in object: 'parallel'"
