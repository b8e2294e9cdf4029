# shellcheck shell=sh
# Packages, files, units and firewall of a host; not what moves by itself, nor Ansible's own temporary directory.
dpkg-query -W -f '${Package} ${Version} ${Status}\n'
find /etc /opt /usr /root /home /var/spool -xdev -type f -not -name '*.pyc' -not -path '*/.ansible/*' -print0 | sort -z | xargs -0 sha256sum
find /etc /opt /usr /root /home -xdev -name .ansible -prune -o -not -name __pycache__ -printf '%p %M %u %g %l\n' | sort
systemctl list-unit-files --no-pager | grep -v -e ' transient ' -e 'unit files listed'
iptables-save 2>/dev/null | grep -v -e '^#' -e '^:'
true
