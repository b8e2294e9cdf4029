"""What is measured: one lab host that carries every group, under 1 or more inventory names, and each tool's form of the assertions."""

from __future__ import annotations

import dataclasses
import io
import json
import pathlib
import shutil
import subprocess
import sys
import tarfile
import typing as t

import yaml

from plugins.module_utils._probes import PROBES
from tests.support import ROOT, Project, copied_project

HERE = pathlib.Path(__file__).parent
WORK = ROOT / ".cache" / "benchmark"
HOST, ADDRESS, PORT = "lab-watch", "172.30.77.13", 22013
ON_HOST = "/var/tmp/gonogo-benchmark"
ASSERTIONS: list[dict[str, str]] = yaml.safe_load((HERE / "assertions.yml").read_text())["assertions"]

# Installed on the host for the comparison alone.
GOSS = "goss"


def lab(*arguments: str, given: bytes = b"") -> str:
    """Standard output of lab/lab.py."""
    done = subprocess.run([sys.executable, "lab/lab.py", *arguments], cwd=ROOT, input=given, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit("lab.py %s: %s%s" % (" ".join(arguments), done.stdout.decode(), done.stderr.decode()))
    return done.stdout.decode()


def on_host(*command: str, given: bytes = b"") -> str:
    return lab("exec", HOST, "--", *command, given=given)


@dataclasses.dataclass(frozen=True)
class Fleet:
    """The host under `count` names, each of which is in every group."""

    count: int

    @property
    def root(self) -> pathlib.Path:
        return WORK / ("fleet-%d" % self.count)

    def inventory(self, checklist: str) -> pathlib.Path:
        return self.root / checklist / "inventories" / "lab"

    def write(self) -> None:
        """The lab's inventory and policy with these names, once for the whole demo checklist and once for the shared assertions."""
        for checklist in ("demo", "shared"):
            (self.root / checklist).mkdir(parents=True)
            project = copied_project(self.root / checklist)
            project.edit("inventories/lab/hosts.yml", self._hosts)
            project.edit("policy/lab/gate.yml", lambda gate, name=checklist: self._gate(gate, name))
            _shared_checklist(project)

    @property
    def _names(self) -> list[str]:
        return ["name-%02d" % number for number in range(1, self.count + 1)]

    def _hosts(self, inventory: t.Any) -> t.Any:
        settings = {"ansible_port": PORT, "preflight_address": ADDRESS}
        groups = {group: {"hosts": dict.fromkeys(self._names, settings) if group != "gpu" else {}} for group in inventory["all"]["children"]}
        return {"all": {**inventory["all"], "children": groups}}

    def _gate(self, gate: t.Any, checklist: str) -> t.Any:
        fleet = {group: self._names if group != "gpu" else [] for group in gate["fleet"]}
        return {**gate, "checklist": checklist, "fleet": fleet}


def _shared_checklist(project: Project) -> None:
    items = [{"id": one["item"]} for one in ASSERTIONS]
    project.edit("checklists/shared.yml", lambda _nothing: {"title": "What every tool asserts", "items": items})
    waivers = project.root / "policy" / "lab" / "waivers.yml"
    waivers.write_text("waivers: []\nnot_applicable: [{item: infra.gpu.model, reason: No GPU in the lab, owner: the benchmark}]\n")


def prepare(counts: t.Iterable[int]) -> None:
    """The host provisioned, every tool's files written, and goss and the engine on the host."""
    shutil.rmtree(WORK, ignore_errors=True)
    lab("up", HOST)
    for count in counts:
        Fleet(count).write()
    _plain_playbook()
    inventory = str(Fleet(1).inventory("demo"))
    if subprocess.run(["ansible-playbook", "playbooks/verify.yml", "-i", inventory], cwd=ROOT, capture_output=True, check=False).returncode:
        subprocess.run(["ansible-playbook", "playbooks/provision.yml", "-i", inventory], cwd=ROOT, check=True)
    on_host("sh", "-c", "command -v goss >/dev/null || apt-get install -qy --no-install-recommends %s" % GOSS)
    on_host("sh", "-c", "rm -rf %s; mkdir -p %s; tar -xC %s" % (ON_HOST, ON_HOST, ON_HOST), given=_bundle())


def _plain_playbook() -> None:
    tasks = [{"name": one["item"], "ansible.builtin.command": {"argv": ["bash", "-c", one["shell"]]}, "changed_when": False} for one in ASSERTIONS]
    play = {"name": "Check the hosts", "hosts": "all", "become": True, "gather_facts": False, "tasks": tasks}
    # What stands in braces is Docker's, not Ansible's.
    text = yaml.safe_dump([play], sort_keys=False, width=1000).replace("'{{.Server.Version}}'", "{% raw %}'{{.Server.Version}}'{% endraw %}")
    (WORK / "plain.yml").write_text(text)


def _bundle() -> bytes:
    """A tar archive of what runs on the host."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(ROOT / "plugins" / "module_utils", "gonogo_engine", filter=lambda entry: None if "__pycache__" in entry.name else entry)
        for name in ("engine.py", "on_host.py", "goss.yaml"):
            archive.add(HERE / name, name)
        data = json.dumps(_engine_items()).encode()
        entry = tarfile.TarInfo("items.json")
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _engine_items() -> list[dict[str, t.Any]]:
    """The shared items as the engine takes them, with the lab's own thresholds."""
    filled = {"{{ preflight_address }}": ADDRESS, "{{ postgresql_user }}": "gonogo"}
    thresholds = yaml.safe_load((ROOT / "inventories/lab/group_vars/all/thresholds.yml").read_text())["lab_thresholds"]
    thresholds["os.ntp.synced"] = {"one_of": ["synchronised", "own clock"]}
    catalogue = {}
    for path in (ROOT / "checklists" / "catalogue").glob("*.yml"):
        catalogue.update({item["id"]: item for item in yaml.safe_load(path.read_text())["items"]})
    filled[catalogue["fw.fail2ban"]["with"]["jails"]] = ["sshd", "nginx-http-auth", "nginx-limit-req", "nginx-botsearch"]
    filled[catalogue["fw.fail2ban"]["with"]["max_retries"]] = 5
    found = []
    for one in ASSERTIONS:
        item = catalogue[one["item"]]
        arguments = {key: spec.get("default") for key, spec in PROBES[item["probe"]].ARGUMENTS.items()}
        arguments.update((key, filled.get(value, value)) for key, value in item["with"].items())
        asked = {"id": item["id"], "subject": HOST, "probe": item["probe"], "with": arguments, "limit": item.get("limit", 15)}
        found.append({"item": asked, "expect": thresholds.get(item["id"], item["expect"])})
    return found
