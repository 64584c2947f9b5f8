"""Codes about what a right file meets on a machine: models, servers, tools, secrets. No file alone can show them."""

from __future__ import annotations

from collections.abc import Mapping

from runner.workflow.explain.explanation import Explanation

MACHINE: Mapping[str, Explanation] = {
    "BR301": Explanation(
        title="a model is not found",
        text="No reachable server has a model of this name. Names are those that LM Studio shows: the key of the "
        "model, `key@quantisation`, or the identifier of a loaded instance. Download it, correct the name, or swap "
        "it for this run by `--model ALIAS=ID`.",
        wrong="models:\n  coder: qwen3-codr-30b",
        right="models:\n  coder: qwen/qwen3-coder-30b",
    ),
    "BR302": Explanation(
        title="there is no default model, or more than one",
        text="A step that names no model is answered by `defaults.model`, else by the configured default, else by "
        "the one loaded model. None of these settles it here: several models are loaded, or none.",
        wrong="steps:\n  - id: greet\n    task: Say hello.",
        right="defaults: {model: qwen/qwen3-4b}\nsteps:\n  - id: greet\n    task: Say hello.",
    ),
    "BR303": Explanation(
        title="the first wish is missing",
        text="A warning: the model named first is on no server, so the first of its fallbacks that is there answers.",
    ),
    "BR304": Explanation(
        title="an embedding model cannot chat",
        text="The name belongs to a model that turns text into numbers. A `task` needs a language model.",
        wrong="models:\n  thinker: text-embedding-nomic-embed-text-v1.5",
        right="models:\n  thinker: mistralai/magistral-small-2509",
    ),
    "BR310": Explanation(
        title="no model server can be reached",
        text="Nothing answers at the address that was tried. Start the server in LM Studio (Developer, Start Server, "
        "or `lms server start`), name its address by `--endpoint` or BRIDGE_RUN_ENDPOINT, or check the file alone with "
        "`--offline`.",
    ),
    "BR311": Explanation(
        title="what answers is no model server",
        text="Something answers at the address, but not in the way of LM Studio or of a server compatible with "
        "OpenAI's. Another program may use the port, or a proxy stands between.",
    ),
    "BR312": Explanation(
        title="the token was refused",
        text="The server wants a token, and refuses the one it was given, or got none.",
    ),
    "BR313": Explanation(
        title="the server of a model is not known",
        text="`endpoint` of a model names a server of the configuration (`bridge.toml`), and there is none of this "
        "name. Without `endpoint` the model is taken from whichever server has it.",
        wrong="models:\n  coder: {id: qwen/qwen3-coder-30b, endpoint: workstaton}",
        right="models:\n  coder: {id: qwen/qwen3-coder-30b, endpoint: workstation}",
    ),
    "BR314": Explanation(
        title="the server of a model was not asked, or did not answer",
        text="The model is bound to a server by `endpoint`. That server is configured, but it cannot be reached, or "
        "`--endpoint` or a variable of the environment names others for this run.",
    ),
    "BR315": Explanation(
        title="one model is to be loaded in two ways",
        text="A warning: a model is loaded once and used by all steps that want it, so two `load` settings cannot both "
        "hold. The larger context wins; of every other setting the one that the first step to run asks for.",
        wrong="models:\n  quick: {id: qwen/qwen3-8b, load: {context_length: 8192}}\n"
        "  long: {id: qwen/qwen3-8b, load: {context_length: 32768}}",
        right="models:\n  qwen: {id: qwen/qwen3-8b, load: {context_length: 32768}}",
    ),
    "BR324": Explanation(
        title="a server of our own cannot be used",
        text="`embedded` serves a GGUF file on this machine. The file is none or is not whole, or llama.cpp is not "
        "installed: `pip install 'bridge-run[embedded]'` brings it.",
        wrong="$ bridge-run greet.yaml --endpoint embedded:notes.txt",
        right="$ bridge-run greet.yaml --endpoint embedded:Qwen3-8B-Q4_K_M.gguf",
    ),
    "BR326": Explanation(
        title="a model on the command line that no step takes",
        text="A warning: `--model ID` stands in for the default model, and every step of the file names a model of its "
        "own. Name the alias that is to be swapped: `--model ALIAS=ID`.",
    ),
    "BR327": Explanation(
        title="a model that only the run could name",
        text="Every model of a run is found before anything starts, those of called files too. Here a called file "
        "takes its model's name from an input, and the calling step fills that input with what another step answers, "
        "or with an item of its `for_each`. `inputs` and `matrix` are known before the run.",
        wrong='with: {model: "{{ steps.choose.output }}"}',
        right='matrix: {model: [coder, thinker]}\nwith: {model: "{{ matrix.model }}"}',
    ),
    "BR325": Explanation(
        title="`load` names a setting that the server has not",
        text="The server loads models as it is told, but knows no such setting, and would refuse to load this one. "
        "LM Studio takes all of them; a model file that bridge-run serves itself has no `num_experts`.",
    ),
    "BR401": Explanation(
        title="the command of an MCP server is not found",
        text="The program named by `command` is neither on PATH nor a file. Install it, or give its whole path.",
        wrong="mcp_servers:\n  git: {command: mcp-servr-git}",
        right="mcp_servers:\n  git: {command: mcp-server-git}",
    ),
    "BR402": Explanation(
        title="a tool is not offered by its server",
        text="The server started and listed its tools, and the one that a step names is not among them.",
        wrong="tools: [git.git_dif]",
        right="tools: [git.git_diff]",
    ),
    "BR403": Explanation(
        title="an MCP server did not start",
        text="It ended, kept silent beyond `start_timeout`, or did not speak the protocol. The end of what it wrote to "
        "stderr is shown: the reason is most often there.",
    ),
    "BR404": Explanation(
        title="a client configuration file is at fault",
        text="The file named by `from:` cannot be read, has no entry of this server's name, or the entry uses a "
        "variable that is not set and has no default. Files of Claude Code, Claude Desktop, VS Code, Cursor and LM "
        "Studio are understood.",
    ),
    "BR406": Explanation(
        title="there can be no workspace",
        text="`workspace: worktree` needs a git repository with a commit; both `worktree` and `copy` need git, room on "
        "the disk, and files that can be read. Without the key the steps work in the folder itself.",
        wrong="workspace: worktree   # outside a git repository",
        right="workspace: copy",
    ),
    "BR405": Explanation(
        title="a declared secret is not set",
        text="`secrets` declares names; the values come from the environment. This one is not set. `check` warns, with "
        "`--offline` and `--locked` it does not look; a run does not start.",
        wrong="$ bridge-run fetch.yaml",
        right="$ TOKEN=… bridge-run fetch.yaml",
    ),
}
