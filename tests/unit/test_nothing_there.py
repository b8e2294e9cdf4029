# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every item of the catalogue, asked where there is nothing to look at: no file, no program, no process, no network."""

from __future__ import annotations

import ctypes
import json
import os
import traceback

import pytest
from test_items import CATALOGUE, TEMPLATES, filled

from ansible_collections.gonogo.preflight.plugins.module_utils import _expect
from ansible_collections.gonogo.preflight.plugins.module_utils._people import people_of
from ansible_collections.gonogo.preflight.plugins.module_utils._probes import PROBES
from tests.of_systems import VARIABLES

PROBED = {name: item for name, item in CATALOGUE.items() if item.probe}
RIGHT = {
    "app.release.confirmed": "where nothing serves, nothing serves unconfirmed",
    "docker.snap": "there are no traces of it",
    "infra.disk.free": "the empty directory lies on a file system with room",
    "os.kernel": "the kernel answers by itself",
    "os.timezone.utc": "without /etc/localtime a system has UTC, see localtime(5)",
}
"""What passes all the same, and why that is right."""
KEY = "AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43
# Facts that no item asks for, and with what.
UNASKED = {
    ("accounts", ""): ["password_logins", "strangers"],
    ("ci", "path"): ["passed", "tests"],
    ("compose", "file"): ["services"],
    ("docker", "project"): ["address_pools", "project", "runtimes", "storage"],
    ("environment", "path name"): ["entropy", "length", "mode", "reused"],
    ("fail2ban", "jail"): ["jail"],
    ("file", "path glob"): ["age", "checksum", "mode", "newest", "owner"],
    ("git", "path"): ["branch", "clean", "head", "tag"],
    ("git", "path names"): ["ignored"],
    ("gpu", ""): ["models"],
    ("process", "name"): ["count", "user"],
    ("schedule", "name"): ["interval"],
    ("schedule", "pattern"): ["cron"],
}
SAID = {"names": [".env"], "path": "/srv/thing", "file": "/srv/thing/compose.yml", "glob": "*"}
PEOPLE = people_of([{"name": "ada", "role": "admin", "keys": ["ssh-ed25519 %s ada" % KEY]}], host="app1", groups={"all": ["app1"]}, operator_commands=[])
# In place of filters that need Ansible: what they make of a host with one port and one person.
FILTERS = {
    "extract": {},
    "gonogo.preflight.declared_access": {"people": [person.data() for person in PEOPLE], "control": ""},
    "gonogo.preflight.exposed_ports": [22],
    "gonogo.preflight.exposure_rules": [{"name": "ssh", "port": 22, "protocol": "tcp", "source": "any"}],
}
MORE = {
    "groups": {"all": ["app1"]},
    "hostvars": {},
    "docker_address_pool": "172.28.0.0/14",
    "preflight_exposure": {},
    "preflight_vantage": "app1",
    "lookup": lambda *_: [],
    "query": lambda *_: ["app1"],
    "postgresql_database": "shop",
    "postgresql_user": "shop",
}
_NEW_USER_AND_NETWORK = 0x10000000 | 0x40000000


def asked(arguments):
    """Item to "met", "not met", or the reason why the probe could not look; of a fact without an item, "seen" or the reason."""
    found = {}
    for name, (kind, given) in arguments.items():
        try:
            value = PROBES[kind]({}).observe(given).value
            if name in PROBED:
                found[name] = "met" if _expect.judge(value, PROBED[name].expect) else "not met"
            else:
                found[name] = "seen"
        # What a probe raises beside ProbeError is for the engine to make an error of.
        except Exception as error:
            found[name] = str(error) or type(error).__name__
    return found


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """What every item answers in an empty root directory, in a network without an interface."""
    for name, value in FILTERS.items():
        TEMPLATES.filters[name] = lambda *_, value=value: value
    arguments = {name: (item.probe, filled(name, **MORE, **VARIABLES)) for name, item in PROBED.items()}
    for (kind, needed), facts in UNASKED.items():
        given = {name: SAID.get(name, "thing") for name in needed.split()}
        arguments.update({"%s %s" % (kind, fact): (kind, {"fact": fact, **given}) for fact in facts})
    # Python imports this codec when it first looks up a name, and where there is nothing it could not.
    "example.org".encode("idna")
    empty, (reading, writing) = tmp_path_factory.mktemp("empty"), os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(reading)
            if ctypes.CDLL(None, use_errno=True).unshare(_NEW_USER_AND_NETWORK):
                raise OSError(ctypes.get_errno(), "unshare")
            os.chroot(empty)
            os.chdir("/")
            told = asked(arguments)
        except BaseException:
            told = {"": traceback.format_exc()}
        with os.fdopen(writing, "w") as pipe:
            json.dump(told, pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = json.load(pipe)
    os.waitpid(child, 0)
    assert "" not in told, told.get("")
    return told


def test_every_item_was_asked_and_every_fact(answers):
    assert set(PROBED) <= set(answers)
    facts = {(item.probe, item.arguments["fact"]) for item in PROBED.values()}
    unasked = {(kind, fact) for (kind, _needed), facts_of in UNASKED.items() for fact in facts_of}
    assert facts | unasked == {(kind, fact) for kind, probe in PROBES.items() for fact in probe.ARGUMENTS["fact"]["choices"]}


def test_a_fact_that_no_item_asks_for_is_not_seen_either(answers):
    assert {name for name in answers if answers[name] == "seen"} == set()


def test_no_item_passes(answers):
    assert {name for name, answer in answers.items() if answer == "met"} <= set(RIGHT)


def test_who_cannot_look_says_why(answers):
    assert [name for name, answer in answers.items() if not answer.strip()] == []
