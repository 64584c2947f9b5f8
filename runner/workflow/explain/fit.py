"""Codes about what steps need and what their models and servers can. A comment may allow each of them."""

from __future__ import annotations

from collections.abc import Mapping

from runner.workflow.explain.explanation import Explanation

_ALLOW = " `# bridge: allow {}` at the step or at the model's alias silences it."

FIT: Mapping[str, Explanation] = {
    "BR305": Explanation(
        title="tools for a model that was not trained for them",
        text="A warning: the step has tools, and the server says that the model was not trained to call them. It may "
        "write its calls as text, or none at all. LM Studio marks the models that were, with a hammer."
        + _ALLOW.format("BR305"),
    ),
    "BR306": Explanation(
        title="pictures for a model that cannot see",
        text="The step has `images`, and the server says that the model has no vision. It would refuse the request, or "
        "answer without having seen anything." + _ALLOW.format("BR306"),
        wrong="steps:\n  - id: read\n    model: qwen/qwen3-8b\n    images: [bill.png]\n    task: Who wrote it?",
        right="steps:\n  - id: read\n    model: qwen/qwen3-vl-8b\n    images: [bill.png]\n    task: Who wrote it?",
    ),
    "BR307": Explanation(
        title="a step needs more context than its model can have",
        text="Prompt, tool schemas and the room for an answer are more than the model was made for. An error if the "
        "step could not even begin, a warning if only the results of its tools will have to be shortened. Tokens are "
        "estimated, a token for 3.5 characters of English; what steps before it will answer is not counted."
        + _ALLOW.format("BR307"),
    ),
    "BR308": Explanation(
        title="`load` gives a model too little context",
        text="The steps that this model answers need more than the `context_length` with which it is to be loaded. An "
        "error if one of them could not even begin, a warning if only the results of its tools will be shortened."
        + _ALLOW.format("BR308"),
        wrong="models:\n  coder: {id: qwen/qwen3-coder-30b, load: {context_length: 2048}}",
        right="models:\n  coder: {id: qwen/qwen3-coder-30b, load: {context_length: 32768}}",
    ),
    "BR309": Explanation(
        title="`load` asks for more context than the model can have",
        text="A warning: `context_length` is more than the model was made for. The server may refuse to load it, load "
        "it with less, or answer badly near the end." + _ALLOW.format("BR309"),
    ),
    "BR316": Explanation(
        title="a model is loaded, but not well enough",
        text="What somebody has loaded is used when it is good enough. Here its context is too small for a step, or it "
        "was loaded in another way than `load` asks. Where the server can be told, the run loads the model anew: a "
        "second copy in memory. Where it cannot, this is an error if a step could not even begin."
        + _ALLOW.format("BR316"),
    ),
    "BR317": Explanation(
        title="a reasoning setting that the model has not",
        text="A warning: `reasoning` asks for what the model does not offer. Some models cannot stop thinking, some "
        "only know on and off. What is sent instead is said beside it." + _ALLOW.format("BR317"),
        wrong="steps:\n  - id: plan\n    model: openai/gpt-oss-20b\n    sampling: {reasoning: off}\n    task: Plan it.",
        right="steps:\n  - id: plan\n    model: openai/gpt-oss-20b\n    sampling: {reasoning: low}\n    task: Plan it.",
    ),
    "BR318": Explanation(
        title="steps at once need more than the context that they share",
        text="A warning: the requests to one loaded model share its context, and steps that may run at the same time "
        "need more than that together. They are let in one after the other, so nothing fails, but it takes longer."
        + _ALLOW.format("BR318"),
    ),
    "BR319": Explanation(
        title="the server is too old to be told, or to say what its models can",
        text="A warning, once for each server: before version 0.4 LM Studio cannot be told how to load a model, so "
        "`load` has no effect and the context is what its own settings say, often 4,096 tokens. Before 0.3.6 it does "
        "not say either what a model can or whether it is loaded. Steps that do not fit show it only when they run."
        + _ALLOW.format("BR319"),
    ),
    "BR320": Explanation(
        title="`load` or `ttl` for a server that cannot be told",
        text="A warning: only LM Studio from 0.4 on, and a model file that bridge-run serves itself, load models with "
        "settings of the workflow. Other servers answer with what they were started with." + _ALLOW.format("BR320"),
    ),
    "BR321": Explanation(
        title="nobody knows whether the server enforces schemas",
        text="A warning, once for each server of an unknown kind: it may pass over the `output` schema that it is "
        "sent. Answers are judged here in any case, and sent back up to `repair` times." + _ALLOW.format("BR321"),
    ),
    "BR322": Explanation(
        title="a schema for a model that thinks first",
        text="A warning: with some models, versions of LM Studio put the JSON among the thoughts and leave the answer "
        "empty. It is looked for there, but a model that does not think about such a step is faster and safer."
        + _ALLOW.format("BR322"),
    ),
    "BR323": Explanation(
        title="tools and a schema without a second try",
        text="A warning: no server enforces a schema in a request that offers tools, because it would forbid the "
        "calls. So the answer has the right shape only if the model keeps to what the prompt says, and `repair: 0` "
        "gives it one try." + _ALLOW.format("BR323"),
        wrong="steps:\n  - id: survey\n    mcp_servers: [files]\n    task: Find it.\n    output: {type: object}\n"
        "    repair: 0",
        right="steps:\n  - id: survey\n    mcp_servers: [files]\n    task: Find it.\n    output: {type: object}",
    ),
    "BR328": Explanation(
        title="a comment that allows nothing",
        text="A warning: `# bridge: allow CODE` silences findings about models, BR303 and most from BR305 on. The "
        "word is another, no code follows, or the code is one without which nothing can run.",
        wrong="# bridge: alow BR305",
        right="# bridge: allow BR305",
    ),
    "BR329": Explanation(
        title="a comment allows what is not there",
        text="A warning: the comment silences a finding that there is not, or no more. Delete it, so that it does not "
        "hide the next one. If the finding depends on the machine, write `BR329` beside its code.",
        wrong="# bridge: allow BR305",
        right="# bridge: allow BR305, BR329",
    ),
}
