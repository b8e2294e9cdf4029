"""The firewall holds what is declared, over IPv4 and IPv6, whatever is restarted, killed or gone; and what disagrees with it is named."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
import typing as t

import pytest
import yaml

from tests.support import ROOT, Played, play

from .conftest import APP, DATA, await_, killed, lab, on
from .probing import error, observed, value

pytestmark = pytest.mark.long

PROVISION = "playbooks/provision.yml"
ROLE = "tests/lab/playbooks/ufw.yml"
ADDRESS6 = {APP: "fd00:77::11", DATA: "fd00:77::12"}
POOL = "172.28.0.0/16"
RULES = {
    APP: [{"port": 22, "source": "any"}, {"port": 80, "source": "any"}, {"port": 443, "source": "any"}],
    DATA: [{"port": 22, "source": "any"}],
}

REACHED = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2).close()
    print(True)
except OSError:
    print(False)
"""


def reached(host: str, address: str, port: int) -> bool:
    """Whether `host` gets a TCP connection to `port` at `address`."""
    return on(host, "python3", "-c", REACHED, address, str(port)).strip() == "True"


def role(host: str, *arguments: str) -> Played:
    done = play(ROLE, "-e", json.dumps({"firewalled": host}), *arguments)
    assert done.code == 0, done.output
    return done


def disagreements(host: str) -> t.Any:
    rules = [{"name": "", "protocol": "tcp", "publisher": "host", **rule} for rule in RULES[host]]
    if host == DATA:
        hosts = yaml.safe_load((ROOT / "inventories/lab/hosts.yml").read_text())["all"]["children"]
        source = hosts["app"]["hosts"][APP]["preflight_address"]
        # The order does not matter.
        rules += [
            {"name": "", "port": port, "protocol": protocol, "source": source, "publisher": "host"}
            for port, protocol in ((5432, "tcp"), (6379, "tcp"), (123, "udp"))
        ]
    return value(host, "exposure", fact="disagreements", rules=rules, networks=[POOL])


@pytest.fixture(scope="module", autouse=True)
def provisioned() -> None:
    lab("up", timeout=1200)
    done = play(PROVISION, "--tags", "os,ufw,docker,nginx,fail2ban")
    assert done.code == 0, done.output


@contextlib.contextmanager
def listening(host: str, *arguments: str, unit: str = "gng-listens") -> t.Iterator[None]:
    on(host, "systemd-run", "--quiet", "--collect", "--unit=" + unit, "python3", *arguments)
    try:
        process = on(host, "systemctl", "show", "--property=MainPID", "--value", unit).strip()
        await_(lambda: "pid=%s," % process in on(host, "ss", "-Hltunp"), seconds=30)
        yield
    finally:
        on(host, "systemctl", "stop", unit)


# It survives


@pytest.mark.parametrize("host", [APP, DATA])
def test_what_is_provisioned_agrees(host: str) -> None:
    assert disagreements(host) == []


@pytest.mark.parametrize(
    "restarted",
    [
        pytest.param("ufw reload", id="ufw reload"),
        pytest.param("systemctl restart docker", id="docker"),
        pytest.param("systemctl restart ufw", id="ufw"),
        pytest.param("ufw --force disable && ufw --force enable", id="ufw off and on"),
        pytest.param("systemctl restart ufw && systemctl restart docker", id="ufw, then docker"),
        pytest.param("systemctl restart docker && ufw reload", id="docker, then ufw"),
        pytest.param("", id="reboot"),
    ],
)
def test_what_is_restarted_changes_nothing(restarted: str) -> None:
    if restarted:
        on(APP, "sh", "-ec", restarted)
    else:
        lab("restart", APP)
    await_(lambda: "active" in on(APP, "systemctl", "is-active", "docker", check=False).split(), seconds=60)
    assert role(APP, "--check", "--diff").changed() == 0
    assert disagreements(APP) == []
    assert on(APP, "sysctl", "-n", "net.ipv4.ip_forward").strip() == "1"


def test_the_kernel_settings_of_ufw_leave_containers_on_the_network() -> None:
    refused = play(ROLE, "-e", json.dumps({"firewalled": APP, "ufw_sysctl": {"net.ipv4.ip_forward": 0}}))
    assert refused.code != 0
    assert "net.ipv4.ip_forward: 0 takes Docker's containers off the network" in refused.output


