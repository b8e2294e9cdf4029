# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host says of a secret so that the controller can tell whether another host has the same one. Pure.

It is HMAC-SHA256 (RFC 2104) of the value, under a key of this run and item, XORed with random bits that are used this
once. Without those bits, which only the asking process and the host ever have, it is noise: it may be printed and logged.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import typing as t

__all__ = ["challenge", "key_of", "opened", "sealed"]

_SIZE = 32
_ANSWER = re.compile(r"[0-9a-f]{64}")
_CHALLENGE = re.compile(r"[0-9a-f]{128}")


def challenge(run_key: bytes, item: str) -> str:
    """What a host is given, once: the key of `item` in this run, and the bits that seal the answer. Both are secret."""
    return hmac.new(run_key, item.encode(), hashlib.sha256).hexdigest() + secrets.token_hex(_SIZE)


def key_of(given: str) -> str:
    """By what fingerprints that can be compared are known: equal for challenges of the same run and item; says nothing of the key."""
    return hmac.new(_parts(given)[0], b"which key", hashlib.sha256).hexdigest()[:16]


def sealed(value: str, given: str) -> str:
    """The answer to the challenge `given` of who has `value`; raises ValueError for what is no challenge."""
    key, pad = _parts(given)
    return _xor(hmac.new(key, value.encode(), hashlib.sha256).digest(), pad)


def opened(answer: t.Any, given: str) -> str:
    """The fingerprint in an answer to the challenge `given`; raises ValueError, which quotes nothing, for what is no such answer."""
    if not isinstance(answer, str) or not _ANSWER.fullmatch(answer):
        raise ValueError("sent what is no fingerprint")
    return _xor(bytes.fromhex(answer), _parts(given)[1])


def _parts(given: str) -> tuple[bytes, bytes]:
    if not _CHALLENGE.fullmatch(given):
        raise ValueError("no challenge")
    return bytes.fromhex(given[: 2 * _SIZE]), bytes.fromhex(given[2 * _SIZE :])


def _xor(one: bytes, other: bytes) -> str:
    return bytes(left ^ right for left, right in zip(one, other)).hex()
