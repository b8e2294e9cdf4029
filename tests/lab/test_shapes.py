"""The ways in which fleets differ: how hosts are reached, what they are called, and who manages them."""

from __future__ import annotations

import pathlib
import secrets
import subprocess
import typing as t

import pytest
import yaml

from tests.support import ROOT, Project, play

from .conftest import APP, DATA, containers, on, take_away

HOSTS, MAIN, PEOPLE, SSH, GATE = (
    "inventories/lab/hosts.yml",
    "inventories/lab/group_vars/all/main.yml",
    "inventories/lab/group_vars/all/accounts.yml",
    "inventories/lab/group_vars/all/connection.yml",
    "policy/lab/gate.yml",
)
DEPLOY, VERIFY, PROVISION = "playbooks/deploy.yml", "playbooks/verify.yml", "playbooks/provision.yml"


def _set(**variables: t.Any) -> t.Callable[[t.Any], t.Any]:
    return lambda data: dict(data or {}, **variables)


def _encrypt(file: pathlib.Path, variables: t.Mapping[str, str]) -> None:
    """Write a vaulted variables file, as a user's project has one."""
    command = ["ansible-vault", "encrypt", "--encrypt-vault-id", "default", "--output", str(file), "-"]
    subprocess.run(command, cwd=ROOT, input=yaml.safe_dump(dict(variables)), text=True, check=True, capture_output=True)


@pytest.fixture
def operator(fleet: None, project: Project) -> t.Iterator[str]:
    """Every host has a user whose sudo asks for a password; the inventory logs in as this one."""
    password = secrets.token_urlsafe(24)
    for host in (APP, DATA):
        script = (
            "useradd --create-home --shell /bin/bash deployer && chpasswd && install -d -o deployer -g deployer -m 700 /home/deployer/.ssh"
            " && install -o deployer -g deployer -m 600 /home/ops/.ssh/authorized_keys /home/deployer/.ssh/"
            " && echo 'deployer ALL=(ALL) ALL' >/etc/sudoers.d/deployer && chmod 440 /etc/sudoers.d/deployer"
        )
        on(host, "sh", "-c", script, given="deployer:%s\n" % password)
    person = {"name": "deployer", "role": "admin", "keys": ["{{ lab_public_key }}"], "sudo_asks": True}
    project.edit(PEOPLE, lambda data: dict(data, accounts_users=[*data["accounts_users"], person]))
    project.edit(SSH, _set(ansible_user="deployer", ansible_become_password="{{ operator_password }}"))
    _encrypt(project.inventory / "group_vars/all/operator.yml", {"operator_password": password})
    try:
        yield password
    finally:
        for host in (APP, DATA):
            on(host, "sh", "-c", "pkill -u deployer; rm /etc/sudoers.d/deployer; userdel --remove --force deployer 2>/dev/null", check=False)


def test_a_user_whose_sudo_wants_a_password_deploys(operator: str, project: Project) -> None:
    take_away()
    done = project.play(DEPLOY, "-vvv")
    assert done.code == 0 and done.report["verdict"] == "GO", done.output
    assert operator not in done.output
    assert operator not in on(APP, "journalctl", "--no-pager", "--since", "-5min")


def test_a_wrong_sudo_password_is_no_go(operator: str, project: Project) -> None:
    take_away()
    _encrypt(project.inventory / "group_vars/all/operator.yml", {"operator_password": "not it"})
    done = project.play(DEPLOY)
    assert done.code != 0 and containers() == [], done.output
    assert done.report["verdict"] == "NO-GO"
    assert not any(one["status"] == "pass" and one["vantage"] == one["subject"] for one in done.report["results"])


OWN_NAMES = {"lab-app": "shop-front-blue", "lab-data": "data.primary"}


def _called(data: t.Any) -> t.Any:
    """The lab's hosts under names that are no addresses, in groups that an inventory had before."""
    children = data["all"]["children"]
    for group in children.values():
        group["hosts"] = {OWN_NAMES[name]: settings for name, settings in (group["hosts"] or {}).items()}
    children["webservers"], children["pg"], children["redis"] = children.pop("app"), children.pop("db"), children.pop("cache")
    return data


