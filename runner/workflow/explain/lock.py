"""Codes about the lock file: ``bridge.lock``."""

from __future__ import annotations

from collections.abc import Mapping

from runner.workflow.explain.explanation import Explanation

LOCK: Mapping[str, Explanation] = {
    "BR510": Explanation(
        title="the lock file cannot be read",
        text="`bridge.lock` is written by `bridge-run lock` and by nobody else. It holds the marks of a merge, was "
        "edited, belongs to another program, or to a newer bridge-run. After a merge take either side and write it "
        "anew: it says what servers say, so nothing is lost.",
        wrong="<<<<<<< HEAD\n        sha256: …",
        right="$ git checkout --ours bridge.lock\n$ bridge-run lock",
    ),
    "BR511": Explanation(
        title="the lock does not know a model",
        text="A workflow asks for a model, and `bridge.lock` does not say whether there is one: the file was changed "
        "after the lock was written. Write it anew where the model servers can be asked, and check it in with the "
        "workflow. In a run with `--locked` it is a warning: there the servers are asked as well.",
        wrong="$ bridge-run check --locked",
        right="$ bridge-run lock\n$ git add bridge.lock",
    ),
    "BR512": Explanation(
        title="the lock does not know a tool server",
        text="A step uses a tool server that is not in `bridge.lock`. A server is known by how it is started (command "
        "and arguments, address, names of variables), not by its name alone: another argument makes another server. "
        "One whose start depends on inputs without a default cannot be locked.",
        wrong="$ bridge-run review.yaml --locked",
        right="$ bridge-run lock\n$ bridge-run review.yaml --locked",
    ),
    "BR513": Explanation(
        title="a tool is not as the lock says",
        text="A tool server offers a tool whose description, schema or annotations are not those of `bridge.lock`, or "
        "a tool that is not in it. A model does what descriptions say, so a changed one is a changed workflow. Read "
        "what changed; if it is right, renew the entry. `--locked=warn` makes it a warning.",
        wrong="$ bridge-run review.yaml --locked",
        right="$ bridge-run lock --check\n$ bridge-run lock --update git",
    ),
    "BR514": Explanation(
        title="a model is not as the lock says",
        text="A warning: a model has another quantisation, size, context or other abilities than when `bridge.lock` "
        "was written, so its answers may differ. The lock keeps what servers say of a model; it is no hash of its "
        "weights.",
        right="$ bridge-run lock --update qwen/qwen3-coder-30b",
    ),
}
