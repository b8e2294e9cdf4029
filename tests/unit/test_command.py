"""Commands that probes run: their output, their status, their limit."""

from __future__ import annotations

import os
import sys
import time

import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils import _command
from ansible_collections.gonogo.preflight.plugins.module_utils._command import CommandHungError, CommandTooLongError, run

ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


def python(source: str, *, limit: float = 10.0) -> tuple[int, bytes, bytes]:
    return run(sys.executable, [sys.executable, "-c", source], environment=ENVIRONMENT, limit=limit)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("print('seen')", (0, b"seen\n", b"")),
        ("import sys; sys.stderr.write('bad'); sys.exit(3)", (3, b"", b"bad")),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", (-15, b"", b"")),
        ("import sys; print(repr(sys.stdin.read()))", (0, b"''\n", b"")),
        ("import os; print(sorted(os.environ)[0])", (0, b"LC_CTYPE\n", b"")),
    ],
    ids=["output", "status and error", "signal", "standard input is empty", "environment is what was given"],
)
def test_what_a_command_says_and_how_it_ends(source: str, expected: tuple[int, bytes, bytes]) -> None:
    assert python(source) == expected


def test_what_a_command_is_given_ends() -> None:
    source = "import sys; print(repr(sys.stdin.read()))"
    assert run(sys.executable, [sys.executable, "-c", source], environment=ENVIRONMENT, limit=10.0, given=b"status\nexit\n")[1] == b"'status\\nexit\\n'\n"


def test_more_than_a_pipe_holds_cannot_be_given() -> None:
    with pytest.raises(ValueError, match="more is given"):
        run("/bin/cat", ["cat"], environment=ENVIRONMENT, limit=10.0, given=b"x" * 5000)


def test_output_larger_than_a_pipe_holds_on_both_sides() -> None:
    status, out, err = python("import sys; sys.stdout.write('o' * 300000); sys.stderr.write('e' * 300000)")
    assert (status, len(out), len(err)) == (0, 300000, 300000)


def test_a_command_over_its_limit_is_killed() -> None:
    began = time.monotonic()
    with pytest.raises(CommandHungError):
        python("import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)", limit=0.5)
    assert time.monotonic() - began < 5
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_program_that_cannot_be_started_ends_with_126() -> None:
    assert run("/nonexistent", ["x"], environment={}, limit=5.0)[0] == 126


def test_no_descriptor_is_left_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _round in range(5):
        python("print(1)")
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_command_that_never_stops_writing_is_killed_at_its_limit(stream: str) -> None:
    began = time.monotonic()
    with pytest.raises((CommandHungError, CommandTooLongError)):
        python("import sys\nwhile True: sys.%s.write('y' * 999)" % stream, limit=0.5)
    assert time.monotonic() - began < 5


def test_a_command_that_says_too_much_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_command, "_LARGEST", 100000)
    with pytest.raises(CommandTooLongError):
        python("print('y' * 100001)")
    assert len(python("print('y' * 99999)")[1]) == 100000
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
