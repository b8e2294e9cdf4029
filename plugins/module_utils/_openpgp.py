# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fingerprints of OpenPGP keys, so that a key is known before it is trusted; no gpg is needed, on the controller or the host.

RFC 9580: armor in section 6.2, packets in 4.2, fingerprints in 5.5.4.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import typing as t

__all__ = ["KeyFileError", "fingerprints"]

_BLOCK = re.compile(
    r"^-----BEGIN PGP PUBLIC KEY BLOCK-----[ \t]*\r?\n(?:[^\r\n]+: [^\r\n]*\r?\n)*[ \t]*\r?\n"
    r"(?P<body>[A-Za-z0-9+/=\s]*?)-----END PGP PUBLIC KEY BLOCK-----",
    re.MULTILINE,
)
_PUBLIC_KEY = 6


class KeyFileError(ValueError):
    """The text holds no OpenPGP public keys that can be read; the message says what was found."""


def fingerprints(text: str) -> list[str]:
    """Fingerprints of the primary keys in an armored key file, in upper case, in their order; raises KeyFileError.

    Subkeys are not among them: whoever checks a signature trusts one only where its primary key has signed it.
    """
    blocks = list(_BLOCK.finditer(text))
    if not blocks:
        raise KeyFileError("holds no block BEGIN PGP PUBLIC KEY BLOCK")
    found = [_fingerprint(body) for block in blocks for tag, body in _packets(_bytes(block.group("body"))) if tag == _PUBLIC_KEY]
    if not found:
        raise KeyFileError("holds no public key")
    return found


def _bytes(body: str) -> bytes:
    """The packets of a block, without the checksum line that may end it."""
    lines = [line.strip() for line in body.splitlines() if line.strip()]
    if lines and re.fullmatch(r"=[A-Za-z0-9+/]{4}", lines[-1]):
        lines.pop()
    try:
        return base64.b64decode("".join(lines), validate=True)
    except binascii.Error as error:
        raise KeyFileError("is not valid base64: %s" % error) from None


def _packets(data: bytes) -> t.Iterator[tuple[int, bytes]]:
    """(tag, body) of each packet; partial lengths, which no key has, are refused."""
    at = 0
    while at < len(data):
        first = data[at]
        if not first & 0x80:
            raise KeyFileError("holds what is no OpenPGP packet")
        tag, at, length = _header(data, at)
        if at + length > len(data):
            raise KeyFileError("is cut off")
        yield tag, data[at : at + length]
        at += length


def _header(data: bytes, at: int) -> tuple[int, int, int]:
    """(tag, where the body begins, its length) of the packet that begins at `at`."""
    first = data[at]
    if not first & 0x40:
        # The old format: the last two bits say how many bytes the length has.
        if first & 3 == 3:
            raise KeyFileError("has a packet without a length")
        size = 1 << (first & 3)
        return (first >> 2) & 0x0F, at + 1 + size, _number(data, at + 1, size)
    begins = _number(data, at + 1, 1)
    if begins < 192:
        return first & 0x3F, at + 2, begins
    if begins < 224:
        return first & 0x3F, at + 3, ((begins - 192) << 8) + _number(data, at + 2, 1) + 192
    if begins < 255:
        raise KeyFileError("has a packet of partial length")
    return first & 0x3F, at + 6, _number(data, at + 2, 4)


def _number(data: bytes, at: int, size: int) -> int:
    if at + size > len(data):
        raise KeyFileError("is cut off")
    return int.from_bytes(data[at : at + size], "big")


def _fingerprint(body: bytes) -> str:
    version = body[0] if body else 0
    if version == 4:
        # SHA-1 is what version 4 is defined with; finding a second key for a given fingerprint is still out of reach.
        return hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body, usedforsecurity=False).hexdigest().upper()
    if version == 6:
        return hashlib.sha256(b"\x9b" + len(body).to_bytes(4, "big") + body).hexdigest().upper()
    raise KeyFileError("has a key of version %d; 4 and 6 are known" % version)
