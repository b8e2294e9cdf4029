# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python3 -m app.healthcheck`: the container's health check. Its output, which Docker keeps, says what is wrong."""

from __future__ import annotations

import sys
from http.client import HTTPConnection, HTTPException


def main() -> int:
    connection = HTTPConnection("127.0.0.1", 8000, timeout=4)
    try:
        connection.request("GET", "/api/v1/health")
        response = connection.getresponse()
        print(response.read().decode(errors="replace"))
    except (OSError, HTTPException) as error:
        print(f"the application does not answer: {type(error).__name__}")
        return 1
    return 0 if response.status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
