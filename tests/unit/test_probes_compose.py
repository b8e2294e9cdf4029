# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the services of a Compose file, out of what Compose itself makes of it; and that nothing of it leaks."""

from __future__ import annotations

import json
import pathlib
import posixpath
import sys

import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils._probes import _base, _compose
from ansible_collections.gonogo.preflight.plugins.module_utils._probes._base import ProbeError

GOOD = "docker-compose-2.26.1-debian13-config-release"
FAULTS = "docker-compose-2.26.1-debian13-config-faults"
RULE = {"name": "web", "port": 80, "protocol": "tcp", "source": "any", "publisher": "docker"}
FACTS = ("privileged", "undeclared_ports", "unhealthy", "unlimited", "unpinned", "unrestarted")


@pytest.fixture
def faults(captured):
    return _compose.parse_config(captured(FAULTS))


def with_service(**service):
    """A document of one service, `one`."""
    return {"services": {"one": service}}


@pytest.fixture
def compose(tmp_path, monkeypatch, captured):
    """A release with a Compose file, and a `docker` that answers with a captured output, or with status and standard error."""
    release = tmp_path / "releases" / "1.0.0"
    release.mkdir(parents=True)
    (release / "compose.yml").write_text("services: {}\n")
    (tmp_path / "current").symlink_to(release)
    (tmp_path / "bin").mkdir()

    def answer(name="", *, status=0, err="", out=None):
        said = json.dumps({"out": captured(name) if name else out or "", "err": err, "status": status})
        (tmp_path / "said").write_text(said)
        program = tmp_path / "bin" / "docker"
        program.write_text(
            "#!%s -ES\nimport json, os, sys\nsaid = json.load(open(%r))\n"
            "json.dump({'argv': sys.argv[1:], 'environ': dict(os.environ)}, open(%r, 'w'))\n"
            "sys.stdout.write(said['out'])\nsys.stderr.write(said['err'])\nsys.exit(said['status'])\n"
            % (sys.executable, str(tmp_path / "said"), str(tmp_path / "asked"))
        )
        program.chmod(0o755)
        monkeypatch.setattr(_base, "_PATH", "%s:/usr/bin:/bin" % (tmp_path / "bin"))
        return str(tmp_path / "current" / "compose.yml")

    return answer


def observe(path, fact, **arguments):
    return _compose.ComposeProbe({}).observe({"fact": fact, "file": path, "resources": ["memory", "cpu"], "declared": [], **arguments})


def test_a_sound_file_has_no_faults_but_the_limit_it_lacks(compose):
    path = compose(GOOD)
    assert {fact: observe(path, fact).value for fact in FACTS} == {**dict.fromkeys(FACTS, []), "unlimited": ["api"]}
    assert observe(path, "unlimited", resources=["memory"]).value == []
    assert observe(path, "services").value == ["api"]


def test_every_fault_is_named_with_its_service(compose):
    path = compose(FAULTS)
    seen = {fact: observe(path, fact, declared=[RULE]) for fact in FACTS}
    assert {fact: one.value for fact, one in seen.items()} == {
        "privileged": ["agent", "web"],
        "undeclared_ports": ["web"],
        "unhealthy": ["agent", "tool", "web"],
        "unlimited": ["agent", "tool", "web"],
        "unpinned": ["tool", "web"],
        "unrestarted": ["agent"],
    }
    assert "agent: privileged, the host's network, the host's processes, capability SYS_ADMIN; web: mounts /var/run/docker.sock" in seen["privileged"].evidence
    assert "web: publishes 0.0.0.0:8443/udp, 0.0.0.0:9000/tcp, 0.0.0.0:9001/tcp, 0.0.0.0:9002/tcp, 0.0.0.0:any/tcp" in seen["undeclared_ports"].evidence
    assert "/releases/1.0.0/compose.yml: " in seen["unpinned"].evidence
    assert not any("hunter2" in one.evidence or "DATABASE_URL" in one.evidence for one in seen.values())


