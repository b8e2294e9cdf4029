"""How every item that a role of the host sets is broken by hand."""

from __future__ import annotations

import dataclasses
import typing as t

import yaml

from tests.support import ROOT

from .conftest import APP, DATA, RELOAD_SSH, awaited, listened, on

__all__ = ["JOURNALD", "NOT_PENDING", "PENDING", "TABLE", "Row", "compose_package"]

# The machine that runs Ansible, as the hosts see it.
CONTROLLER = yaml.safe_load((ROOT / "inventories/lab/group_vars/all/main.yml").read_text())["fail2ban_ignore"][0]

STRAY = "systemd-run --quiet --collect --unit=gng-stray python3 -m http.server %d"
FOREIGN = "systemd-run --quiet --collect --unit=gng-foreign python3 -m http.server 8080 --bind 127.0.0.1 && " + listened(8080)
SILENCED = "iptables -D ufw-user-input -p tcp --dport %d -j ACCEPT"


@dataclasses.dataclass(frozen=True)
class Row:
    """How an item is broken by hand; its role puts it back.

    :ivar breaks: shell commands, each of which breaks the item and no other one that is blocking.
    :ivar host: where.
    :ivar bare: what makes it fail on a bare host on which it would pass by luck; "" where it fails there.
    :ivar after: what puts back, once the role has run, what is not the role's, such as a stray program.
    :ivar mended: whether a role puts it back; `after` does where none does.
    :ivar silent: those of `breaks` that the role puts back without calling it a change.
    """

    breaks: t.Sequence[str]
    host: str = APP
    bare: str = ""
    after: str = "true"
    mended: bool = True
    silent: t.Sequence[str] = ()


OLD_LISTS = "touch -d '5 days ago' /var/lib/apt/lists /var/lib/apt/periodic/update-success-stamp"
# A package with a newer version than the one that is installed.
PENDING = """
mkdir -p /root/repo/DEBIAN
for version in 1 2; do
  printf 'Package: gng-dummy\\nVersion: %s\\nArchitecture: all\\nMaintainer: nobody\\nDescription: x\\n' $version >/root/repo/DEBIAN/control
  dpkg-deb --build /root/repo /root/gng-$version.deb
done
dpkg -i /root/gng-1.deb
rm -r /root/repo && mkdir /root/repo && mv /root/gng-2.deb /root/repo/ && chmod 755 /root /root/repo
cd /root/repo
dpkg-deb --field gng-2.deb >Packages
printf 'Filename: ./gng-2.deb\\nSize: %s\\nSHA256: %s\\n' $(stat -c %s gng-2.deb) $(sha256sum gng-2.deb | cut -d' ' -f1) >>Packages
echo 'deb [trusted=yes] file:/root/repo ./' >/etc/apt/sources.list.d/gng.list
apt-get update -q -o Dir::Etc::sourcelist=/etc/apt/sources.list.d/gng.list -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0
"""
NOT_PENDING = "dpkg --purge gng-dummy; rm -rf /root/repo /root/gng-* /etc/apt/sources.list.d/gng.list /var/lib/apt/lists/*root_repo*; chmod 700 /root"
OWN_BLACKLIST = """echo 'Unattended-Upgrade::Package-Blacklist { "gng-"; };' >/etc/apt/apt.conf.d/99-own"""
# A time server that is half a second off.
WRONG_CLOCK = """
cat >/etc/chrony/second.conf <<'CONF'
local stratum 8
port 11123
cmdport 0
bindcmdaddress /
pidfile /run/second-chronyd.pid
allow 127.0.0.1
CONF
systemd-run --quiet --unit=gng-second chronyd -d -x -U -f /etc/chrony/second.conf
echo 'server 127.0.0.1 port 11123 iburst minpoll 0 maxpoll 0 offset 0.5' >/etc/chrony/chrony.conf
systemctl restart chrony
chronyc waitsync 30 0 0 0.5
"""
UNATTENDED, SYSCTLS, LIMITS = "/etc/apt/apt.conf.d/52gonogo-unattended-upgrades", "/etc/sysctl.d/gonogo.conf", "/etc/security/limits.d/gonogo.conf"
SYSTEM, JOURNALD = "/etc/systemd/system.conf.d/gonogo.conf", "/etc/systemd/journald.conf.d/gonogo.conf"
READ_BY_JOURNALD = " && systemctl restart systemd-journald && sleep 1"
SSHD, READ_BY_SSHD = "/etc/ssh/sshd_config.d/00-gonogo.conf", "; " + RELOAD_SSH
# Where it listens for sshd, the ports of sshd_config are those that it had at the last daemon-reload. A connection starts sshd.
BY_SOCKET = "systemctl is-active --quiet ssh.socket"
RESTART_SOCKET = "systemctl daemon-reload; systemctl stop ssh.service; systemctl restart ssh.socket; timeout 30 bash -c 'head -c 4 </dev/tcp/127.0.0.1/22'"
DAEMON, READ_BY_DOCKER = "/etc/docker/daemon.json", " && systemctl restart docker"
# Ubuntu calls it docker-compose-v2.
COMPOSE = "dpkg-query --show --showformat '${db:Status-Abbrev}${Package}\\n' docker-compose docker-compose-v2 2>/dev/null | sed -n 's/^[ih]i *//p'"
OF_A_STRANGER = "rm -f /root/stranger; ssh-keygen -q -t ed25519 -N '' -f /root/stranger; cat /root/stranger.pub >>"