@pytest.fixture
def renamed(project: Project) -> Project:
    project.edit(HOSTS, _called)
    (project.inventory / "group_vars/app.yml").rename(project.inventory / "group_vars/webservers.yml")
    project.edit(MAIN, _set(preflight_groups={"app": ["webservers"], "db": ["pg"], "cache": ["redis"]}))
    project.edit(GATE, lambda data: dict(data, fleet={group: [OWN_NAMES[host] for host in hosts] for group, hosts in data["fleet"].items()}))
    return project


@pytest.mark.long
def test_hosts_and_groups_have_names_of_their_own(fleet: None, renamed: Project) -> None:
    take_away()
    done = renamed.play(DEPLOY)
    assert done.code == 0 and done.report["verdict"] == "GO", done.output
    assert len(containers()) == 1
    assert done.result("redis.aof", "data.primary")["status"] == "pass"
    assert done.result("pg.reachable", "data.primary")["vantage"] == "shop-front-blue"


@pytest.mark.long
def test_the_roles_configure_hosts_under_their_own_names_and_change_nothing(fleet: None, renamed: Project) -> None:
    assert play(PROVISION).code == 0
    done = renamed.play(PROVISION)
    assert done.code == 0 and done.changed() == 0, done.output


BASTION = """
Host *
  IdentityFile "{key}"
  IdentitiesOnly yes
  UserKnownHostsFile "{known_hosts}"
  StrictHostKeyChecking yes
Host bastion
  HostName 127.0.0.1
  Port 22011
  User ops
Host 172.30.77.12
  ProxyJump bastion
"""


@pytest.fixture
def behind_a_bastion(fleet: None, project: Project) -> t.Iterator[Project]:
    """lab-data lets in SSH from lab-app alone, by the firewall that its own exposure makes."""
    configuration = project.root / "ssh_config"
    configuration.write_text(BASTION.format(key=ROOT / ".lab/id_ed25519", known_hosts=ROOT / ".lab/known_hosts"))

    def inside(data: t.Any) -> t.Any:
        data["all"]["children"]["db"]["hosts"][DATA].update(ansible_host="172.30.77.12", ansible_port=22, ansible_ssh_common_args="-F '%s'" % configuration)
        return data

    def exposed(data: t.Any) -> t.Any:
        exposure = dict(data["preflight_exposure"], ssh={"port": 22, "from": "any", "hosts": "app"}, ssh_inside={"port": 22, "from": "app", "hosts": "db"})
        return dict(data, preflight_exposure=exposure)

    project.edit(HOSTS, inside)
    project.edit(MAIN, exposed)
    try:
        yield project
    finally:
        on(DATA, "ufw", "insert", "1", "allow", "22/tcp")
        play(PROVISION, "--tags", "ufw")


@pytest.mark.long
def test_a_host_behind_a_bastion_is_provisioned_verified_and_deployed_to(behind_a_bastion: Project) -> None:
    provisioned = behind_a_bastion.play(PROVISION, "--tags", "ufw")
    assert provisioned.code == 0, provisioned.output
    direct = subprocess.run(["ssh", "-F", "none", "-o", "ConnectTimeout=3", "-p", "22012", "ops@127.0.0.1", "true"], capture_output=True, check=False)
    assert direct.returncode == 255, "the host answers without its bastion"
    done = behind_a_bastion.play(DEPLOY)
    assert done.code == 0 and done.report["verdict"] == "GO", done.output
    assert behind_a_bastion.play(PROVISION, "--tags", "ufw").changed() == 0


MANAGED = "orders-db"


def _managed(data: t.Any) -> t.Any:
    """The PostgreSQL of lab-data as a host of its own, to which there is no way in."""
    children = data["all"]["children"]
    children["db"] = {"hosts": {MANAGED: {"ansible_host": "192.0.2.1", "preflight_address": "172.30.77.12", "preflight_managed": True}}}
    children["cache"]["hosts"] = {DATA: {"ansible_port": 22012, "preflight_address": "172.30.77.12"}}
    children["shared"] = {"children": {"db": {}, "cache": {}}}
    return data


