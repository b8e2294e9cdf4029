#!/usr/bin/env bash
# Every static check. All of them run, whatever the first one says; one that fails makes this fail.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

failed=()
check() {
  local name=$1
  shift
  printf '[%6.1f s] lint: %s\n' "$SECONDS" "$name"
  "$@" || failed+=("$name")
}

check "ruff check" .venv/bin/ruff check --quiet .
check "ruff format" .venv/bin/ruff format --quiet --check .
check "mypy --strict" .venv/bin/mypy --no-error-summary plugins/module_utils plugins/plugin_utils
check "mypy --strict, lab" env -C lab ../.venv/bin/mypy --no-error-summary --config-file ../pyproject.toml .
check "changelog fragments" .venv/bin/antsibull-changelog lint
check "ansible-lint, profile production" tools/in-copy.sh ansible-lint --offline --profile production --strict -q --nocolor
check "ansible-test sanity" tools/in-copy.sh ansible-test sanity --color no

if ((${#failed[@]})); then
  printf 'lint: failed: %s\n' "${failed[@]}" >&2
  exit 1
fi
printf '[%6.1f s] lint: all clean\n' "$SECONDS"
