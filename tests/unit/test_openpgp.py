# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fingerprints of key files, as gpg prints them; what is no key file is refused and never has no fingerprint."""

from __future__ import annotations

import base64
import contextlib

import hypothesis
import hypothesis.strategies
import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils._openpgp import KeyFileError, fingerprints

DEBIAN = "debian-archive-keyring-2023.3-debian12-trixie-automatic"
TWO = "gpg-2.2.40-debian12-two-keys"
# As `gpg --show-keys` prints them; each has a subkey too.
KEYS = {
    DEBIAN: ["04B54C3CDCA79751B16BC6B5225629DF75B188BD"],
    TWO: ["35B8D81C67BC6DCC9E3409268AB278D7866092BE", "8D97D1E3344A64BC5FEA33CE20F34392A7044270"],
}


def armored(data, checksum="=AAAA"):
    body = base64.b64encode(data).decode()
    return "-----BEGIN PGP PUBLIC KEY BLOCK-----\nComment: x\n\n%s\n%s\n-----END PGP PUBLIC KEY BLOCK-----\n" % (body, checksum)


@pytest.mark.parametrize("name", KEYS)
def test_fingerprints_are_those_that_gpg_prints(captured, name):
    assert fingerprints(captured(name)) == KEYS[name]


def test_every_block_of_a_file_is_read(captured):
    assert fingerprints(captured(DEBIAN) + "and another one:\n\n" + captured(TWO)) == KEYS[DEBIAN] + KEYS[TWO]
    assert fingerprints(captured(DEBIAN).replace("\n", "\r\n")) == KEYS[DEBIAN]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x99\x00\x06\x04", "is cut off"),
        (b"\xc6\xff\x00\x00\x01\x00\x04", "is cut off"),
        (b"\xc6", "is cut off"),
        (b"\xc6\xe1\x04", "partial length"),
        (b"\x9b\x04", "without a length"),
        (b"\x04\x04", "no OpenPGP packet"),
        (b"\xc6\x01\x03", "version 3"),
        (b"\xc6\x00", "version 0"),
        (b"\xb4\x01x", "holds no public key"),
        (b"", "holds no public key"),
    ],
)
def test_what_cannot_be_read_is_refused(data, said):
    with pytest.raises(KeyFileError, match=said):
        fingerprints(armored(data))


@pytest.mark.parametrize("text", ["", "\0\0", "<html>502 Bad Gateway</html>", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n", "-----BEGIN PGP MESSAGE-----"])
def test_what_is_no_key_file_is_refused(text):
    with pytest.raises(KeyFileError, match="holds no block"):
        fingerprints(text)


def test_broken_base64_is_refused():
    with pytest.raises(KeyFileError, match="base64"):
        fingerprints("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n")


def test_a_key_of_version_6_has_a_fingerprint_of_its_own_kind():
    # RFC 9580, A.3: the version 6 certificate's primary key.
    body = bytes.fromhex("0663877fe31b00000020" + "f94da7bb48d60a61e567706a6587d0331999bb9d891a08242ead84543df895a3")
    assert fingerprints(armored(b"\xc6" + bytes([len(body)]) + body)) == ["CB186C4F0609A697E4D52DFA6C722B0C1F1E27C18A56708F6525EC27BAD9ACC9"]


@hypothesis.given(hypothesis.strategies.binary(max_size=200))
def test_garbage_is_refused_and_nothing_else_happens(data):
    with contextlib.suppress(KeyFileError):
        assert all(len(one) in (40, 64) for one in fingerprints(armored(data)))