def replaced(path: str, before: str, after: str) -> str:
    """A change of a file by hand, which fails where there is nothing to change."""
    return "grep -q '%s' %s && sed -i 's/%s/%s/' %s" % (before, path, before, after, path)


def compose_package(host: str) -> str:
    """The package that Compose was installed from."""
    return on(host, "sh", "-c", COMPOSE).strip()


TABLE: dict[str, Row] = {
    # Operating system
    # What the host's own blacklist leaves alone is pending all the same; the hold, which no role takes away, is in test_os.
    "os.updated": Row(
        [OLD_LISTS, PENDING, PENDING + OWN_BLACKLIST],
        bare=OLD_LISTS,
        after=NOT_PENDING + "; rm -f /etc/apt/apt.conf.d/99-own",
        # Lists that are fetched anew bring a change only where they bring an update.
        silent=[OLD_LISTS],
    ),
    "os.reboot": Row(
        ["echo dbus >/run/reboot-required.pkgs; touch /run/reboot-required"],
        bare="touch /run/reboot-required",
        after="rm -f /run/reboot-required*",
        mended=False,
    ),
    "os.unattended": Row(
        [replaced(UNATTENDED, 'Unattended-Upgrade "1"', 'Unattended-Upgrade "0"'), "systemctl disable --now apt-daily-upgrade.timer"],
    ),
    "os.unattended.blacklist": Row(["sed -i /docker/d " + UNATTENDED]),
    "os.unattended.reboot": Row([replaced(UNATTENDED, 'Automatic-Reboot "false"', 'Automatic-Reboot "true"')]),
    "os.timezone.utc": Row(["ln -sfn /usr/share/zoneinfo/Asia/Tokyo /etc/localtime"], bare="ln -sfn /usr/share/zoneinfo/Asia/Tokyo /etc/localtime"),
    "os.ntp.synced": Row(["chronyc local off", "systemctl disable chrony"], host=DATA),
    "os.ntp.offset": Row([WRONG_CLOCK], host=DATA, after="systemctl stop gng-second; rm -f /etc/chrony/second.conf"),
    "os.swap.off": Row(
        [
            "echo '/swap.img none swap sw 0 0' >>/etc/fstab",
            "printf '[Swap]\\nWhat=/swapfile\\n[Install]\\nWantedBy=multi-user.target\\n' >/etc/systemd/system/swapfile.swap; systemctl enable swapfile.swap",
            # As systemd-gpt-auto-generator has it, but for the place of the unit itself.
            "systemctl unmask swap.target; printf '[Swap]\\nWhat=/swapfile\\n[Install]\\nWantedBy=multi-user.target\\n' >/etc/systemd/system/swapfile.swap; "
            "mkdir -p /run/systemd/generator.late/swap.target.wants; "
            "ln -sf /etc/systemd/system/swapfile.swap /run/systemd/generator.late/swap.target.wants/",
        ],
        bare="echo '/swap.img none swap sw 0 0' >>/etc/fstab",
        after="systemctl unmask swapfile.swap; rm -f /etc/systemd/system/swapfile.swap; systemctl daemon-reload",
    ),
    "os.overcommit": Row(["sysctl -qw vm.overcommit_memory=0", "sed -i /overcommit/d " + SYSCTLS]),
    "os.thp": Row([replaced("/etc/tmpfiles.d/gonogo.conf", "madvise", "always")]),
    "os.limits": Row(["rm " + SYSTEM, replaced(LIMITS, "16384", "2048")]),
    "os.journal": Row([replaced(JOURNALD, "persistent", "volatile") + READ_BY_JOURNALD], after="journalctl --flush"),
    "os.journal.size": Row([replaced(JOURNALD, "^SystemMaxUse=.*", "SystemMaxUse=8G") + READ_BY_JOURNALD]),
    # The second is so now and after a boot; who closes it for good takes the file away.
    "os.sysctl": Row(
        [
            "sysctl -qw net.ipv4.conf.eth0.accept_redirects=1",
            "echo net.ipv4.conf.eth0.accept_redirects=1 >/etc/sysctl.d/90-open.conf; sysctl -qp /etc/sysctl.d/90-open.conf",
            "sed -i /tcp_syncookies/d " + SYSCTLS,
        ],
        after="rm -f /etc/sysctl.d/90-open.conf",
    ),
    # Docker
    "docker.compose.version": Row(["apt-get -qy purge $(%s)" % COMPOSE]),
    "docker.daemon.running": Row(["systemctl disable docker", "systemctl disable --now docker.service docker.socket"]),
    "docker.daemon.config": Row([replaced(DAEMON, '"live-restore": true', '"live-restore": false'), "sleep 1; touch " + DAEMON]),
    "docker.snap": Row(["mkdir -p /snap/docker"], bare="mkdir -p /snap/docker", after="rm -rf /snap", mended=False),
    "docker.prune": Row(["systemctl stop gonogo-docker-prune.timer", "systemctl disable gonogo-docker-prune.timer"]),
    "log.rotation": Row([replaced(DAEMON, '"max-size": "[^"]*"', '"max-size": "1g"') + READ_BY_DOCKER]),
    # Accounts
    "accounts.declared": Row(
        [OF_A_STRANGER + "/home/ops/.ssh/authorized_keys"], bare=OF_A_STRANGER + "/home/ops/.ssh/authorized_keys", after="rm -f /root/stranger*"
    ),
    "accounts.sudo": Row(
        [
            "echo 'deploy ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/night; chmod 440 /etc/sudoers.d/night",
            "usermod --append --groups sudo deploy",
        ],
        bare="echo 'games ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/night; chmod 440 /etc/sudoers.d/night",
        after="rm -f /etc/sudoers.d/night",
    ),
    # The mode of the socket, which is no role's, is in test_docker.
    "accounts.docker": Row(
        [
            "usermod --append --groups docker ops",
            "usermod --append --groups disk deploy",
            "groupadd --system --force lxd; usermod --append --groups lxd deploy",
        ],
        bare="groupadd --force docker; usermod --append --groups docker ops",
        after="gpasswd --delete deploy lxd; groupdel lxd || true",
    ),
    "accounts.uid0": Row(
        ["useradd --non-unique --uid 0 toor"],
        bare="useradd --non-unique --uid 0 toor",
        after="sed -i /^toor:/d /etc/passwd /etc/shadow /etc/group /etc/gshadow; rm -rf /home/toor",
        mended=False,
    ),
    "accounts.passwords": Row(
        ["passwd --delete deploy"], bare="passwd --delete ops", after="usermod --password '!' deploy; usermod --password '*' ops", mended=False
    ),
    "docker.user.group": Row(["gpasswd --delete deploy docker"]),
    "sec.iam.least": Row(
        ["usermod --append --groups sudo deploy", "usermod --append --groups disk deploy"], bare="groupadd --force docker; usermod --append --groups docker ops"
    ),
    # SSH
    "ssh.keys_only": Row([replaced(SSHD, "PasswordAuthentication no", "PasswordAuthentication yes") + READ_BY_SSHD]),
    "ssh.root_login": Row([replaced(SSHD, "PermitRootLogin no", "PermitRootLogin prohibit-password") + READ_BY_SSHD]),
    "ssh.algorithms": Row([replaced(SSHD, "^MACs ", "MACs hmac-sha1,") + READ_BY_SSHD]),
    "ssh.auth_tries": Row([replaced(SSHD, "MaxAuthTries 4", "MaxAuthTries 10") + READ_BY_SSHD]),
    "ssh.login_grace": Row([replaced(SSHD, "LoginGraceTime 60", "LoginGraceTime 0") + READ_BY_SSHD]),
    "ssh.x11": Row([replaced(SSHD, "X11Forwarding no", "X11Forwarding yes") + READ_BY_SSHD]),
    "fw.ssh.only22": Row(
        [
            "if %s; then echo 'ListenStream=2222' >>/etc/systemd/system/ssh.socket.d/gonogo.conf; %s; else echo 'Port 2222' >>/etc/ssh/sshd_config; %s; fi"
            % (BY_SOCKET, RESTART_SOCKET, RELOAD_SSH)
        ],
        bare="printf 'Port 22\\nPort 2222\\n' >>/etc/ssh/sshd_config; if %s; then %s; else %s; fi" % (BY_SOCKET, RESTART_SOCKET, RELOAD_SSH),
        after="sed -i '/^# gonogo.preflight: Port/d' /etc/ssh/sshd_config" + READ_BY_SSHD,
    ),
    # Firewall
    "fw.ufw.enabled": Row(
        [
            "ufw --force disable",
            "systemctl disable ufw",
            "iptables -I INPUT -p tcp --dport 99 -j ACCEPT",
            "iptables -I INPUT ! -i lo -j ACCEPT",
            "iptables -I INPUT -m conntrack ! --ctstate INVALID -j ACCEPT",
            "ip6tables -I INPUT -j ACCEPT",
            "ip6tables -P INPUT ACCEPT",
        ]
    ),
    "fw.ufw.logging": Row(["ufw logging off"]),
    # The last is live, and otherwise only in a pattern.
    "fw.ufw.sysctl": Row(
        [
            "echo net/ipv4/ip_forward=0 >>/etc/ufw/sysctl.conf",
            "echo net/ipv4/conf/default/log_martians=1 >>/etc/ufw/sysctl.conf",
            "echo 'net.ipv4.conf.*.log_martians=0' >/etc/sysctl.d/60-own.conf; echo net/ipv4/conf/eth0/log_martians=1 >>/etc/ufw/sysctl.conf; "
            "sysctl -qw net.ipv4.conf.eth0.log_martians=1",
        ],
        after="rm -f /etc/sysctl.d/60-own.conf; sysctl -qw net.ipv4.conf.eth0.log_martians=0",
    ),
    # The machine that runs Ansible gets in, so that the role can mend it; the neighbour that looks does not.
    "fw.ssh.reachable": Row(["iptables -I ufw-user-input -p tcp -s %s --dport 22 -j ACCEPT; " % CONTROLLER + SILENCED % 22]),
    "fw.http80": Row(["ufw delete allow 80/tcp", "ufw insert 1 deny 80"]),
    "fw.https443": Row(["ufw deny 443/tcp"]),
    "fw.others.blocked": Row(["ufw allow 8081/tcp; " + STRAY % 8081], bare=STRAY % 8081, after="systemctl stop gng-stray"),
    "net.security.validated": Row([SILENCED % 443], bare=STRAY % 8081),
    "cloud.sg": Row(["ufw --force disable"]),
    "db.private.network": Row(
        ["iptables -I ufw-user-input -p tcp --dport 5432 -j ACCEPT; " + STRAY % 5432], host=DATA, bare=STRAY % 5432, after="systemctl stop gng-stray"
    ),
    "fw.fail2ban": Row(
        [
            "fail2ban-client stop sshd",
            "fail2ban-client stop nginx-botsearch",
            "systemctl disable fail2ban",
            "fail2ban-client set sshd delaction nftables",
            "fail2ban-client set sshd addignoreip 0.0.0.0/0",
            "fail2ban-client set nginx-botsearch addignoreip 203.0.113.9",
            "fail2ban-client set sshd maxretry 100000",
            "fail2ban-client set sshd bantime 1",
            "rm /etc/fail2ban/jail.d/gonogo.local",
            "fail2ban-client set sshd banip 203.0.113.9; %s; nft delete table inet f2b-table" % awaited("nft list table inet f2b-table"),
        ],
        after="fail2ban-client unban --all",
    ),
    # The second is open to nobody; the first is what no container can be on that is to reach anything.
    "net.exposure.reviewed": Row(
        ["docker network create --subnet 10.99.0.0/24 stranger", STRAY % 8081 + " && " + listened(8081)],
        after="docker network rm stranger; systemctl stop gng-stray",
        mended=False,
    ),
    # The host itself
    "net.ports.available": Row([FOREIGN], bare=FOREIGN, after="systemctl stop gng-foreign", mended=False),
}
