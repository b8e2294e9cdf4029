#!/usr/bin/env bash
# Makes the virtual environments with the pinned packages, on the newest Python of this machine that their Ansible supports.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '[%6.1f s] %s\n' "$SECONDS" "$*"; }

works() { "$1" -c 'import sys, ssl, ctypes; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

newest_python() {
  local version candidate
  for version in "${versions[@]}"; do
    for candidate in "python$version" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version".*/bin/"python$version"; do
      if works "$candidate"; then command -v "$candidate" && return; fi
    done
  done
  return 1
}

as_root() { if [[ $EUID -eq 0 ]]; then "$@"; else sudo -n "$@"; fi; }

install_packages() {
  local why=$1
  shift
  as_root true 2>/dev/null || {
    echo "setup: the system packages $* are missing, and this user is not root and has no sudo without a password." >&2
    echo "Run as root: apt-get install $*" >&2
    exit 2
  }
  say "Installing system packages $*: $why"
  as_root apt-get update -q >/dev/null
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@" >/dev/null
}

for_ansible="Ansible runs in a Python virtual environment"
versions=(3.14 3.13 3.12 3.11)
# ansible-core 2.19 runs on nothing newer than 3.13.
[[ ${1:?which environment: controller, unit, app, floor, next, bench or browser} == floor ]] && versions=(3.13 3.12 3.11 3.14)
python=$(newest_python) || {
  install_packages "$for_ansible" python3 python3-venv
  python=$(newest_python) || {
    echo "setup: Python 3.11, 3.12, 3.13 or 3.14 is needed; found: $(python3 --version 2>&1 || true)." >&2
    echo "Use Debian 12, Ubuntu 24.04 or newer, or install one with pyenv (pyenv install 3.13)." >&2
    exit 2
  }
}
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
"$python" -c 'import ensurepip, venv' 2>/dev/null || install_packages "$for_ansible" "python$version-venv"

make_environment() {
  local directory=$1 requirements=$2
  say "$directory: installing $requirements on Python $version"
  [[ "$("$directory/bin/python" --version 2>&1)" == "$("$python" --version)" ]] || "$python" -m venv --clear "$directory"
  "$directory/bin/pip" install -qq --disable-pip-version-check --requirement "$requirements"
}

install_browser() {
  if command -v chromium >/dev/null; then return; fi
  # Ubuntu's package is a snap, which cannot open the files of a checkout.
  if grep -q '^ID=debian' /etc/os-release; then
    install_packages "a test opens the report in a browser" chromium
  else
    .venv/bin/playwright install --with-deps chromium-headless-shell
  fi
}

# Tests hold queries against Prometheus' own reading of them. Its package would start a server; the one program is taken out of it.
fetch_promtool() {
  if [[ -x .venv-unit/bin/promtool ]] || command -v promtool >/dev/null || ! command -v apt-get >/dev/null; then return; fi
  local work
  work=$(mktemp -d)
  say "promtool, out of the package prometheus"
  if (cd "$work" && { apt-get download -q prometheus || { as_root apt-get update -q && apt-get download -q prometheus; }; } && dpkg -x prometheus_*.deb .) >/dev/null 2>&1; then
    install -m 755 "$work/usr/bin/promtool" .venv-unit/bin/promtool
  else
    say "no package source has prometheus: tests of queries are skipped"
  fi
  rm -rf "$work"
}

case $1 in
  controller) make_environment .venv requirements/dev.txt ;;
  unit) make_environment .venv-unit requirements/unit.txt && fetch_promtool ;;
  browser) install_browser ;;
  app) make_environment .venv-app examples/app/requirements-test.txt ;;
  floor | next | bench) make_environment ".venv-$1" "requirements/$1.txt" ;;
esac