@pytest.mark.parametrize("level", ["off", "medium", "low"])
def test_the_level_of_logging_is_that_of_the_variable(level: str) -> None:
    play(ROLE, "-e", json.dumps({"firewalled": DATA, "ufw_logging": level}))
    assert value(DATA, "ufw", fact="logging") == level


# IPv6


@pytest.fixture
def ipv6() -> t.Iterator[None]:
    """The hosts of the lab have no address of the sixth version by themselves."""
    for host, address in ADDRESS6.items():
        on(
            host,
            "sh",
            "-ec",
            "sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.eth0.disable_ipv6=0; ip address replace %s/64 dev eth0 nodad" % address,
        )
    await_(lambda: reached(DATA, ADDRESS6[APP], 22), seconds=10)
    yield
    for host, address in ADDRESS6.items():
        on(host, "ip", "address", "delete", address + "/64", "dev", "eth0")


@pytest.mark.parametrize(
    "opened",
    [
        "ufw allow from fd00::/8 to any port 8081 proto tcp",
        "ufw allow proto tcp from ::/0 to ::/0 port 8081",
        "ip6tables -I INPUT -p tcp --dport 8081 -j ACCEPT",
        "ip6tables -I ufw6-user-input -p tcp --dport 8081 -j ACCEPT",
        "sed -i s/IPV6=yes/IPV6=no/ /etc/default/ufw; ip6tables -F; ip6tables -P INPUT ACCEPT",
    ],
)
def test_what_is_open_over_ipv6_alone_is_named_and_closed(ipv6: None, opened: str) -> None:
    with listening(APP, "-m", "http.server", "8081", "--bind", "::"):
        assert not reached(DATA, ADDRESS6[APP], 8081)
        on(APP, "sh", "-ec", opened)
        assert reached(DATA, ADDRESS6[APP], 8081), "the hand opened nothing, so this test shows nothing"
        address = on(APP, "hostname", "-i").split()[0]
        asked = {"address": address, "also": [ADDRESS6[APP]], "ports": "8080-8082", "declared": [22]}
        assert value(DATA, "tcp", fact="undeclared", **asked) == [8081]
        assert value(DATA, "tcp", fact="disagreements", **asked) == ["8081/tcp: answers at %s, declared nowhere" % ADDRESS6[APP]]
        assert [one for one in disagreements(APP) if not one.startswith("8081/tcp: listened on")]
        assert role(APP).changed() == 1
        assert not reached(DATA, ADDRESS6[APP], 8081)
        assert reached(DATA, ADDRESS6[APP], 22)
    assert disagreements(APP) == []


def test_a_declared_port_that_is_missing_over_ipv6_is_opened_again(ipv6: None) -> None:
    on(APP, "sh", "-ec", "ip6tables -D ufw6-user-input -p tcp --dport 22 -j ACCEPT")
    assert not reached(DATA, ADDRESS6[APP], 22)
    assert disagreements(APP) == ["IPv6: the kernel lacks `-A ufw6-user-input -p tcp -m tcp --dport 22 -j ACCEPT`"]
    assert role(APP).changed() == 1
    assert reached(DATA, ADDRESS6[APP], 22)


# What disagrees


def test_listeners_that_nobody_declared_are_named_though_the_firewall_hides_them(ipv6: None) -> None:
    udp = "import socket, time; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('0.0.0.0', 514)); time.sleep(600)"
    with (
        listening(APP, "-m", "http.server", "8081", "--bind", "::"),
        listening(APP, "-c", udp, unit="gng-udp"),
        listening(APP, "-m", "http.server", "8082", "--bind", "127.0.0.1", unit="gng-loopback"),
    ):
        assert disagreements(APP) == [
            "514/udp: listened on 0.0.0.0 by python3, declared nowhere",
            "8081/tcp: listened on * by python3, declared nowhere",
        ]
    assert disagreements(APP) == []


def test_a_redirection_is_named() -> None:
    rule = "PREROUTING -p tcp --dport 8080 -j REDIRECT --to-ports 80"
    on(APP, "sh", "-c", "iptables -t nat -A " + rule)
    try:
        assert disagreements(APP) == ["8080/tcp: sent on to 80 by a rule of the kernel, declared nowhere"]
    finally:
        on(APP, "sh", "-c", "iptables -t nat -D " + rule)


