# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the application finds its stores: two URLs in the environment, which are never printed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit


class SettingsError(ValueError):
    """A setting is missing or unusable. The text names the variable, never its value."""


@dataclass(frozen=True)
class Settings:
    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    version: str

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        return cls(
            database_url=_authenticated_url(environ, "DATABASE_URL", ("postgresql", "postgres"), "postgresql://user:password@host:5432/database"),
            redis_url=_authenticated_url(environ, "REDIS_URL", ("redis", "rediss"), "redis://:password@host:6379/0"),
            version=environ.get("APP_VERSION", "unknown"),
        )


def _authenticated_url(environ: Mapping[str, str], name: str, schemes: tuple[str, ...], shape: str) -> str:
    url = environ.get(name, "")
    if not url:
        raise SettingsError(f"{name} is not set; it must look like {shape}")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in schemes and bool(parts.hostname) and bool(parts.password) and parts.port != 0
    except ValueError:  # its text quotes the URL, so it must not be chained
        usable = False
    if not usable:
        raise SettingsError(f"{name} is not a usable URL with a password; it must look like {shape}, with special characters of the password percent-encoded")
    return url
