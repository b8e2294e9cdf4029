"""The host lab-watch on its own, which the inventory `one` calls launch-pad: what fails there, and ssh connections to it."""

from __future__ import annotations

import json
import subprocess
import typing as t

import yaml

from tests.support import ROOT, Played, play

__all__ = ["HOST", "INVENTORY", "WATCH", "apply", "failing", "gets_in", "module", "result", "ssh"]

WATCH, HOST, INVENTORY = "lab-watch", "launch-pad", "inventories/one"
PORT = yaml.safe_load((ROOT / INVENTORY / "hosts.yml").read_text())["all"]["hosts"][HOST]["ansible_port"]


def apply(role: str, *arguments: str, **variables: t.Any) -> Played:
    """The role alone, with `variables` beside those of the inventory."""
    return play("tests/lab/playbooks/access.yml", "-e", json.dumps({"access_role": role, **variables}), *arguments, inventory=INVENTORY)


def module(name: str, options: t.Mapping[str, t.Any], *arguments: str) -> subprocess.CompletedProcess[str]:
    """One module of the collection, after which the controller is gone."""
    command = ["ansible", HOST, "-i", INVENTORY, "--become", "-m", "gonogo.preflight." + name, "-a", json.dumps(dict(options)), *arguments]
    return subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)


def failing() -> set[str]:
    """Every item that a verification of this host does not pass."""
    done = play("playbooks/verify.yml", inventory=INVENTORY)
    assert done.report, done.output
    return {row["item"] for row in done.report["results"] if row["outcome"] not in ("pass", "warned", "not_applicable")}


def result(item: str) -> dict[str, t.Any]:
    return play("playbooks/verify.yml", inventory=INVENTORY).result(item, HOST)


def ssh(*command: str, user: str = "ops", key: str = ".lab/id_ed25519", seconds: int = 2) -> subprocess.Popen[str]:
    """A new ssh connection, shared with nobody."""
    options = {"UserKnownHostsFile": '"%s"' % (ROOT / ".lab/known_hosts"), "BatchMode": "yes", "ConnectTimeout": seconds, "ControlPath": "none"}
    flags = [word for option in {**options, "IdentitiesOnly": "yes"}.items() for word in ("-o", "%s=%s" % option)]
    login = ["ssh", "-F", "none", "-i", str(ROOT / key), "-p", str(PORT), *flags, "%s@127.0.0.1" % user, *command]
    return subprocess.Popen(login, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def gets_in(user: str = "ops", key: str = ".lab/id_ed25519") -> bool:
    return ssh("true", user=user, key=key).wait(timeout=30) == 0
