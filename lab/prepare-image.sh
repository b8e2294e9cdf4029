#!/bin/sh
# Makes a bare server of a minimal Debian or Ubuntu root file system: runs once inside the image that is being made.
set -eu
export DEBIAN_FRONTEND=noninteractive

# shellcheck source=/dev/null
. /etc/os-release
rm -f /etc/apt/apt.conf.d/docker-clean /etc/dpkg/dpkg.cfg.d/excludes
printf '%s\n' 'APT::Keep-Downloaded-Packages "true";' 'Binary::apt::APT::Keep-Downloaded-Packages "true";' \
  >/etc/apt/apt.conf.d/80keep-downloaded-packages

if [ "$ID" = debian ]; then
  components='main contrib non-free non-free-firmware'
  compose='docker-cli docker-compose'
  # What is of the priority "important" is on every server that an installer made.
  defaults=linux-sysctl-defaults
else
  components='main restricted universe multiverse'
  compose=docker-compose-v2
  # Of what an installer's server has: what changes how packages are installed, and how programs crash.
  defaults='ubuntu-minimal apport needrestart rsyslog'
fi

if [ -n "$MIRROR" ]; then
  rm -f /etc/apt/sources.list
  cat >"/etc/apt/sources.list.d/$ID.sources" <<SOURCES
Types: deb
URIs: $MIRROR
Suites: $VERSION_CODENAME $VERSION_CODENAME-updates
Components: $components
Signed-By: /usr/share/keyrings/$ID-archive-keyring.gpg

Types: deb
URIs: ${SECURITY_MIRROR:-$MIRROR}
Suites: $VERSION_CODENAME-security
Components: $components
Signed-By: /usr/share/keyrings/$ID-archive-keyring.gpg
SOURCES
fi

# Hosts of the lab are made anew at will: dpkg need not wait for the disk at every file.
echo force-unsafe-io >/etc/dpkg/dpkg.cfg.d/lab

# A server boots no service while its image is made.
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 0755 /usr/sbin/policy-rc.d

apt-get update -q
apt-get dist-upgrade -qy
# shellcheck disable=SC2086
apt-get install -qy --no-install-recommends $defaults \
  systemd systemd-sysv dbus libpam-systemd udev python3 python3-apt openssh-server sudo iproute2 iputils-ping procps kmod \
  netbase tzdata less ca-certificates cron logrotate
apt-get clean

# What the roles and some tests install, downloaded once: provisioning a bare host then needs no long download.
# shellcheck disable=SC2086
apt-get install -qy --download-only docker.io $compose python3-docker python3-psycopg2 python3-redis \
  postgresql postgresql-client redis-server nginx ufw fail2ban python3-systemd nftables iptables chrony unattended-upgrades acl \
  git python3-yaml \
  $EXTRA_PACKAGES

if [ -d /authorities ]; then
  cp /authorities/*.crt /usr/local/share/ca-certificates/
  update-ca-certificates
fi

useradd --create-home --shell /bin/bash ops
install -d -o ops -g ops -m 0700 /home/ops/.ssh
echo 'ops ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/ops
chmod 0440 /etc/sudoers.d/ops

# Each host makes host keys and a machine id of its own at its first boot.
rm -f /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub
: >/etc/machine-id
rm -f /var/lib/dbus/machine-id
cat >/etc/systemd/system/lab-ssh-host-keys.service <<'UNIT'
[Unit]
Description=Create the SSH host keys of this host
DefaultDependencies=no
After=local-fs.target
Before=ssh.service ssh.socket
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key

[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -A

[Install]
WantedBy=multi-user.target
UNIT
systemctl enable lab-ssh-host-keys.service

# Sysctls that are not namespaced are the machine's: a host that boots must not set the distribution's values there. Those of the network
# are the host's own, and stay: a file in /etc takes the place of the one of its name in /usr/lib.
for file in /usr/lib/sysctl.d/*.conf; do sed -n '/^-\{0,1\}net[./]/p' "$file" >"/etc/sysctl.d/${file##*/}"; done

# A container cannot load kernel modules nor set the clock; chrony runs there as it does elsewhere, but leaves the clock alone.
systemctl mask systemd-modules-load.service
install -d /etc/systemd/system/chrony.service.d
cat >/etc/systemd/system/chrony.service.d/lab.conf <<'UNIT'
[Unit]
ConditionCapability=

[Service]
EnvironmentFile=
Environment="DAEMON_OPTS=-F 1 -x -U"
UNIT

rm -f /usr/sbin/policy-rc.d
rm -rf /tmp/* /var/tmp/*
