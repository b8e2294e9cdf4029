"""A secret that two hosts share is found without being told: neither it, nor a digest of it, nor the key is in anything that is left or shown."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import pathlib
import secrets
import typing as t

import pytest
import yaml

from tests.support import REPORTS, ROOT, Played, Project

from .conftest import APP, DATA, on
from .test_secrets import SEARCH

pytestmark = pytest.mark.long

ITEM = "own.secret_key.apart"
PLACE = "/srv/shared-secrets"

# Loaded by Python itself before Ansible is: writes down every random byte that Ansible and the collection draw, the key among them.
RECORDER = """
import os, secrets
drawn, drawing = os.environ["DRAWN"], secrets.token_bytes
def token_bytes(nbytes=None):
    value = drawing(nbytes)
    with open(drawn, "a") as file:
        file.write(value.hex() + "\\n")
    return value
secrets.token_bytes = token_bytes
"""


@dataclasses.dataclass
class Asked:
    """One verification, and everything that must be in nothing that it shows or leaves."""

    done: Played
    shown: dict[str, str]
    hidden: list[str]

    def rows(self) -> dict[str, tuple[str, str]]:
        return {row["subject"]: (row["status"], row["observed"] or row["reason"]) for row in self.done.report["results"]}

    def evidence(self, host: str) -> str:
        return str(self.done.result(ITEM, host)["evidence"])


class Fleet:
    """The two hosts of the lab with a key each, asked with -vvv."""

    def __init__(self, project: Project, root: pathlib.Path) -> None:
        self.project, self.root = project, root
        self.values: set[str] = set()
        (root / "recorder").mkdir()
        (root / "recorder" / "sitecustomize.py").write_text(RECORDER)
        item = next(one for one in yaml.safe_load((ROOT / "checklists/catalogue/security.yml").read_text())["items"] if one["id"] == "appsec.secret_key.apart")
        # As the catalogue asks it, but of both hosts, and before a release serves.
        project.edit("checklists/catalogue/own.yml", lambda _: {"items": [{**item, "id": ITEM, "stage": "host", "hosts": "all"}]})
        project.edit("checklists/demo.yml", lambda _: {"items": [{"id": ITEM}]})
        project.edit("policy/lab/waivers.yml", lambda _: {"waivers": [], "not_applicable": []})

    def has(self, host: str, value: str) -> None:
        self.values.add(value)
        on(host, "sh", "-ec", "umask 077; cat >%s/app.env" % PLACE, given="SECRET_KEY=%s\n" % value)

    def asked(self, **variables: str) -> Asked:
        self.project.edit("inventories/lab/group_vars/all/own.yml", lambda _: {"app_env_file": PLACE + "/app.env", **variables})
        log, drawn = self.root / "ansible.log", self.root / "drawn"
        for file in (log, drawn):
            file.write_text("")
        environment = {"ANSIBLE_LOG_PATH": str(log), "PYTHONPATH": str(self.root / "recorder"), "DRAWN": str(drawn)}
        done = self.project.play("playbooks/verify.yml", "-vvv", environment=environment)
        run = (REPORTS / "latest").resolve()
        shown = {str(path.relative_to(run)): path.read_text() for path in run.rglob("*") if path.is_file()}
        shown.update(output=done.output, log=log.read_text())
        return Asked(done, shown, self._hidden(drawn.read_text().split()))

    def _hidden(self, drawn: list[str]) -> list[str]:
        """The values, and of each 32 random bytes (key of the run, bits that seal an answer) itself, and what it would be the key to."""
        keys = [bytes.fromhex(one) for one in drawn if len(one) == 64]
        keys += [hmac.new(key, ITEM.encode(), hashlib.sha256).digest() for key in keys]
        assert len(keys) >= 6, "the key of the run, and the bits of two hosts"
        digests = [hmac.new(key, value.encode(), hashlib.sha256).hexdigest() for key in keys for value in self.values]
        return [*self.values, *(key.hex() for key in keys), *digests, *(hashlib.sha256(value.encode()).hexdigest() for value in self.values)]


@pytest.fixture
def shared(fleet: None, project: Project, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Fleet]:
    for host in (APP, DATA):
        on(host, "install", "-d", "-m", "0700", PLACE)
    yield Fleet(project, tmp_path_factory.mktemp("shared"))
    for host in (APP, DATA):
        on(host, "rm", "-rf", PLACE)


def assert_nothing_is_told(asked: Asked) -> None:
    # What would be found if it were there: the answers are in the output, and the rows in the reports.
    assert '"answers"' in asked.done.output and "judged there" in asked.done.output
    assert {"output", "log", "results.json", "report.html", "checklist.md", "junit.xml"} <= set(asked.shown)
    assert any(name.startswith("spool/") for name in asked.shown) and not any(name.startswith("fingerprints/") for name in asked.shown)
    for name, text in asked.shown.items():
        assert not [one for one in asked.hidden if one in text], name
    for host in (APP, DATA):
        planted = "planted-%s" % secrets.token_hex(16)
        on(host, "sh", "-c", "cat >/var/tmp/planted && logger -f /var/tmp/planted", given=planted)
        found = on(host, "python3", "-c", SEARCH, given="\n".join([*asked.hidden, planted])).splitlines()
        on(host, "rm", "/var/tmp/planted")
        assert found and {line.split()[-1] for line in found} == {str(len(asked.hidden))}, found


def test_a_secret_that_two_hosts_share_is_found_and_told_to_nobody(shared: Fleet) -> None:
    both, own = secrets.token_hex(32), secrets.token_hex(32)
    shared.has(APP, both)
    shared.has(DATA, both)
    asked = shared.asked()
    assert asked.done.code != 0 and asked.done.report["verdict"] == "NO-GO"
    assert asked.rows() == {APP: ("fail", DATA), DATA: ("fail", APP)}, asked.done.output
    assert_nothing_is_told(asked)

    shared.has(DATA, own)
    asked = shared.asked()
    assert (asked.done.code, asked.done.report["verdict"]) == (0, "GO"), asked.done.output
    assert asked.rows() == {APP: ("pass", "none"), DATA: ("pass", "none")}
    assert asked.evidence(APP).endswith("compared with %s" % DATA)
    assert_nothing_is_told(asked)


def test_hosts_of_one_environment_may_share_it_and_one_that_cannot_be_read_is_no_pass(shared: Fleet) -> None:
    both = secrets.token_hex(32)
    shared.has(APP, both)
    shared.has(DATA, both)
    asked = shared.asked(app_environment="production")
    assert asked.done.code == 0 and "%s may have the same, as a part of production" % DATA in asked.evidence(APP), asked.done.output
    assert_nothing_is_told(asked)

    on(DATA, "rm", PLACE + "/app.env")
    asked = shared.asked()
    assert asked.done.code != 0 and {row[0] for row in asked.rows().values()} == {"error"}
    assert asked.rows()[APP][1] == "not compared with %s: no fingerprint" % DATA
    assert_nothing_is_told(asked)
