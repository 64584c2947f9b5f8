"""The files that ``bridge-run init`` writes, as texts."""

from __future__ import annotations

SCHEMA_FOLDER = "workflows/.schema"
"""Checked in, so that editors complete without bridge-run; hidden, so that a check of the folder passes it by."""

WORKFLOW = """\
# yaml-language-server: $schema=.schema/workflow.schema.json
#
#   bridge-run workflows/hello.yaml                  answered by the one model that your server has loaded
#   bridge-run workflows/hello.yaml -i name=Ada      with another input
#   bridge-run workflows/hello.yaml --rehearse       without any model
version: 1
name: hello
description: One prompt, and a second one that reads its answer.

inputs:
  name: {type: string, default: world, description: Who is greeted}

steps:
  - id: greet
    task: "Greet {{ inputs.name }} in one short sentence."
    expect:
      - that: output | length > 0
        message: say something

  - id: translate
    task: "Translate into French, and answer with nothing else: {{ steps.greet.output }}"
"""

TEST = """\
# yaml-language-server: $schema=.schema/test.schema.json
#
#   bridge-run test      needs no model: these are the answers
workflow: hello.yaml
cases:
  - name: the greeting is translated
    inputs: {name: Ada}
    stubs:
      greet: Hello Ada.
      translate: Bonjour Ada.
    expect:
      status: succeeded
      outputs: {translate: Bonjour Ada.}
"""

CONFIGURATION = """\
# Settings of this project for bridge-run; what you want on every project goes into ~/.config/bridge-run/bridge.toml.

# default_model = "qwen/qwen3-8b"       # for steps that name none; without it, the one loaded model

# [endpoints.workstation]
# url = "http://192.168.0.7:1234"       # without any endpoint: LM Studio on this machine
# token_env = "WORKSTATION_TOKEN"       # the variable that holds the token; never the token itself
"""

IGNORED = ".bridge/"
"""Where runs are kept."""

GITHUB = """\
# Checks the workflows and runs their tests, without any model.
name: workflows
on:
  push: {branches: [main]}
  pull_request:
permissions:
  contents: read
jobs:
  check:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v5
      - uses: actions/setup-python@v6
        with: {python-version: "3.12"}
      - name: Install bridge-run
        run: python -m pip install 'bridge-run==VERSION'
      - name: Check the workflows
        run: |
          # With a lock file (`bridge-run lock`) models and tools are checked, too.
          if [ -f bridge.lock ]; then against=--locked; else against=--offline; fi
          bridge-run check "$against" --strict --format github
      - name: Run their tests
        run: bridge-run test --junit test-report.xml
"""

GITLAB = """\
# Checks the workflows and runs their tests, without any model.
workflows:
  image: python:3.12-slim
  script:
    - python -m pip install 'bridge-run==VERSION'
    # With a lock file (`bridge-run lock`) models and tools are checked, too.
    - if [ -f bridge.lock ]; then against=--locked; else against=--offline; fi
    - bridge-run check "$against" --strict --format junit --output-file check-report.xml
    - bridge-run test --junit test-report.xml
  artifacts:
    when: always
    reports:
      junit: [check-report.xml, test-report.xml]
"""
