# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python3 -m app`: serve on port 8000 until SIGTERM, then finish the requests that are running."""

from __future__ import annotations

import os
import sys

import uvicorn

from . import logs
from .main import create_app
from .settings import Settings, SettingsError
from .stores import Cache, Notes


def main() -> None:
    logs.configure()
    try:
        settings = Settings.from_environment(os.environ)
    except SettingsError as error:
        sys.exit(f"cannot start: {error}")
    uvicorn.run(
        create_app(Notes(settings.database_url), Cache(settings.redis_url), version=settings.version),
        host="0.0.0.0",
        port=8000,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=8,
    )


if __name__ == "__main__":
    main()