def test_a_rule_of_before_rules_is_named_and_left_alone() -> None:
    line = "-A ufw-before-input -p tcp --dport 99 -j ACCEPT"
    on(APP, "sh", "-ec", "cp -a /etc/ufw/before.rules /root/kept; sed -i 's/^COMMIT/%s\\nCOMMIT/' /etc/ufw/before.rules; ufw reload" % line)
    try:
        kernel = line.replace("-p tcp", "-p tcp -m tcp")
        assert disagreements(APP) == ["IPv4: the kernel has `%s`, declared nowhere" % kernel]
        assert value(APP, "ufw", fact="state")["bypassed"] == ["IPv4: " + kernel]
        done = role(APP)
        assert done.changed() == 0 and kernel in done.output
    finally:
        on(APP, "sh", "-ec", "cp -a /root/kept /etc/ufw/before.rules; ufw reload")


def published_ports() -> list[str]:
    """The disagreements; whether Docker publishes over IPv6 too depends on what it found when it started."""
    return [one.replace(" and [::]", "") for one in disagreements(APP)]


@pytest.fixture
def image() -> str:
    """An image with one program, made on the host; no registry is asked."""
    on(APP, "sh", "-ec", "cd / && tar -chf - /usr/bin/sleep $(ldd /usr/bin/sleep | grep -o '/[^ ]*') 2>/dev/null | docker import - gng-image")
    return "gng-image"


def test_what_docker_publishes_is_named(image: str) -> None:
    published = ("8081:8000", "80:8001/udp", "127.0.0.1:8083:8000")
    ports = [word for one in published for word in ("--publish", one)]
    on(APP, "docker", "run", "--detach", "--rm", "--name", "gng-published", *ports, image, "/usr/bin/sleep", "600")
    try:
        stray = ["%s: published by Docker on 0.0.0.0 (container gng-published), declared nowhere" % port for port in ("80/udp", "8081/tcp")]
        assert published_ports() == stray
        on(APP, "iptables", "-D", "FORWARD", "-j", "DOCKER-USER")
        assert published_ports() == ["IPv4: Docker's rules let packets through before DOCKER-USER is asked", *stray]
        assert role(APP).changed() == 1
        assert published_ports() == stray
    finally:
        on(APP, "docker", "rm", "--force", "gng-published")


@pytest.fixture
def stranger(image: str) -> t.Iterator[str]:
    """A network outside of what is let out, with a container."""
    on(APP, "docker", "network", "create", "--subnet", "10.99.0.0/24", "gng-stranger")
    try:
        on(APP, "docker", "run", "--detach", "--rm", "--name", "gng-lost", "--network", "gng-stranger", image, "/usr/bin/sleep", "600")
        yield "10.99.0.0/24"
    finally:
        on(APP, "docker", "rm", "--force", "gng-lost", check=False)
        on(APP, "docker", "network", "rm", "gng-stranger")
        role(APP)


def test_containers_are_not_cut_off(stranger: str) -> None:
    (said,) = disagreements(APP)
    assert said.startswith("network gng-stranger of Docker (%s): outside ufw_container_networks" % stranger)
    assert role(APP).changed() == 0, "nothing is to be changed, so that there is nothing to refuse"
    before = on(APP, "iptables", "-S")
    for arguments in (["--check"], []):
        refused = play(ROLE, *arguments, "-e", json.dumps({"firewalled": APP, "ufw_logging": "medium"}))
        assert refused.code != 0
        assert "network gng-stranger (%s) with gng-lost" % stranger in " ".join(refused.output.split()), refused.output
        assert on(APP, "iptables", "-S") == before and value(APP, "ufw", fact="logging") == "low"
    assert role(APP, "-e", json.dumps({"ufw_container_networks": [POOL, stranger]})).changed() == 1
    assert "-A DOCKER-USER -s %s -j RETURN" % stranger in on(APP, "iptables", "-S", "DOCKER-USER")


def test_a_source_that_cannot_be_looked_at_is_an_error() -> None:
    rules: dict[str, t.Any] = {"fact": "disagreements", "rules": [], "networks": []}
    on(APP, "sh", "-c", "pkill -STOP -x dockerd")
    try:
        assert "gave no answer" in error(APP, "exposure", **rules)
    finally:
        on(APP, "sh", "-c", "pkill -CONT -x dockerd")
    on(APP, "chmod", "000", "/usr/sbin/iptables")
    try:
        answer = observed(APP, "exposure", **rules)
        assert "error" in answer, answer
    finally:
        on(APP, "chmod", "755", "/usr/sbin/iptables")


# The check module


