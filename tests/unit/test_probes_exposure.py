# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host has open, held against what is declared: each disagreement by its port, and an error where a source cannot be asked."""

from __future__ import annotations

import json

import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils._exposure import Rule
from ansible_collections.gonogo.preflight.plugins.module_utils._probes import _exposure
from ansible_collections.gonogo.preflight.plugins.module_utils._probes._base import ProbeError
from ansible_collections.gonogo.preflight.plugins.module_utils._probes._exposure import (
    ExposureProbe,
    Opening,
    disagreements,
    parse_backend,
    parse_published,
    parse_redirects,
    parse_sockets,
    passing,
)

RULES = [
    Rule("ssh", 22, "tcp", "any", "host"),
    Rule("postgresql", 5432, "tcp", "192.0.2.11/32", "host"),
    Rule("web", 8443, "tcp", "any", "docker"),
    Rule("both", 9000, "tcp", "any", "host"),
    Rule("both", 9000, "tcp", "any", "docker"),
]


def found(*sockets, published=(), redirects=()):
    return disagreements(RULES, sockets=sockets, published=published, redirects=redirects)


def tcp(port, address="0.0.0.0", holder="some"):
    return Opening(port, "tcp", address, holder)


# What disagrees


def test_what_is_declared_agrees():
    assert found(tcp(22), tcp(5432, "192.0.2.12"), tcp(9000), published=[tcp(8443), tcp(9000)]) == []


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.53", "::1", "::ffff:127.0.0.1"])
def test_the_loopback_is_not_open_to_others(address):
    assert found(tcp(5433, address), published=[tcp(8000, address)]) == []


@pytest.mark.parametrize(
    ("addresses", "shown"),
    [
        (["0.0.0.0"], "0.0.0.0"),
        (["*"], "*"),
        (["::", "0.0.0.0"], "0.0.0.0 and [::]"),
        (["127.0.0.1", "192.0.2.12"], "192.0.2.12"),
        (["fe80::1"], "[fe80::1]"),
    ],
)
def test_a_listener_that_nobody_declared(addresses, shown):
    assert found(*(tcp(5433, one, "postgres") for one in addresses)) == ["5433/tcp: listened on %s by postgres, declared nowhere" % shown]


def test_another_protocol_is_another_port():
    assert found(Opening(22, "udp", "::", "the kernel")) == ["22/udp: listened on [::] by the kernel, declared nowhere"]


@pytest.mark.parametrize("port", [68, 546])
def test_a_client_of_dhcp_is_no_service(port):
    assert found(Opening(port, "udp", "192.0.2.12", "systemd-network")) == []
    assert found(tcp(port)) != []


def test_what_docker_publishes_and_nobody_declared():
    assert found(tcp(8081, holder="docker-proxy"), published=[tcp(8081, holder="stray"), tcp(8081, "::", "stray")]) == [
        "8081/tcp: published by Docker on 0.0.0.0 and [::] (container stray), declared nowhere"
    ]


def test_a_port_that_is_declared_for_another_publisher():
    assert found(tcp(8443, holder="nginx"), published=[tcp(22, holder="shell")]) == [
        "22/tcp: published by Docker on 0.0.0.0 (container shell), declared for a service of the host (its entry lacks publisher: docker)",
        "8443/tcp: listened on 0.0.0.0 by nginx, declared as published by Docker",
    ]


def test_a_proxy_of_docker_without_its_container_is_named():
    assert found(tcp(8081, holder="docker-proxy")) == ["8081/tcp: listened on 0.0.0.0 by docker-proxy, declared nowhere"]
    assert found(tcp(8443, holder="docker-proxy")) == []


def test_what_the_kernel_sends_on():
    redirects = [("8080", "tcp", "80"), ("22", "tcp", "172.28.0.2:22"), ("", "tcp", "10.0.0.1"), ("9000:9010", "tcp", "x"), ("22", "", "y")]
    assert found(redirects=redirects) == [
        "8080/tcp: sent on to 80 by a rule of the kernel, declared nowhere",
        "any port/tcp: sent on to 10.0.0.1 by a rule of the kernel, declared nowhere",
        "9000:9010/tcp: sent on to x by a rule of the kernel, declared nowhere",
        "22: sent on to y by a rule of the kernel, declared nowhere",
    ]


def test_what_docker_sends_on_is_named_once():
    assert len(found(published=[tcp(8081, holder="stray")], redirects=[("8081", "tcp", "172.28.0.2:8000")])) == 1


def test_what_the_role_leaves_alone_is_named_beside_what_it_mends():
    line = "-A ufw-before-input -p tcp -m tcp --dport 99 -j ACCEPT"
    live = {4: ["-A INPUT -j ufw-before-input", line]}
    assert passing(["/etc/default/ufw differs"], live) == ["/etc/default/ufw differs", "IPv4: the kernel has `%s`, declared nowhere" % line]