def test_compose_is_asked_once_without_an_engine_and_without_the_environment(compose, monkeypatch, tmp_path):
    path = compose(GOOD)
    monkeypatch.setenv("APP_IMAGE", "from-the-environment")
    probe = _compose.ComposeProbe({})
    arguments = {"fact": "services", "file": path}
    probe.observe(arguments)
    asked = json.loads((tmp_path / "asked").read_text())
    real = str(tmp_path / "releases" / "1.0.0")
    assert asked["argv"] == ["compose", "--project-directory", real, "--file", real + "/compose.yml", "--profile", "*", "config", "--format", "json"]
    assert set(asked["environ"]) - {"LC_CTYPE"} == {"HOME", "DOCKER_HOST", "LC_ALL", "PATH"}
    assert not pathlib.Path(asked["environ"]["DOCKER_HOST"].partition("//")[2]).exists()
    (tmp_path / "asked").unlink()
    probe.observe(arguments)
    assert not (tmp_path / "asked").exists()


def test_what_compose_quotes_of_a_file_is_not_shown(compose):
    path = compose(status=15, err="line 1: key cannot contain a space: PASSWORD hunter2\n")
    with pytest.raises(ProbeError, match="^Compose cannot read /") as caught:
        observe(path, "services")
    assert "hunter2" not in str(caught.value) + caught.value.remedy and "config --quiet" in caught.value.remedy


@pytest.mark.parametrize(
    "err", ["unknown flag: --project-directory\n", "docker: 'compose' is not a docker command.\n", "docker: unknown command: docker compose\n"]
)
def test_a_docker_without_compose_says_so(compose, err):
    with pytest.raises(ProbeError, match="no Compose plugin"):
        observe(compose(status=125, err=err), "services")


def test_a_file_that_is_not_there_is_an_error(compose):
    path = compose(GOOD)
    with pytest.raises(ProbeError, match="does not exist"):
        observe(path.replace("compose.yml", "other.yml"), "services")
    with pytest.raises(ProbeError, match="absolute"):
        observe("compose.yml", "services")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "can be read"),
        ("services:\n  api: {}\n", "can be read"),
        ("[]", "names no services"),
        ("{}", "names no services"),
        ('{"services": ["api"]}', "names no services"),
        ('{"services": {"api": null}}', "names no services"),
        ('{"name": "app", "services": {}}', "has no service"),
    ],
)
def test_no_service_is_an_error_and_no_pass(text, said):
    with pytest.raises(ProbeError, match=said):
        _compose.parse_config(text)


def test_a_job_needs_neither_a_health_check_nor_a_restart(faults):
    assert _compose.jobs(faults["services"]) == {"migrate"}
    assert "migrate" not in _compose.unhealthy(faults) and "migrate" not in _compose.unrestarted(faults)
    del faults["services"]["api"]["depends_on"]
    assert _compose.unhealthy(faults)["migrate"] == "no health check"
    assert _compose.unrestarted(faults)["migrate"] == "restart is not set"


@pytest.mark.parametrize(
    ("service", "met"),
    [
        ({"restart": "always"}, True),
        ({"restart": "unless-stopped"}, True),
        ({"restart": "on-failure"}, False),
        ({"restart": "on-failure:5"}, False),
        ({"restart": "no"}, False),
        ({"restart": "no", "deploy": {"restart_policy": {"condition": "any"}}}, False),
        ({"deploy": {"restart_policy": {"condition": "any"}}}, True),
        ({"deploy": {"restart_policy": {"condition": "on-failure"}}}, False),
        ({"deploy": {"restart_policy": None}}, False),
        ({}, False),
    ],
)
def test_what_comes_back_after_a_reboot(service, met):
    assert (_compose.unrestarted(with_service(**service)) == {}) is met