JAILS = ["sshd", "nginx-http-auth", "nginx-limit-req", "nginx-botsearch"]
CHECKED = {
    "rules": "{{ preflight_exposure | gonogo.preflight.exposure_rules(inventory_hostname, groups, hostvars, docker_address_pool) }}",
    "container_networks": ["{{ docker_address_pool }}"],
    "jails": JAILS,
}
OF_THE_MODULE = {"fw.ufw.enabled", "fw.ufw.logging", "fw.ufw.sysctl", "net.exposure.reviewed", "fw.http80", "fw.https443", "fw.fail2ban"}


def verified() -> dict[str, tuple[str, str, str]]:
    """What verify says of lab-app, of the items that the module asks too."""
    done = play("playbooks/verify.yml")
    assert done.report, done.output
    rows = [one for one in done.report["results"] if one["subject"] == APP and one["item"] in OF_THE_MODULE]
    return {one["item"]: (one["status"], one["observed"], one["expected"]) for one in rows}


def checked(**options: t.Any) -> tuple[int, dict[str, t.Any], dict[str, tuple[str, str, str]]]:
    """The status of `ansible`, what the module returns, and its results in the shape of verified()."""
    environment = dict(os.environ, ANSIBLE_STDOUT_CALLBACK="minimal", ANSIBLE_CALLBACK_RESULT_FORMAT="json", ANSIBLE_NOCOLOR="1")
    command = ["ansible", APP, "-i", "inventories/lab", "-b", "-m", "gonogo.preflight.firewall_check", "-a", json.dumps({**CHECKED, **options})]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=180, check=False)
    assert "=> " in done.stdout, done.stdout + done.stderr
    result, _end = json.JSONDecoder().raw_decode(done.stdout[done.stdout.index("=> ") + 3 :])
    return done.returncode, result, {one["id"]: (one["status"], one["observed"], one["expected"]) for one in result["results"]}


def test_the_check_module_says_what_verify_says() -> None:
    report = verified()
    assert report.keys() == OF_THE_MODULE and {status for status, _observed, _expected in report.values()} == {"pass"}, report
    code, result, seen = checked()
    assert (code, result["passed"], seen) == (0, True, report), result
    for options, status in (({"logging": "high"}, 2), ({"logging": "high", "enforce": False}, 0)):
        code, result, seen = checked(**options)
        assert code == status and not result["passed"], result
        assert seen.pop("fw.ufw.logging")[0] == "fail" and "fw.ufw.logging: found " in result["msg"]
        assert seen == {item: words for item, words in report.items() if item != "fw.ufw.logging"}


@pytest.mark.parametrize(
    ("broken", "mended", "failing"),
    [
        pytest.param(
            "iptables -I INPUT ! -i lo -p tcp --dport 99 -j ACCEPT",
            "iptables -D INPUT ! -i lo -p tcp --dport 99 -j ACCEPT",
            {"fw.ufw.enabled", "net.exposure.reviewed"},
            id="past UFW",
        ),
        pytest.param("ufw logging off", "ufw logging low", {"fw.ufw.logging"}, id="no log"),
        pytest.param("fail2ban-client stop nginx-botsearch", "systemctl restart fail2ban", {"fw.fail2ban"}, id="a dead jail"),
        pytest.param("fail2ban-client set sshd addignoreip 0.0.0.0/0", "systemctl restart fail2ban", {"fw.fail2ban"}, id="a jail that bans nobody"),
    ],
)
def test_the_check_module_fails_what_verify_fails(broken: str, mended: str, failing: set[str]) -> None:
    on(APP, "sh", "-ec", broken)
    try:
        report = verified()
        code, result, seen = checked()
        assert {item for item, words in report.items() if words[0] == "fail"} == failing, report
        assert (code, result["passed"], seen) == (2, False, report), result
        assert all(item in result["msg"] for item in failing), result["msg"]
    finally:
        on(APP, "sh", "-ec", mended)
    await_(lambda: value(APP, "fail2ban", fact="jails", jails=JAILS) == [], seconds=30)


# Killed runs, and outages


def ping(host: str) -> bool:
    # A connection that is open already says nothing.
    command = ["ansible", host, "-i", "inventories/lab", "-m", "ping", "--ssh-extra-args=-o ControlPath=none"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=False)
    return done.returncode == 0