# Parsers

SOCKETS = """\
udp   UNCONN 0      0                           127.0.0.53%lo:53         0.0.0.0:*    users:(("systemd-resolve",pid=80,fd=13))
udp   UNCONN 0      0                      192.0.2.12%eth0:68         0.0.0.0:*    users:(("systemd-network",pid=70,fd=18))
udp   UNCONN 0      0                                 0.0.0.0:51820      0.0.0.0:*
udp   UNCONN 0      0      [fe80::5054:ff:fe12:3456]%eth0:546           [::]:*    users:(("systemd-network",pid=70,fd=20))
tcp   LISTEN 0      128                               0.0.0.0:22         0.0.0.0:*    users:(("sshd",pid=1,fd=3),("systemd",pid=1,fd=99))
tcp   LISTEN 0      4096                                    *:9100             *:*    users:(("node_exporter",pid=3,fd=3))
tcp   LISTEN 0      511                                  [::]:80            [::]:*    users:(("nginx",pid=5,fd=7),("nginx",pid=4,fd=7))
tcp   LISTEN 0      10                  [::ffff:127.0.0.1]:8080              *:*    users:(("java",pid=9,fd=7))
"""


def test_sockets():
    assert parse_sockets(SOCKETS) == [
        Opening(53, "udp", "127.0.0.1", "systemd-resolve"),
        Opening(68, "udp", "192.0.2.12", "systemd-network"),
        Opening(51820, "udp", "0.0.0.0", "the kernel"),
        Opening(546, "udp", "fe80::5054:ff:fe12:3456", "systemd-network"),
        Opening(22, "tcp", "0.0.0.0", "sshd, systemd"),
        Opening(9100, "tcp", "*", "node_exporter"),
        Opening(80, "tcp", "::", "nginx"),
        Opening(8080, "tcp", "::ffff:127.0.0.1", "java"),
    ]
    assert parse_sockets("") == []


def test_captured_sockets(captured):
    everywhere = {
        (one.port, one.protocol, one.holder) for one in parse_sockets(captured("ss-6.15.0-debian13-host")) if not one.address.startswith(("127.", "::1"))
    }
    assert everywhere == {(22, "tcp", "sshd"), (80, "tcp", "nginx")}


@pytest.mark.parametrize(
    "text",
    [
        "Cannot open netlink socket: Protocol not supported\n",
        "tcp   LISTEN 0      128\n",
        "tcp   ESTAB  0      0   192.0.2.12:22   192.0.2.1:50000\n",
        "tcp   LISTEN 0      128   0.0.0.0:ssh   0.0.0.0:*\n",
        "\0\n",
    ],
)
def test_what_ss_does_not_say_in_its_columns_is_an_error(text):
    with pytest.raises(ProbeError, match="ss answered"):
        parse_sockets(text)


NAT = """\
-P PREROUTING ACCEPT
-N DOCKER
-N OTHER
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A PREROUTING -p tcp -m tcp --dport 8080 -j REDIRECT --to-ports 80
-A PREROUTING -p tcp -m multiport --dports 90,91 -j DNAT --to-destination 10.0.0.1
-A PREROUTING -i lo -p tcp -m tcp --dport 1 -j REDIRECT --to-ports 2
-A PREROUTING ! -i lo -p tcp -m tcp --dport 2222 -j DNAT --to-destination 10.0.0.2:22
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT -p tcp -m tcp --dport 3 -j REDIRECT --to-ports 4
-A POSTROUTING -s 172.28.0.0/24 ! -o docker0 -j MASQUERADE
-A DOCKER -i docker0 -j RETURN
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8443 -j DNAT --to-destination 172.28.0.2:8000
-A DOCKER -d 127.0.0.1/32 ! -i docker0 -p tcp -m tcp --dport 8000 -j DNAT --to-destination 172.28.0.3:8000
-A DOCKER ! -d 127.0.0.1/32 -p udp -m udp --dport 514 -j DNAT --to-destination 172.28.0.4:514
-A OTHER -p tcp -m tcp --dport 5 -j DNAT --to-destination 10.0.0.9
"""


def test_redirections():
    assert parse_redirects(NAT.splitlines()) == [
        ("8080", "tcp", "80"),
        ("90,91", "tcp", "10.0.0.1"),
        ("2222", "tcp", "10.0.0.2:22"),
        ("8443", "tcp", "172.28.0.2:8000"),
        ("514", "udp", "172.28.0.4:514"),
    ]
    assert parse_redirects([]) == []


