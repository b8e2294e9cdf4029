# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Public keys as authorized_keys has them (sshd(8), AUTHORIZED_KEYS FILE FORMAT), and where an account has them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import stat
import typing as t
from dataclasses import dataclass

__all__ = ["Key", "KeyFileError", "KeyLineError", "lines_of", "parse_key", "paths", "read"]

_KINDS = (
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "ssh-rsa",
)
# Below this, NIST SP 800-57 has RSA keys protect nothing any more.
_RSA_BITS = 2048
_LARGEST = 1024 * 1024

# Options may hold spaces between double quotes, and \" within these.
_OPTIONS = re.compile(r'((?:[^\s"]|"(?:[^"\\]|\\.)*")+)\s+(.*)')


class KeyLineError(ValueError):
    """A line is no public key that anybody should log in with; the message says why, and never shows the line."""


class KeyFileError(Exception):
    """A file with keys cannot be read."""


@dataclass(frozen=True)
class Key:
    """A public key.

    :ivar options: what stands before it, such as `from="192.0.2.1",restrict`, or "".
    :ivar data: the key in base64.
    """

    options: str
    kind: str
    data: str
    comment: str

    @property
    def fingerprint(self) -> str:
        """As ssh-keygen -l and sshd's log have it."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(base64.b64decode(self.data)).digest()).decode().rstrip("=")

    @property
    def line(self) -> str:
        return " ".join(word for word in (self.options, self.kind, self.data, self.comment) if word)


def parse_key(text: str) -> Key:
    """The public key of one line; raises KeyLineError for anything else, and for a key that is too weak."""
    line = text.strip()
    if "PRIVATE KEY" in line:
        raise KeyLineError("is a private key; it takes the public half, the file that ends with .pub")
    if not line or "\n" in line or line.startswith("#"):
        raise KeyLineError("is not one line of a public key")
    options = ""
    if line.split()[0] not in _KINDS:
        match = _OPTIONS.fullmatch(line)
        if not match or not match.group(2).split() or match.group(2).split()[0] not in _KINDS:
            words = [word for word in line.split() if re.fullmatch(r"(ssh|ecdsa|sk)-[a-z0-9@.-]+", word) and word not in _KINDS]
            raise KeyLineError("has the kind %s, which is none of %s" % (words[0], ", ".join(_KINDS)) if words else "has no kind of key, such as ssh-ed25519")
        options, line = match.group(1), match.group(2)
    kind, data, comment = [*line.split(None, 2), "", ""][:3]
    _check(kind, data)
    return Key(options, kind, data, comment)


def _check(kind: str, data: str) -> None:
    try:
        parts = _parts(base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError):
        raise KeyLineError("has damaged data; copy the whole line of the .pub file") from None
    if not parts or parts[0] != kind.encode() or len(parts) < 2:
        raise KeyLineError("has data that is no key of the kind %s; copy the whole line of the .pub file" % kind)
    if kind == "ssh-rsa":
        bits = int.from_bytes(parts[2], "big").bit_length() if len(parts) == 3 else 0
        if bits < _RSA_BITS:
            raise KeyLineError("is an RSA key of %d bits; it takes %d, or better ssh-ed25519" % (bits, _RSA_BITS))


def _parts(data: bytes) -> list[bytes]:
    """The strings of RFC 4251; raises ValueError where their lengths do not add up."""
    found = []
    while data:
        length = int.from_bytes(data[:4], "big")
        if len(data) < 4 + length:
            raise ValueError
        found.append(data[4 : 4 + length])
        data = data[4 + length :]
    return found


def lines_of(text: str) -> list[str]:
    """The lines that sshd looks at: neither blank nor comments."""
    return [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]


def paths(patterns: t.Sequence[str], *, name: str, user: int, home: str) -> list[str]:
    """The files of AuthorizedKeysFile for an account (sshd_config(5), TOKENS)."""
    values = {"%%": "%", "%h": home, "%u": name, "%U": str(user)}
    found = []
    for pattern in (word for value in patterns for word in value.split() if word != "none"):
        path = re.sub(r"%[%huU]", lambda match: values[match.group()], pattern)
        found.append(path if path.startswith("/") else os.path.join(home, path))
    return list(dict.fromkeys(found))


def read(path: str) -> t.Optional[str]:
    """Text of a file of keys, None where there is none; raises KeyFileError where it cannot be read.

    The file belongs to a user, who may have put anything there: a pipe is not waited for, a device not read.
    """
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise KeyFileError("%s is no file" % path)
            content = file.read(_LARGEST + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise KeyFileError("cannot read %s: %s" % (path, error.strerror)) from None
    if len(content) > _LARGEST:
        raise KeyFileError("%s is larger than 1 MiB" % path)
    return content.decode(errors="replace")
