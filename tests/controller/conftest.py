"""Projects whose hosts must never be reached: the SSH program writes down that it was called."""

from __future__ import annotations

import base64
import dataclasses
import json
import pathlib
import re
import typing as t

import pytest

from tests.support import Played, Project, copied_project

SITE = "playbooks/site.yml"


@dataclasses.dataclass(frozen=True)
class Untouched(Project):
    """A project that notices when a host is touched."""

    @property
    def calls(self) -> pathlib.Path:
        return self.root / "ssh-was-called"

    def refused(self, playbook: str = SITE, *arguments: str, **options: t.Any) -> Played:
        """Play; assert that it failed before any host was touched."""
        done = self.play(playbook, *arguments, **options)
        assert done.code != 0, done.output
        assert not self.calls.exists(), "a host was touched"
        assert "NO-GO" in done.output or "NO VERDICT" in done.output, done.output
        assert "ansible.builtin.ping" not in done.output, "a host is blamed for what is wrong here"
        return done

    def filled_in(self, templates: t.Mapping[str, str], *, vars_files: t.Iterable[pathlib.Path] = (), fails: str = "") -> dict[str, dict[str, t.Any]]:
        """{host: {name: what its template is there}}, with the variables of these files; the play has to fail with the words `fails`."""
        said = "{{ {inventory_hostname: {item.key: item.value}} | to_json | b64encode }}"
        task = {
            "name": "Fill in",
            "ansible.builtin.debug": {"msg": "(filled in %s)" % said},
            "loop": [{"key": name, "value": templates[name]} for name in templates],
        }
        task["loop_control"] = {"label": "{{ item.key }}"}
        play = {"name": "Fill in templates", "hosts": "all", "gather_facts": False, "vars_files": list(map(str, vars_files)), "tasks": [task]}
        self.edit("filled_in.yml", lambda _: [play])
        touched = self.calls.exists()
        done = self.play(str(self.root / "filled_in.yml"))
        assert (done.code != 0) == bool(fails) and fails in done.output, done.output
        assert self.calls.exists() == touched, "a host was touched"
        found: dict[str, dict[str, t.Any]] = {}
        for told in re.findall(r"\(filled in ([A-Za-z0-9+/=]+)\)", done.output):
            for host, one in json.loads(base64.b64decode(told)).items():
                found.setdefault(host, {}).update(one)
        return found


@pytest.fixture
def project(tmp_path: pathlib.Path) -> Untouched:
    copied = Untouched(copied_project(tmp_path).root)
    ssh = tmp_path / "ssh"
    ssh.write_text("#!/bin/sh\ntouch '%s'\nexit 255\n" % copied.calls)
    ssh.chmod(0o755)
    copied.edit("inventories/lab/group_vars/all/ssh.yml", lambda _: {"ansible_ssh_executable": str(ssh)})
    (tmp_path / "image.tar.gz").touch()
    pinned = {"deploy_image": "sha256:" + "0" * 64, "deploy_image_archive": str(tmp_path / "image.tar.gz")}
    copied.edit("inventories/lab/group_vars/all/deploy.yml", lambda variables: dict(variables, **pinned))
    secrets = {"postgresql_password": "p" * 40, "redis_password": "r" * 40}
    (tmp_path / "inventories/lab/group_vars/all/secrets.yml").unlink(missing_ok=True)
    copied.edit("inventories/lab/group_vars/all/secrets.yml", lambda _: secrets)
    return copied
