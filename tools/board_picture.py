"""Draw the board that a run printed as docs/board.svg: `ansible-playbook ... | python3 tools/board_picture.py`."""

from __future__ import annotations

import html
import pathlib
import re
import sys

LINE, COLUMN, MARGIN = 18, 8.4, 16
COLOURS = (
    (" GO ", "#7ee787"),
    (" NO-GO ", "#ff7b72"),
    (" FAIL ", "#ff7b72"),
    (" MISSING ", "#ff7b72"),
    (" ERROR ", "#ff7b72"),
    ("=", "#6e7681"),
    (" reports", "#6e7681"),
)
MEND, MENDS = "#79c0ff", re.compile(r" {11}mend|.*\\$| {23}")
OUTPUT = pathlib.Path(__file__).resolve().parents[1] / "docs" / "board.svg"


def board(text: str) -> list[str]:
    """The last board in the output of a run."""
    lines = text.splitlines()
    rules = [number for number, line in enumerate(lines) if line.startswith("====")]
    if len(rules) < 3:
        sys.exit("the input holds no board; pipe the output of ansible-playbook into this")
    return lines[rules[-3] :]


def row(number: int, line: str) -> str:
    colour = next((colour for start, colour in COLOURS if line.startswith(start)), MEND if MENDS.match(line) else "#e6edf3")
    y = MARGIN + LINE * (number + 1)
    return f'<text x="{MARGIN}" y="{y}" fill="{colour}" xml:space="preserve">{html.escape(line)}</text>'


def picture(lines: list[str]) -> str:
    width = round(max(map(len, lines)) * COLUMN + 2 * MARGIN)
    height = LINE * (len(lines) + 1) + 2 * MARGIN
    rows = "\n".join(row(number, line) for number, line in enumerate(lines))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="ui-monospace, Menlo, Consolas, monospace" font-size="14">\n'
        f'<rect width="100%" height="100%" rx="8" fill="#0d1117"/>\n{rows}\n</svg>\n'
    )


if __name__ == "__main__":
    OUTPUT.write_text(picture(board(sys.stdin.read())))
