# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ssh connection that a module runs over, found in /proc and in the journal."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys

import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils import _ssh_login
from ansible_collections.gonogo.preflight.plugins.module_utils._ssh_login import Accepted, Connection, accepted, connection, parse_accepted, ssh_connection

LOGIN = Connection("192.0.2.5", 51515, "192.0.2.1", 22, "ops", 1000.0)
KEY = "Accepted publickey for ops from 192.0.2.5 port 51515 ssh2: ED25519 SHA256:NgQMEHL8IC5cQOlrDqPnHPrgGxLrCL8tcT9k5qvnVXc"
PASSWORD = "Accepted password for ops from 192.0.2.5 port 51515 ssh2"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (KEY, Accepted("publickey", "SHA256:NgQMEHL8IC5cQOlrDqPnHPrgGxLrCL8tcT9k5qvnVXc")),
        (PASSWORD, Accepted("password", "")),
        (PASSWORD.replace("password", "keyboard-interactive/pam"), Accepted("keyboard-interactive/pam", "")),
        # The port was used before, by an older connection.
        (PASSWORD + "\n" + KEY, Accepted("publickey", "SHA256:NgQMEHL8IC5cQOlrDqPnHPrgGxLrCL8tcT9k5qvnVXc")),
        (KEY.replace("51515", "51516"), None),
        (KEY.replace("51515", "5151"), None),
        (KEY.replace("192.0.2.5", "192.0.2.50"), None),
        (KEY.replace("ops", "eve"), None),
        ("Failed password for ops from 192.0.2.5 port 51515 ssh2", None),
        # What somebody typed as a user name is in the middle of a line.
        ("Invalid user " + KEY + " from 192.0.2.66 port 1", None),
        ("-- No entries --", None),
        ("", None),
        ("\0\xff", None),
    ],
)
def test_the_journal_says_what_the_connection_was_let_in_for(text, found):
    assert parse_accepted(text, LOGIN) == found


def test_a_password_is_no_key():
    assert not Accepted("password", "").by_key
    assert Accepted("publickey", "SHA256:x").by_key


def test_the_journal_is_asked_for_the_time_of_the_login_alone():
    ran = []

    def run(command):
        ran.append(" ".join(command))
        return 0, KEY, ""

    assert accepted(LOGIN, run).by_key
    assert "--identifier sshd --identifier sshd-session" in ran[0]
    assert "--since=@400 --until=@1060" in ran[0]


def test_a_journal_that_does_not_answer_tells_nothing():
    assert accepted(LOGIN, lambda command: (1, KEY, "No journal files were found.")) is None


def asked_in_a_child(function, environment):
    """What `function` says of a process whose parent, but not itself, has `environment`."""
    paths = os.pathsep.join(path for path in sys.path if path)
    code = "from %s import %s as asked; import os; print(asked(os.getpid()))" % (_ssh_login.__name__, function)
    script = 'env -u SSH_CONNECTION "%s" -c "%s"; true' % (sys.executable, code)
    done = subprocess.run(["sh", "-c", script], env={**os.environ, "PYTHONPATH": paths, **environment}, capture_output=True, text=True, check=True)
    return done.stdout.strip()


needs_proc = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@needs_proc
def test_the_connection_is_found_above_sudo():
    assert asked_in_a_child("ssh_connection", {"SSH_CONNECTION": "192.0.2.5 51515 192.0.2.1 2222"}) == "('192.0.2.5', 2222)"


@needs_proc
def test_the_zone_of_an_address_is_left_out():
    assert asked_in_a_child("ssh_connection", {"SSH_CONNECTION": "fe80::1%eth0 51515 fe80::2%eth0 22"}) == "('fe80::1', 22)"


@needs_proc
def test_the_connection_says_who_logged_in_and_when():
    user = pwd.getpwuid(os.getuid()).pw_name
    said = asked_in_a_child("connection", {"SSH_CONNECTION": "192.0.2.5 51515 192.0.2.1 2222"})
    assert said.startswith("Connection(client='192.0.2.5', client_port=51515, server='192.0.2.1', port=2222, user='%s', since=1" % user)


def test_a_process_that_is_gone_runs_over_no_connection():
    assert connection(2**22 + 1) is None
    assert ssh_connection(2**22 + 1) is None
