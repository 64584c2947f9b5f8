#!/bin/sh
# `make demo`: refactor.yaml on a scratch copy of the sample, in a git repository of its own under .demo/.
# Expects bridge-run and mcp-server-git on PATH; make puts them there.
set -eu
cd "$(dirname "$0")/.."
home=$PWD
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE

rm -rf .demo
mkdir -p .demo/workflows
cp -R workflows/sample workflows/*.yaml workflows/*.recording.jsonl .demo/workflows
rm -rf .demo/workflows/sample/__pycache__
cd .demo
printf '%s\n' __pycache__/ .bridge/ >.gitignore
git -c init.defaultBranch=main init --quiet
git add .
git -c user.name=demo -c user.email=demo@example.invalid -c commit.gpgsign=false commit --quiet --no-verify \
  -m 'The sample as it was'

if bridge-run check workflows/refactor.yaml >/dev/null 2>&1; then
  cat <<'END'
A model server answers and has the models of workflows/refactor.yaml: they do the work.

$ bridge-run workflows/refactor.yaml

END
  bridge-run workflows/refactor.yaml
else
  cat <<'END'
No model server answers, or it lacks the models of the workflow: what they say is replayed from the recording
workflows/refactor.recording.jsonl. All else is real: the MCP servers, the edits, the tests, the git repository in .demo.

$ bridge-run workflows/refactor.yaml --replay models

END
  bridge-run workflows/refactor.yaml --replay models
  git apply .bridge/runs/*/changes.patch
fi

cat <<'END'

What it changed:

$ git diff

END
git --no-pager diff

cat <<END

The same on your own LM Studio, with your own models (\`lms ls\` names them):

  cd $home/.demo && git checkout --quiet . && PATH="$home/.venv/bin:\$PATH" \\
    bridge-run workflows/refactor.yaml --model thinker=YOUR-MODEL --model coder=YOUR-MODEL
END
