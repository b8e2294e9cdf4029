"""The fleet of the lab's own tests."""

from __future__ import annotations

from tests.lab.conftest import fleet

__all__ = ["fleet"]
