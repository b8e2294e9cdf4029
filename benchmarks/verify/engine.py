"""Runs on the host: the collection's own engine, without Ansible around it, over the items in the file given.

The file holds a list of {"item": as the engine takes it, "expect": what is expected}; ends with 0 when every item passes.
"""

from __future__ import annotations

import json
import sys

from gonogo_engine._engine import observe
from gonogo_engine._expect import judge


def main() -> int:
    with open(sys.argv[1], encoding="utf-8") as file:
        asked = json.load(file)
    answers = observe([one["item"] for one in asked])
    failed = [answer for answer, one in zip(answers, asked) if "value" not in answer or not judge(answer["value"], one["expect"])]
    print(json.dumps(failed))
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
