"""Codes about the configuration of a machine: ``bridge.toml`` and ``[tool.bridge-run]``."""

from __future__ import annotations

from collections.abc import Mapping

from runner.workflow.explain.explanation import Explanation

SETTINGS: Mapping[str, Explanation] = {
    "BR501": Explanation(
        title="a configuration file cannot be read",
        text="The file is no TOML, is not UTF-8, or this user may not read it. Texts stand in quotes, every key is "
        "written once.",
        wrong="[endpoints.workstation]\nurl = http://192.168.0.7:1234",
        right='[endpoints.workstation]\nurl = "http://192.168.0.7:1234"',
    ),
    "BR502": Explanation(
        title="an unknown key in the configuration",
        text="At the top stand `default_model`, `catalogue_ttl` and `[endpoints.NAME]`. An endpoint has `url`, "
        "`token_env`, `parallel`, `max_loaded`, `memory`, `first_byte_timeout` and `idle_timeout`; one of our own has "
        "`embedded`, `models_folder` and `context_length` instead of the first two.",
        wrong='[endpoints.workstation]\nadress = "http://192.168.0.7:1234"',
        right='[endpoints.workstation]\nurl = "http://192.168.0.7:1234"',
    ),
    "BR503": Explanation(
        title="a value of the configuration makes no sense",
        text="Durations and sizes are texts with a unit, numbers of models and requests are whole numbers from 1 on, "
        "and an endpoint has either `url` or `embedded`.",
        wrong='[endpoints.workstation]\nurl = "http://192.168.0.7:1234"\nmemory = 24',
        right='[endpoints.workstation]\nurl = "http://192.168.0.7:1234"\nmemory = "24GB"',
    ),
    "BR504": Explanation(
        title="a token stands in the configuration",
        text="Configuration files are shared and checked in; tokens must not be. Name the environment variable that "
        "holds it, and withdraw the token if the file has been anywhere else.",
        wrong='[endpoints.workstation]\nurl = "http://192.168.0.7:1234"\ntoken = "…"',
        right='[endpoints.workstation]\nurl = "http://192.168.0.7:1234"\ntoken_env = "WORKSTATION_TOKEN"',
    ),
    "BR505": Explanation(
        title="two configurations at one place",
        text="A warning: a folder has both a `bridge.toml` and a `pyproject.toml` with a table `[tool.bridge-run]`. "
        "The first is read, the second is not.",
    ),
    "BR506": Explanation(
        title="the token of an endpoint is not set",
        text="A warning: the configuration says in which environment variable the token of this server stands, and "
        "it is empty. The server is asked without one; another token is never sent in its place.",
        wrong="$ bridge-run review.yaml",
        right="$ WORKSTATION_TOKEN=… bridge-run review.yaml",
    ),
}
