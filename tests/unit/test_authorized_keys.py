# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Public keys: what is one, what is refused, and why; never a line of a file that is none."""

from __future__ import annotations

import base64
import os

import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils._authorized_keys import KeyFileError, KeyLineError, lines_of, parse_key, paths, read

ED25519 = "AAAAC3NzaC1lZDI1NTE5AAAAIPyGAuYVnKZ/Ib0vdqxLo8Z1v+pJatceVNFNa0WJ/zsj"
ECDSA = "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBCYnzMMNhcddTQ52ZO/lvo0yFXB7pvGKbCZ7StELFTYAQaK/riU7ejj4gSY3I5sCLvFTm3NjMB9Uj1ecRe58qy8="
RSA_1024 = (
    "AAAAB3NzaC1yc2EAAAADAQABAAAAgQC4PGwVzl5OI07j17QDJS8VeUpD8mni7yP/p960JHacmvjgoTZiI3q/6BHmfyjYAXcbGwvNDc8a/FIfaDJdv+7MX8qPuAvp6ke9ZuIvwYNhyPYvFq/"
    "zh3Z6CBK2LlXKBz+OqvUpYIL1P2IL+5qRvi0gF8ARBvH3qf4TDzDxbpL8zw=="
)
RSA_2048 = (
    "AAAAB3NzaC1yc2EAAAADAQABAAABAQC7GpKS0iB9ia9inaWY0dT3rqgAIX6WLHzmplbg3iTAqxOqFvbltfgy/uJLb+Mfg70aZcbK0vFsJeWm5juhRo0QcMHQgSoPy+Ukb6NaVx/bMyqecoVY"
    "cFt2ukmY0r8yW+zcthOFe2lUGu0H/vscCmrRFoI24/veB11KKFeKQfM0yufI1AOQmTQ/JLzkfQdw4Wf/v9t7bSVIjwGXLiKHBZneJHx7ZDie7dnM/W7YpxOQxrA4CUKrOM7PJgDmCGf3R1e6"
    "pDSAZs25LqY5XjJWnRwo4NymKeyGSgDBD5MFZWSEXuKKrDqavc1TIFT/fg13MFhu2BXRCeSQmDh/VBFnT1xZ"
)


@pytest.mark.parametrize(
    ("line", "options", "kind", "comment", "fingerprint"),
    [
        ("ssh-ed25519 %s ada@laptop" % ED25519, "", "ssh-ed25519", "ada@laptop", "SHA256:MJRmTaWN1m+M7cr0/CVI7Gtsn4Icn+XtMLjl4E7NitU"),
        ("  ssh-ed25519\t%s\n" % ED25519, "", "ssh-ed25519", "", "SHA256:MJRmTaWN1m+M7cr0/CVI7Gtsn4Icn+XtMLjl4E7NitU"),
        ("ssh-rsa %s a comment of words" % RSA_2048, "", "ssh-rsa", "a comment of words", "SHA256:oVwm7FpQ6/exDTFKWZXp9M9HgEt/+v0eKUwBveA7sJU"),
        ("ecdsa-sha2-nistp256 " + ECDSA, "", "ecdsa-sha2-nistp256", "", "SHA256:7uhLpEuv/0Y2rlw34lXXJiQY1duZgOkm1KMeY/WCvIs"),
        (
            'from="192.0.2.1",restrict ssh-ed25519 %s gonogo-drift' % ED25519,
            'from="192.0.2.1",restrict',
            "ssh-ed25519",
            "gonogo-drift",
            "SHA256:MJRmTaWN1m+M7cr0/CVI7Gtsn4Icn+XtMLjl4E7NitU",
        ),
        (
            'command="echo \\"ssh-rsa x\\"; exit",no-pty ssh-ed25519 %s c' % ED25519,
            'command="echo \\"ssh-rsa x\\"; exit",no-pty',
            "ssh-ed25519",
            "c",
            "SHA256:MJRmTaWN1m+M7cr0/CVI7Gtsn4Icn+XtMLjl4E7NitU",
        ),
    ],
)
def test_a_key_is_read_as_openssh_reads_it(line, options, kind, comment, fingerprint):
    key = parse_key(line)
    assert (key.options, key.kind, key.comment, key.fingerprint) == (options, kind, comment, fingerprint)
    assert parse_key(key.line) == key


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "not one line"),
        ("# ssh-ed25519 " + ED25519, "not one line"),
        ("ssh-ed25519 %s\nssh-ed25519 %s" % (ED25519, ED25519), "not one line"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "is a private key"),
        (ED25519, "no kind of key"),
        ("ada@laptop", "no kind of key"),
        ("~/.ssh/id_ed25519.pub", "no kind of key"),
        ("ssh-dss AAAAB3NzaC1kc3MAAACB old", "the kind ssh-dss, which is none of"),
        ("ssh-ed25519 AAAA", "damaged"),
        ("ssh-ed25519 " + ED25519[:-4], "damaged"),
        ("ssh-ed25519 %s*" % ED25519, "damaged"),
        ("ssh-ed25519 " + RSA_2048, "no key of the kind ssh-ed25519"),
        ("ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519").decode(), "no key of the kind"),
        ("ssh-rsa " + RSA_1024, "RSA key of 1024 bits"),
        ('from="192.0.2.1 ssh-ed25519 %s' % ED25519, "no kind of key"),
        ("\0\xff" * 8, "no kind of key"),
    ],
)
def test_what_is_no_key_is_refused_and_not_shown(line, said):
    with pytest.raises(KeyLineError) as raised:
        parse_key(line)
    assert said in str(raised.value)
    assert not line or line not in str(raised.value)


def test_comments_and_blank_lines_are_left_out():
    assert lines_of("\n# one\n  \n ssh-ed25519 A\nnonsense\r\n") == ["ssh-ed25519 A", "nonsense"]


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        ([".ssh/authorized_keys .ssh/authorized_keys2"], ["/home/ada/.ssh/authorized_keys", "/home/ada/.ssh/authorized_keys2"]),
        (["/etc/ssh/keys/%u %h/keys /k/%U/%%u"], ["/etc/ssh/keys/ada", "/home/ada/keys", "/k/1001/%u"]),
        (["none"], []),
        ([], []),
    ],
)
def test_the_files_of_an_account(patterns, found):
    assert paths(patterns, name="ada", user=1001, home="/home/ada") == found


def test_a_file_that_is_not_there_has_no_keys(tmp_path):
    assert read(str(tmp_path / "authorized_keys")) is None
    (tmp_path / "file").write_text("")
    assert read(str(tmp_path / "file" / "authorized_keys")) is None


def test_what_a_user_put_in_its_place_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "directory").mkdir()
    (tmp_path / "large").write_bytes(b"#" * (1024 * 1024 + 1))
    for name in ("pipe", "directory", "large"):
        with pytest.raises(KeyFileError):
            read(str(tmp_path / name))
    with pytest.raises(KeyFileError):
        read("/dev/zero")