def test_captured_redirections(captured):
    """Of the three ports, one is published on the loopback; the resolver of the host's own container is another's."""
    found = parse_redirects(captured("iptables-1.8.11-debian13-nat").splitlines())
    assert found == [("8081", "tcp", "172.28.0.2:8000"), ("514", "udp", "172.28.0.2:514")]


def test_captured_container(captured):
    assert sorted(parse_published(captured("docker-26.1.5-debian13-inspect")), key=lambda one: one.port) == [
        Opening(514, "udp", "0.0.0.0", "stray"),
        Opening(8081, "tcp", "0.0.0.0", "stray"),
        Opening(8083, "tcp", "127.0.0.1", "stray"),
    ]


def container(name="/web", **ports):
    bindings = {inside.replace("_", "/"): [{"HostIp": address, "HostPort": port} for address, port in bound] for inside, bound in ports.items()}
    return {"Name": name, "NetworkSettings": {"Ports": {**bindings, "9/tcp": None}}}


def test_published_ports():
    inspected = [container(**{"8000_tcp": [("0.0.0.0", "8443"), ("::", "8443")]}), container("/dns", **{"53_udp": [("", "53")]})]
    assert parse_published(json.dumps(inspected)) == [
        Opening(8443, "tcp", "0.0.0.0", "web"),
        Opening(8443, "tcp", "::", "web"),
        Opening(53, "udp", "*", "dns"),
    ]
    assert parse_published("[]") == []


@pytest.mark.parametrize("text", ["", "null", "{}x", "[{}]", '[{"NetworkSettings": {"Ports": {"80/tcp": [{"HostIp": "", "HostPort": "x"}]}}}]', "[1]"])
def test_what_is_no_description_of_containers_is_an_error(text):
    with pytest.raises(ProbeError, match="docker inspect answered what cannot be read"):
        parse_published(text)


@pytest.mark.parametrize(
    ("info", "backend"),
    [
        ({"ID": "x"}, "iptables"),
        ({"ID": "x", "FirewallBackend": None}, "iptables"),
        ({"ID": "x", "FirewallBackend": {"Driver": "iptables"}}, "iptables"),
        ({"ID": "x", "FirewallBackend": {"Driver": "iptables+firewalld"}}, "iptables"),
        ({"ID": "x", "FirewallBackend": {"Driver": "nftables"}}, "nftables"),
    ],
)
def test_firewall_backend_of_the_engine(info, backend):
    assert parse_backend(json.dumps(info)) == backend


@pytest.mark.parametrize("text", ["", "{}", '{"ID": ""}', "[]", "Cannot connect to the Docker daemon"])
def test_an_engine_that_does_not_describe_itself_is_an_error(text):
    with pytest.raises(ProbeError, match="docker info does not describe an engine"):
        parse_backend(text)


# The whole

ARGUMENTS = {"fact": "disagreements", "rules": [{"port": 22, "source": "any"}], "networks": ["172.28.0.0/16"]}


NETWORKS = "sh -c ids=$(timeout 10 docker network"
OWN = {"Name": "bridge", "IPAM": {"Config": [{"Subnet": "172.28.0.0/24"}]}, "Containers": {}}
STRANGER = {"Name": "stranger", "IPAM": {"Config": [{"Subnet": "10.99.0.0/24"}]}, "Containers": {}}


@pytest.fixture
def host(monkeypatch, tmp_path):
    """A host on which everything agrees; what its commands answer, by their beginning, may be changed."""
    answers = {
        "ss": 'tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=1,fd=3))\n',
        "systemctl": "ActiveState=active\nUnitFileState=enabled\n",
        "docker info": '{"ID": "x"}',
        "docker ps": "",
        NETWORKS: json.dumps([OWN]),
    }

    def output(arguments, **_options):
        answer = next(answers[words] for words in answers if " ".join(arguments).startswith(words))
        answer = answer.pop(0) if isinstance(answer, list) else answer
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(_exposure, "output_of", output)
    monkeypatch.setattr(_exposure, "_firewall", lambda _wanted: ([], []))
    monkeypatch.setattr(_exposure.os.path, "exists", lambda path: path == "/usr/bin/dockerd")
    monkeypatch.setattr(_exposure, "_EPHEMERAL", str(tmp_path / "range"))
    monkeypatch.setattr(_exposure, "_PAUSE", 0.0)
    (tmp_path / "range").write_text("32768\t60999\n")
    return answers


def observe():
    return ExposureProbe({}).observe(ARGUMENTS)


def test_a_host_on_which_everything_agrees(host):
    seen = observe()
    assert seen.value == []
    assert seen.evidence == "1 rules declared; UFW and the kernel; 1 sockets that listen; 0 containers"


