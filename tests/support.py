"""Playing playbooks of the checkout, and projects that a test may spoil."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import tempfile
import typing as t

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[1]
REPORTS = ROOT / "reports"


@dataclasses.dataclass(frozen=True)
class Played:
    """One finished run of ansible-playbook."""

    code: int
    output: str
    report: dict[str, t.Any]

    def result(self, item: str, subject: str) -> dict[str, t.Any]:
        return next(one for one in self.report["results"] if (one["item"], one["subject"]) == (item, subject))

    def changed(self) -> int:
        """Changed tasks of all hosts, from the recap."""
        return sum(int(word.partition("=")[2]) for word in self.output.split() if word.startswith("changed="))


def play(
    playbook: str,
    *arguments: str,
    inventory: t.Union[str, pathlib.Path] = "inventories/lab",
    environment: t.Optional[dict[str, str]] = None,
    answers: str = "",
    terminal: bool = False,
) -> Played:
    """Run a playbook in the checkout, on a `terminal` of its own or with pipes; its report is the one this very run has written, or {}."""
    before = {entry.name for entry in REPORTS.glob("2*")}
    with tempfile.NamedTemporaryFile("r") as number:
        command = ["sh", "-c", 'echo $$ >"$0" && exec "$@"', number.name, "ansible-playbook", playbook, "-i", str(inventory), *arguments]
        if terminal:
            command = ["script", "--quiet", "--return", "--command", shlex.join(command), "/dev/null"]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=dict(os.environ, **(environment or {})),
            input=answers,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        # The directory of a run is named for its process; another test may be playing beside this one.
        written = REPORTS.glob("2*-%d/results.json" % int(number.read()))
    new = [entry for entry in written if entry.parent.name not in before]
    assert len(new) <= 1, "several runs wrote reports: %s" % new
    return Played(done.returncode, done.stdout + done.stderr, json.loads(new[0].read_text()) if new else {})


@dataclasses.dataclass(frozen=True)
class Project:
    """A copy of the lab's inventory and policy that a test may spoil."""

    root: pathlib.Path

    @property
    def inventory(self) -> pathlib.Path:
        return self.root / "inventories" / "lab"

    def edit(self, path: str, change: t.Callable[[t.Any], t.Any]) -> None:
        """Load a YAML file of the project, let `change` return what it shall hold, and write that."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(change(yaml.safe_load(file.read_text()) if file.exists() else None), sort_keys=False))

    def play(self, playbook: str = "playbooks/deploy.yml", *arguments: str, **options: t.Any) -> Played:
        return play(playbook, *arguments, inventory=self.inventory, **options)


def copied_project(root: pathlib.Path) -> Project:
    """The lab's inventory, policy and checklist, copied to `root`."""
    for name in ("inventories/lab", "policy/lab"):
        shutil.copytree(ROOT / name, root / name)
    (root / "checklists").mkdir()
    shutil.copy(ROOT / "checklists" / "demo.yml", root / "checklists" / "demo.yml")
    for name in (".lab", "examples"):
        (root / name).symlink_to(ROOT / name)
    return Project(root)
