# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the reference application that need no framework: health, settings, log."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples" / "app"))

from app import health, logs, settings  # noqa: E402

SECRET = "correct-horse-battery"


async def answers():
    return 1


def ask(limit=5.0, **probes):
    return asyncio.run(health.ask(probes, limit=limit))


class TestAsk:
    def test_every_probe_gets_an_answer(self):
        async def refused():
            raise ConnectionRefusedError(f"connect to postgresql://notes:{SECRET}@db failed")

        assert ask(postgresql=refused, redis=answers) == {"postgresql": "connection refused", "redis": "ok"}

    def test_probes_run_side_by_side_within_the_limit(self):
        async def silent():
            await asyncio.sleep(60)

        started = time.monotonic()
        assert ask(limit=0.2, postgresql=silent, redis=silent, other=answers) == {
            "postgresql": "no answer within 0.2 s",
            "redis": "no answer within 0.2 s",
            "other": "ok",
        }
        assert time.monotonic() - started < 30

    def test_a_probe_that_will_not_be_cancelled_costs_no_time(self):
        async def stubborn():
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                await asyncio.sleep(60)

        async def timed():
            started = time.monotonic()
            found = await health.ask({"redis": stubborn}, limit=0.1)
            return found, time.monotonic() - started

        found, seconds = asyncio.run(timed())
        assert found == {"redis": "no answer within 0.1 s"}
        assert seconds < 30

    def test_an_unknown_failure_is_named_by_its_type_alone(self):
        class StrangeError(Exception):
            pass

        async def strange():
            raise StrangeError(SECRET)

        assert ask(redis=strange) == {"redis": "error (StrangeError)"}


class TestSettings:
    GOOD = {
        "DATABASE_URL": f"postgresql://notes:{SECRET}@db:5432/notes",
        "REDIS_URL": f"redis://:{SECRET}@cache:6379/0",
        "APP_VERSION": "1.2.3",
    }

    def test_are_read_and_never_shown(self):
        found = settings.Settings.from_environment(self.GOOD)
        assert (found.database_url, found.redis_url) == (self.GOOD["DATABASE_URL"], self.GOOD["REDIS_URL"])
        assert repr(found) == "Settings(version='1.2.3')"

    @pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL"])
    @pytest.mark.parametrize(
        "value",
        [
            None,
            "",
            f"http://user:{SECRET}@host/x",
            "SCHEME://host/x",
            "SCHEME://user@host/x",
            f"SCHEME://user:{SECRET}@/x",
            f"SCHEME://user:{SECRET}/part@host/x",
            f"SCHEME://user:{SECRET}@host:{SECRET}/x",
            f"SCHEME://user:{SECRET}@[host/x",
        ],
    )
    def test_an_unusable_url_is_named_without_its_value(self, name, value):
        environ = dict(self.GOOD)
        del environ[name]
        if value is not None:
            environ[name] = value.replace("SCHEME", self.GOOD[name].partition(":")[0])
        with pytest.raises(settings.SettingsError, match=f"{name} is not .*must look like") as caught:
            settings.Settings.from_environment(environ)
        assert SECRET not in str(caught.value)


class TestLog:
    def line(self, message, **options):
        record = logging.LogRecord("app", logging.WARNING, __file__, 1, message, None, options.pop("exc_info", None))
        record.__dict__.update(options)
        return json.loads(logs.JsonFormatter().format(record))

    def test_is_one_object_with_its_fields(self):
        line = self.line("two\nlines", fields={"redis": "ok"})
        assert line.pop("time").endswith("+00:00")
        assert line == {"level": "warning", "logger": "app", "message": "two\nlines", "redis": "ok"}

    def test_tells_type_and_place_of_an_exception_but_not_its_text(self):
        line = {}
        try:
            raise RuntimeError(SECRET)
        except RuntimeError:
            line = self.line("failed", exc_info=sys.exc_info())
        assert line["error"] == "RuntimeError"
        assert Path(__file__).name in line["at"]
        assert SECRET not in json.dumps(line)
