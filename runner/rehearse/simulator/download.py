"""Downloads: jobs that take as long as their size says. Pure: time is an argument, in seconds of any steady clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

from runner.rehearse.simulator import refusal
from runner.rehearse.simulator.script import Settings
from runner.words.noun import noun


@dataclass(frozen=True, slots=True)
class Moment:
    """Now: by a steady clock in seconds, and by the calendar (UTC), which is only shown."""

    steady: float
    calendar: datetime


@noun
class Job:
    """A download that was begun; ``size`` in bytes, ``speed`` in bytes a second."""

    id: str
    key: str
    size: int
    speed: int
    began: Moment

    @property
    def seconds(self) -> float:
        """How long it takes."""
        return self.size / self.speed

    def done(self, now: float) -> bool:
        """Whether everything is there."""
        return now >= self.began.steady + self.seconds


class Downloads:
    """The jobs of one running server."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._jobs: dict[str, Job] = {}

    def begin(self, name: str, present: Iterable[str], now: Moment) -> dict[str, Any]:
        """The body of an answered ``POST /api/v1/models/download``; a key that is on its way gets the same job.

        Raises:
            Refusal: nothing of that name can be downloaded.
        """
        key = _key(name, self._settings.downloadable)
        if key is None:
            if name.casefold() in map(str.casefold, present):
                return {"status": "already_downloaded"}
            raise refusal.unknown_download(name)
        job = next((job for job in self._jobs.values() if job.key == key), None)
        if job is not None and job.done(now.steady):
            return {"status": "already_downloaded"}
        if job is None:
            job = self._new(key, now)
        return {
            "job_id": job.id,
            "status": "downloading",
            "total_size_bytes": job.size,
            "started_at": _stamp(job.began.calendar),
        }

    def status(self, job_id: str, now: Moment) -> dict[str, Any]:
        """The body of ``GET /api/v1/models/download/status/{job_id}``.

        Raises:
            Refusal: there is no such job.
        """
        job = self._jobs.get(job_id)
        if job is None:
            raise refusal.unknown_job(job_id)
        done = job.done(now.steady)
        end = _stamp(job.began.calendar + timedelta(seconds=job.seconds))
        body: dict[str, Any] = {"job_id": job.id, "status": "completed" if done else "downloading"}
        if not done:
            body |= {"bytes_per_second": job.speed, "estimated_completion": end}
        body["downloaded_bytes"] = job.size if done else int((now.steady - job.began.steady) * job.speed)
        body |= {"total_size_bytes": job.size, "started_at": _stamp(job.began.calendar)}
        return {**body, "completed_at": end} if done else body

    def finished(self, now: float) -> list[Job]:
        """The jobs that are done, in the order in which they were begun."""
        return [job for job in self._jobs.values() if job.done(now)]

    def _new(self, key: str, now: Moment) -> Job:
        identity = blake2b(f"{self._settings.seed}/{key}".encode(), digest_size=5).hexdigest()
        size, speed = self._settings.downloadable[key], self._settings.download_speed
        job = Job(id=f"job_{identity}", key=key, size=size, speed=speed, began=now)
        self._jobs[job.id] = job
        return job


def _key(name: str, downloadable: Mapping[str, int]) -> str | None:
    """The key that a name means: itself, or the end of a Hugging Face address."""
    folded = name.casefold().rstrip("/")
    return next(
        (key for key in downloadable if folded == key.casefold() or folded.endswith(f"/{key.casefold()}")), None
    )


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
