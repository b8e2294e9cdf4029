#!/usr/bin/env bash
# Runs a program in a copy of the working tree that lies where Ansible looks for collections, with a home directory of its
# own. ansible-test wants the path ansible_collections/gonogo/preflight with no link in it, and git to tell what belongs there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# ansible-test takes every pythonX.Y on PATH for real; pyenv's shims are not.
path=$(tr ':' '\n' <<<"$PATH" | grep -v '/shims$' | paste -sd:)
for bin in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.*/bin; do path+=":$bin"; done
export PATH="$PWD/.venv/bin:$path"
cache="$PWD/.cache"
copy="$cache/ansible_collections/gonogo/preflight"

mkdir -p "$copy"
find "$copy" -mindepth 1 -maxdepth 1 ! -name .git -exec rm -rf {} +
git ls-files -z --cached --others --exclude-standard |
  while IFS= read -r -d '' file; do if [[ -e $file ]]; then printf '%s\0' "$file"; fi; done |
  tar --create --null --files-from=- | tar --extract --directory "$copy"

python tools/ansible_test_home.py "$cache/home"
export HOME="$cache/home" ANSIBLE_COLLECTIONS_PATH="$cache"

cd "$copy"
git init --quiet
git add --all
exec "$@"
