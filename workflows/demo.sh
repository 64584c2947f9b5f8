#!/bin/sh
# `make demo`: refactor.yaml on a scratch copy of the sample, in a git repository of its own under .demo/.
# Expects bridge-run and mcp-server-git on PATH; make puts them there.
set -eu
cd "$(dirname "$0")/.."
home=$PWD
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE

rm -rf .demo
mkdir -p .demo/workflows
cp -R workflows/sample workflows/*.yaml .demo/workflows
rm -rf .demo/workflows/sample/__pycache__
cd .demo
printf '%s\n' __pycache__/ .bridge/ >.gitignore
git -c init.defaultBranch=main init --quiet
git add .
git -c user.name=demo -c user.email=demo@example.invalid -c commit.gpgsign=false commit --quiet --no-verify \
  -m 'The sample as it was'

cat <<'END'
The built-in simulator answers in place of a model server, over real HTTP, with the words written down in
workflows/refactor.sim.yaml. All else is real: the MCP servers, the edits, the tests, the git repository in .demo.

$ bridge-run workflows/refactor.yaml -i path=workflows/sample --simulate workflows/refactor.sim.yaml

END
bridge-run workflows/refactor.yaml -i path=workflows/sample --simulate workflows/refactor.sim.yaml

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