@pytest.mark.parametrize("seconds", [0.2, 0.8, 1.6, 3.0])
def test_a_run_killed_while_it_makes_the_firewall_is_taken_up_by_the_next(seconds: float) -> None:
    on(DATA, "sh", "-ec", "ufw --force reset; rm -f /etc/ufw/*.rules.2*; ufw --force disable")
    killed([ROLE, "-e", json.dumps({"firewalled": DATA, "ufw_revert_after": 20})], task="Have exactly the declared ports open", seconds=seconds)
    assert ping(DATA)
    role(DATA)
    assert role(DATA).changed() == 0
    time.sleep(25)
    assert role(DATA, "--check").changed() == 0, "the timer of the killed run has taken back what the next one confirmed"
    assert disagreements(DATA) == []


@pytest.mark.parametrize(
    ("task", "seconds"), [("Configure the jails", 0.3), ("Configure the jails", 1.2), ("Have fail2ban running", 0.3), ("Have fail2ban running", 1.0)]
)
def test_a_run_killed_while_it_makes_the_jails_is_taken_up_by_the_next(task: str, seconds: float) -> None:
    on(APP, "sh", "-ec", "rm -f /etc/fail2ban/jail.d/gonogo.local; systemctl restart fail2ban")
    killed([PROVISION, "--tags", "fail2ban", "--limit", APP], task=task, seconds=seconds)
    arguments = (PROVISION, "--tags", "fail2ban", "--limit", APP)
    done = play(*arguments)
    assert done.code == 0, done.output
    assert play(*arguments).changed() == 0
    assert value(APP, "fail2ban", fact="jails", jails=JAILS) == []


OUTAGE = """
printf 'Acquire::%s::Proxy "http://127.0.0.1:9";\n' http https >/etc/apt/apt.conf.d/99gng-outage
touch -d '3 days ago' /var/lib/apt/lists /var/lib/apt/periodic/update-success-stamp
mv /var/cache/apt/archives /root/gng-archives
mkdir -p /var/cache/apt/archives/partial
"""
NO_OUTAGE = """
rm /etc/apt/apt.conf.d/99gng-outage
rm -rf /var/cache/apt/archives
mv /root/gng-archives /var/cache/apt/archives
"""


def test_an_outage_of_the_package_sources_leaves_firewall_and_jails_alone() -> None:
    """What is installed needs no source; what is missing is named, with the source that cannot be reached."""
    arguments = (PROVISION, "--tags", "ufw,fail2ban", "--limit", APP)
    rules = on(APP, "sh", "-c", "iptables -S; ip6tables -S")

    def unharmed() -> None:
        assert on(APP, "sh", "-c", "iptables -S; ip6tables -S") == rules
        assert value(APP, "fail2ban", fact="jails", jails=["sshd", "nginx-botsearch"]) == []
        assert disagreements(APP) == []

    on(APP, "sh", "-ec", OUTAGE)
    try:
        done = play(*arguments)
        assert (done.code, done.changed()) == (0, 0), done.output
        unharmed()
        # fail2ban has it in memory.
        on(APP, "dpkg", "--remove", "--force-depends", "python3-systemd")
        done = play(*arguments)
        said = " ".join(done.output.split())
        assert done.code != 0, done.output
        assert "Install fail2ban and the program of its ban action" in said and "python3-systemd" in said and "127.0.0.1:9" in said, done.output
        unharmed()
    finally:
        on(APP, "sh", "-ec", NO_OUTAGE)
    done = play(*arguments)
    assert done.code == 0, done.output
    assert on(APP, "dpkg-query", "--show", "--showformat=${db:Status-Abbrev}", "python3-systemd").strip() == "ii"
    assert play(*arguments).changed() == 0
    unharmed()


def test_a_boot_before_the_confirmation_takes_the_change_back() -> None:
    rules = [{"name": "ssh", "port": 22, "source": "192.0.2.0/24"}]
    options = json.dumps({"rules": rules, "require_ssh": False, "revert_after": 300})
    before = on(DATA, "sh", "-c", "ufw show added; cat /etc/ufw/user.rules /etc/ufw/user6.rules /etc/ufw/after.rules")
    command = ["ansible", "-i", "inventories/lab", DATA, "--become", "-m", "gonogo.preflight.ufw_exposure", "-a", options]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    assert not ping(DATA), "the rules do not lock out, so this test shows nothing"
    # The lab itself waits until sshd answers, which it does once the firewall of before is back.
    lab("restart", DATA, timeout=300)
    assert await_(lambda: ping(DATA), seconds=60)
    assert on(DATA, "sh", "-c", "ufw show added; cat /etc/ufw/user.rules /etc/ufw/user6.rules /etc/ufw/after.rules") == before
    assert role(DATA).changed() == 0