@pytest.mark.parametrize(
    ("service", "met"),
    [
        ({"image": "sha256:" + "0" * 64}, True),
        ({"image": "redis@sha256:" + "0" * 64}, True),
        ({"image": "redis:7@sha256:" + "0" * 64}, True),
        ({"image": "redis:7"}, False),
        ({"image": "redis@sha256:0000"}, False),
        ({"image": "sha256:" + "0" * 64, "build": {"context": "."}}, False),
        ({}, False),
    ],
)
def test_what_is_pinned(service, met):
    assert (_compose.unpinned(with_service(**service)) == {}) is met


@pytest.mark.parametrize(
    ("service", "said"),
    [
        ({"volumes": [{"type": "bind", "source": "/run/docker.sock", "target": "/x"}]}, "mounts /run/docker.sock"),
        ({"volumes": [{"type": "bind", "source": "/", "target": "/rootfs", "read_only": True}]}, "mounts /"),
        ({"volumes": [{"type": "bind", "source": "/run/", "target": "/run"}]}, "mounts /run"),
        ({"volumes": [{"type": "volume", "source": "run", "target": "/run"}]}, "mounts /var/run"),
        ({"cap_add": ["all"]}, "capability all"),
        ({"ipc": "host", "userns_mode": "host"}, "the host's shared memory, the host's users"),
        ({"volumes": [{"type": "bind", "source": "/srv/data", "target": "/data"}, {"type": "volume", "source": "data", "target": "/d"}]}, None),
        ({"volumes": [{"type": "tmpfs", "target": "/run"}], "cap_add": ["NET_BIND_SERVICE"], "network_mode": "bridge"}, None),
    ],
)
def test_who_has_the_host(service, said):
    document = dict(with_service(**service), volumes={"run": {"driver_opts": {"type": "none", "o": "bind", "device": "/var/run"}}, "data": None})
    assert _compose.privileged(document).get("one") == said


def bind(source, *, ro=False):
    return {"volumes": [{"type": "bind", "source": source, "target": "/x", **({"read_only": True} if ro else {})}]}


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/etc", "/etc/", "//etc", "/srv/../etc", "/etc/cron.d", "/etc/ssh", "/root", "/root/.ssh", "/root/data", "/proc", "/proc/sys", "/sys"),
        *("/sys/fs/cgroup", "/boot", "/dev", "/dev/sda", "/usr", "/usr/local/bin", "/bin", "/lib/systemd/system", "/run", "/var", "/var/lib"),
        *("/var/lib/docker", "/var/lib/docker/overlay2", "/var/lib/docker/containers", "/var/lib/docker/volumes", "/var/lib/containerd"),
        *("/var/spool", "/var/spool/cron/crontabs", "/home", "/home/ops", "/home/ops/.ssh", "/home/ops/.ssh/authorized_keys", "/home/ops/.bashrc"),
        *("/run/systemd", "/run/systemd/private", "/run/dbus/system_bus_socket", "/run/containerd/containerd.sock", "/run/podman/podman.sock"),
    ],
)
def test_a_mount_that_is_writable_gives_the_host(path):
    assert _compose.privileged(with_service(**bind(path))) == {"one": "mounts %s" % posixpath.normpath("/" + path.lstrip("/"))}


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/etc", "/etc/shadow", "/etc/shadow-", "/etc/ssh", "/etc/ssh/ssh_host_ed25519_key", "/root", "/root/.ssh", "/home", "/home/ops"),
        *("/home/ops/.ssh", "/var", "/var/lib", "/var/lib/docker", "/var/lib/docker/volumes", "/dev", "/dev/sda1", "/dev/mem", "/run", "/run/dbus"),
        *("/var/run/docker.sock", "/run/systemd"),
    ],
)
def test_a_mount_that_shows_keys_or_takes_orders_gives_the_host_although_it_is_read_only(path):
    assert _compose.privileged(with_service(**bind(path, ro=True))) == {"one": "mounts %s" % path}


