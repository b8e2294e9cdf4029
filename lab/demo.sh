#!/usr/bin/env bash
# The main job of the product, on the lab's hosts: provision, verify, decide, deploy.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

.venv/bin/ansible-playbook playbooks/site.yml -i inventories/lab
status=$?

if ((status == 0)); then
  cat <<'NEXT'

The application answers: http://127.0.0.1:22080/api/v1/health

Try next:
  make demo            once more: nothing changes, GO, and much quicker
  make demo-nogo       break Redis, see NO-GO, mend it with the command of the report
  less reports/latest/checklist.md        or open reports/latest/report.html in a browser
  ssh -i .lab/id_ed25519 -o UserKnownHostsFile=.lab/known_hosts -p 22012 ops@127.0.0.1
  make clean           remove the lab and everything else
NEXT
else
  cat <<'NEXT'

Not deployed. The board above and reports/latest/report.html say what is missing and which command mends it;
then run `make demo` again.
NEXT
fi
exit "$status"