@pytest.fixture
def managed(fleet: None, project: Project) -> Project:
    def exposed(data: t.Any) -> t.Any:
        exposure = {name: dict(entry, hosts="shared") if name in ("postgresql", "redis") else entry for name, entry in data["preflight_exposure"].items()}
        return dict(data, preflight_exposure=exposure)

    project.edit(HOSTS, _managed)
    project.edit(MAIN, exposed)
    # Not from lab-data, which is the same machine.
    looks = ("fw.others.blocked", "fw.ssh.reachable")
    project.edit("checklists/demo.yml", lambda data: dict(data, items=[dict(one, **{"from": "app"}) if one["id"] in looks else one for one in data["items"]]))
    project.edit(GATE, lambda data: dict(data, managed=[MANAGED], fleet=dict(data["fleet"], db=[MANAGED])))
    on(APP, "sh", "-c", "python3 -c 'import psycopg2' 2>/dev/null || apt-get install -qy --no-install-recommends python3-psycopg2")
    return project


def _of(done: t.Any, *items: str) -> dict[str, tuple[str, str]]:
    return {item: (done.result(item, MANAGED)["vantage"], done.result(item, MANAGED)["outcome"]) for item in items}


ASKED = ("pg.version", "pg.database", "pg.user.least_priv")


def test_a_postgresql_that_others_manage_is_asked_and_not_configured(managed: Project) -> None:
    take_away()
    done = managed.play(DEPLOY, "-vvv")
    assert done.code == 0 and done.report["verdict"] == "GO", done.output
    assert _of(done, *ASKED, "pg.reachable", "fw.others.blocked") == dict.fromkeys((*ASKED, "pg.reachable", "fw.others.blocked"), (APP, "pass"))
    assert _of(done, "os.updated", "fw.ufw.enabled") == dict.fromkeys(("os.updated", "fw.ufw.enabled"), ("", "not_applicable"))
    password = on(APP, "sh", "-c", "sed -n 's,.*://[^:]*:\\([^@]*\\)@.*,\\1,p' /opt/gonogo/app/current/app.env | head -1").strip()
    assert len(password) > 20 and password not in done.output
    assert password not in on(APP, "journalctl", "--no-pager", "--since", "-5min")
    assert password not in "".join(path.read_text() for path in (ROOT / "reports").glob("latest/**/*.json"))


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"postgresql_password": "wrong" * 5}, "password authentication failed"),
        ({"preflight_address": "172.30.77.99"}, "PostgreSQL does not answer"),
        ({"postgresql_sslmode": "verify-full"}, "root certificate"),
    ],
    ids=["wrong password", "nobody there", "certificate that proves nothing"],
)
def test_a_managed_postgresql_that_cannot_be_asked_is_never_a_pass(managed: Project, variables: t.Any, said: str) -> None:
    (managed.inventory / "host_vars").mkdir()
    managed.edit("inventories/lab/host_vars/%s.yml" % MANAGED, _set(**variables))
    if "preflight_address" in variables:
        managed.edit(HOSTS, lambda data: (data["all"]["children"]["db"]["hosts"][MANAGED].pop("preflight_address"), data)[1])
    done = managed.play(VERIFY)
    assert done.code != 0 and done.report["verdict"] == "NO-GO", done.output
    assert {_of(done, *ASKED)[item] for item in ASKED} == {(APP, "error")}
    assert said in done.result("pg.version", MANAGED)["reason"]


def test_a_password_that_would_lie_in_a_file_is_not_sent(managed: Project) -> None:
    done = managed.play(VERIFY, environment={"ANSIBLE_PIPELINING": "False"})
    assert done.report["verdict"] == "NO-GO", done.output
    refused = done.result("pg.version", MANAGED)
    assert refused["status"] == "error" and "pipelining" in refused["reason"]
    assert done.result("docker.version", APP)["status"] == "pass"