@pytest.mark.parametrize(
    "path",
    [
        *("/proc", "/sys", "/sys/fs/cgroup", "/etc/localtime", "/etc/timezone", "/etc/ssl/certs", "/etc/letsencrypt", "/etc/os-release", "/etc/passwd"),
        *("/usr", "/usr/share/zoneinfo", "/lib", "/lib/modules", "/boot", "/etc/machine-id", "/var/lib/docker/containers", "/var/lib/docker/containers/x"),
    ],
)
def test_what_exporters_and_clocks_read_gives_nothing(path):
    assert _compose.privileged(with_service(**bind(path, ro=True))) == {}
    assert _compose.privileged(with_service(**bind(path))) == {"one": "mounts %s" % path}


@pytest.mark.parametrize(
    "path",
    [
        *("/srv", "/srv/etc", "/opt/gonogo/demo/releases/1.0.0-abc/conf", "/opt", "/var/lib/postgresql", "/var/log", "/var/cache/app", "/mnt/data", "/tmp"),
        *("/home/deploy/data", "/home/deploy/.cache/models", "/etcetera", "/rooted", "/usrlocal", "/var/lib/docker/volumes/data/_data", "/dev/shm"),
        *("/dev/dri", "/dev/nvidia0", "/dev/null", "/run/postgresql", "/run/app/app.sock"),
    ],
)
@pytest.mark.parametrize("ro", [True, False])
def test_what_is_the_applications_own_gives_nothing(path, ro):
    assert _compose.privileged(with_service(**bind(path, ro=ro))) == {}


@pytest.mark.parametrize(
    ("service", "said"),
    [
        *(({"cap_add": [one]}, "capability %s" % one) for one in ("SYS_MODULE", "SYS_PTRACE", "CAP_DAC_READ_SEARCH", "sys_rawio", "BPF", "CAP_SYS_ADMIN")),
        ({"cap_add": ["NET_ADMIN", "NET_RAW", "CHOWN", "SYS_NICE", "IPC_LOCK", "SYS_RESOURCE", "SYS_TIME"]}, None),
        ({"cap_add": ["NET_ADMIN"], "network_mode": "host"}, "the host's network"),
        ({"security_opt": ["seccomp:unconfined", "apparmor=unconfined"]}, "seccomp:unconfined, apparmor=unconfined"),
        ({"security_opt": ["systempaths=unconfined"]}, "systempaths=unconfined"),
        ({"security_opt": ["no-new-privileges:true", "seccomp:profile.json", "apparmor:docker-default"]}, None),
        ({"devices": [{"source": "/dev/sda", "target": "/dev/sda", "permissions": "rwm"}]}, "device /dev/sda"),
        ({"devices": ["/dev/nvme0n1p2:/dev/x:r"]}, "device /dev/nvme0n1p2"),
        ({"devices": ["/dev/mem", "/dev/mapper/vg-root", "/dev/disk/by-id/x"]}, "device /dev/mem, device /dev/mapper/vg-root, device /dev/disk/by-id/x"),
        ({"devices": ["/dev:/dev"]}, "device /dev"),
        ({"devices": ["/dev/dri:/dev/dri", "/dev/nvidia0", "/dev/net/tun", "/dev/fuse", "/dev/ttyUSB0", "/dev/snd", "nvidia.com/gpu=all"]}, None),
        ({"device_cgroup_rules": ["b 8:* rmw", "c 1:1 r"]}, "devices b 8:* rmw, devices c 1:1 r"),
        ({"device_cgroup_rules": ["a *:* rwm", "c *:* rwm"]}, "devices a *:* rwm, devices c *:* rwm"),
        ({"device_cgroup_rules": ["c 1:* rwm", "c 1:2"]}, "devices c 1:* rwm, devices c 1:2"),
        ({"device_cgroup_rules": ["c 1:11 r", "c 1:3 mr", "c 195:* rwm", "c 10:200 rwm"]}, None),
        ({"volumes": [{"type": "volume", "source": "own", "target": "/x"}]}, "mounts /etc/cron.d"),
        ({"volumes": [{"type": "volume", "source": "read", "target": "/x"}]}, None),
        ({"volumes": [{"type": "volume", "source": "disk", "target": "/x"}]}, "mounts /dev/sda1"),
        ({"secrets": [{"source": "engine", "target": "/x"}]}, "mounts /var/run/docker.sock"),
        ({"secrets": ["keys"], "configs": [{"source": "nginx"}]}, "mounts /etc/shadow"),
        ({"secrets": [{"source": "of-the-application"}, {"source": "unknown"}]}, None),
    ],
)
def test_further_ways_to_the_host(service, said):
    volumes = {
        "own": {"driver_opts": {"type": "none", "o": "bind", "device": "/etc/cron.d"}},
        "read": {"driver_opts": {"type": "none", "o": "bind,ro", "device": "/etc/letsencrypt"}},
        "disk": {"driver_opts": {"type": "ext4", "device": "/dev/sda1"}},
    }
    files = {"engine": "/var/run/docker.sock", "keys": "/etc/shadow", "of-the-application": "/opt/gonogo/demo/token"}
    secrets = {name: {"file": file} for name, file in files.items()}
    document = dict(with_service(**service), volumes=volumes, secrets=secrets, configs={"nginx": {"file": "/etc/nginx/nginx.conf"}})
    assert _compose.privileged(document).get("one") == said


