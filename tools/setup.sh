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

install_packages() {
  local why=$1 root=()
  shift
  if [[ $EUID -ne 0 ]]; then
    sudo -n true 2>/dev/null || {
      echo "setup: the system packages $* are missing, and this user is not root and has no sudo without a password." >&2
      echo "Run as root: apt-get install $*" >&2
      exit 2
    }
    root=(sudo -n)
  fi
  say "Installing system packages $*: $why"
  "${root[@]}" apt-get update -q >/dev/null
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@" >/dev/null
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

case $1 in
  controller) make_environment .venv requirements/dev.txt ;;
  unit) make_environment .venv-unit requirements/unit.txt ;;
  browser) install_browser ;;
  app) make_environment .venv-app examples/app/requirements-test.txt ;;
  floor | next | bench) make_environment ".venv-$1" "requirements/$1.txt" ;;
esac