@pytest.mark.parametrize(("source", "network"), [("192.0.2.11", "192.0.2.11/32"), ("2001:db8::1", "2001:db8::1/128"), ("192.0.2.0/24", "192.0.2.0/24")])
def test_an_address_is_a_network(host, monkeypatch, source, network):
    seen = []
    monkeypatch.setattr(_exposure, "_firewall", lambda wanted: (seen.extend(wanted.rules), ([], []))[1])
    ExposureProbe({}).observe({"fact": "disagreements", "rules": [{"port": 22, "source": source}], "networks": []})
    assert seen == [Rule("", 22, "tcp", network, "host")]


def test_a_source_that_is_none_is_an_error(host):
    with pytest.raises(ProbeError, match="the rule for port 22 has the source 'app'"):
        ExposureProbe({}).observe({"fact": "disagreements", "rules": [{"port": 22, "source": "app"}], "networks": []})


def test_what_is_declared_and_not_there_yet_is_said_and_no_disagreement(host):
    host["ss"] = ""
    assert observe().value == []
    assert observe().evidence.endswith("; declared, and nothing listens yet: 22/tcp")


def test_a_stopped_engine_is_not_started_and_no_error(host):
    host.update({"systemctl": "ActiveState=inactive\nUnitFileState=enabled\n", "docker": ProbeError("started by its socket")})
    assert "Docker is stopped" in observe().evidence


def test_a_host_without_docker(host, monkeypatch):
    monkeypatch.setattr(_exposure.os.path, "exists", lambda path: False)
    host["docker"] = ProbeError("not installed")
    assert "no Docker" in observe().evidence


@pytest.mark.parametrize(
    ("source", "answer", "message"),
    [
        ("ss", ProbeError("ss is not installed"), "ss is not installed"),
        ("systemctl", "", "systemctl does not say"),
        ("docker info", ProbeError("gave no answer within 12 s"), "gave no answer"),
        ("docker info", '{"ID": "x", "FirewallBackend": {"Driver": "nftables"}}', "nftables, which passes DOCKER-USER by"),
        ("docker ps", ProbeError("permission denied"), "permission denied"),
        (NETWORKS, ProbeError("no such network"), "no such network"),
        (NETWORKS, "[{}]", "docker network inspect answered"),
    ],
)
def test_a_source_that_cannot_be_asked_is_an_error(host, source, answer, message):
    host[source] = answer
    with pytest.raises(ProbeError, match=message):
        observe()


def test_a_firewall_that_is_not_there_is_an_error_with_a_remedy(host, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(_exposure.Host, "installed", staticmethod(lambda: False))
    with pytest.raises(ProbeError) as raised:
        observe()
    assert "apt-get install ufw" in str(raised.value) and raised.value.remedy.endswith("--tags ufw")


def test_a_container_that_ends_while_it_is_asked_about_is_no_error(host):
    host.update({"docker ps": ["abc", ""], "docker inspect": ProbeError("no such object: abc")})
    assert observe().value == []


def test_a_network_of_docker_that_is_not_let_out_is_named(host):
    host[NETWORKS] = json.dumps([OWN, STRANGER])
    assert observe().value == [
        "network stranger of Docker (10.99.0.0/24): outside ufw_container_networks, so that its containers reach nothing; "
        "add it there, or docker network rm stranger"
    ]
    arguments = {**ARGUMENTS, "networks": ["172.28.0.0/16", "10.99.0.0/16"]}
    assert ExposureProbe({}).observe(arguments).value == []


def test_docker_s_own_network_that_kept_its_address_is_named_with_another_mend(host):
    host[NETWORKS] = json.dumps([{**OWN, "IPAM": {"Config": [{"Subnet": "172.17.0.0/16"}]}}])
    (one,) = observe().value
    assert one.startswith("network bridge of Docker (172.17.0.0/16)") and one.endswith("stop all containers and systemctl restart docker")


def test_a_network_that_goes_while_it_is_asked_about_is_no_error(host):
    host[NETWORKS] = [ProbeError("No such network: abc"), json.dumps([OWN])]
    assert observe().value == []


def test_a_udp_socket_of_a_client_is_gone_soon(host):
    client = 'udp UNCONN 0 0 0.0.0.0:40000 0.0.0.0:* users:(("unbound",pid=1,fd=3))\n'
    host["ss"] = [client, ""]
    assert observe().value == []
    host["ss"] = [client, client]
    assert observe().value == ["40000/udp: listened on 0.0.0.0 by unbound, declared nowhere"]


def test_a_udp_socket_below_the_ports_of_clients_is_not_looked_at_twice(host):
    host["ss"] = ["udp UNCONN 0 0 0.0.0.0:161 0.0.0.0:*\n"]
    assert observe().value == ["161/udp: listened on 0.0.0.0 by the kernel, declared nowhere"]