@pytest.mark.parametrize(
    ("service", "missing"),
    [
        ({"mem_limit": "268435456", "cpus": 1.5}, None),
        ({"deploy": {"resources": {"limits": {"memory": "134217728", "cpus": 0.5}}}}, None),
        ({"mem_limit": "268435456", "cpu_quota": "50000"}, None),
        ({"mem_limit": "268435456"}, "no limit of cpu"),
        ({"cpus": 1}, "no limit of memory"),
        ({"mem_limit": "0", "cpus": 0}, "no limit of memory and cpu"),
        ({"deploy": {"resources": {"reservations": {"memory": "134217728"}}}, "cpus": 1}, "no limit of memory"),
    ],
)
def test_who_may_take_everything(service, missing):
    assert _compose.unlimited(with_service(**service), ["memory", "cpu"]).get("one") == missing


@pytest.mark.parametrize("resources", [[], ["disk"], ["memory", "disk"]])
def test_an_unknown_resource_is_an_error(compose, resources):
    with pytest.raises(ProbeError, match="`resources`"):
        observe(compose(GOOD), "unlimited", resources=resources)


@pytest.mark.parametrize(
    ("port", "met"),
    [
        ({"host_ip": "127.0.0.1", "published": "9"}, True),
        ({"host_ip": "127.1.2.3", "published": "9"}, True),
        ({"host_ip": "::1", "published": "9"}, True),
        ({"published": "80", "protocol": "tcp"}, True),
        ({"host_ip": "192.0.2.1", "published": "80", "protocol": "tcp"}, True),
        ({"published": "80", "protocol": "udp"}, False),
        ({"published": "81", "protocol": "tcp"}, False),
        ({"host_ip": "0.0.0.0", "published": "81"}, False),
        ({"host_ip": "::", "published": "81"}, False),
        ({"host_ip": "not an address", "published": "81"}, False),
        ({"target": 80}, False),
    ],
)
def test_which_ports_are_declared(port, met):
    assert (_compose.undeclared(with_service(ports=[port]), [RULE]) == {}) is met


def test_a_port_that_a_service_of_the_host_has_is_not_declared_for_docker():
    document = with_service(ports=[{"published": "80", "protocol": "tcp"}])
    assert _compose.undeclared(document, [dict(RULE, publisher="host")]) == {"one": "publishes 0.0.0.0:80/tcp"}
