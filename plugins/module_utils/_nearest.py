# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The word that a writer may have meant. Pure: no I/O."""

from __future__ import annotations

import difflib
import typing as t

__all__ = ["nearest"]


def nearest(word: t.Any, known: t.Iterable[str]) -> str:
    """What the writer of `word` may have meant, as the end of an error message."""
    words = sorted(known)
    close = difflib.get_close_matches(str(word), words, n=1)
    return "did you mean %r?" % close[0] if close else "known: %s" % ", ".join(words)
