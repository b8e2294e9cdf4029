# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be said of a release before any host is touched: its files are there, and its images are named by their digests."""

from __future__ import annotations

import os
import re
import typing as t

from ._compose import ComposeError, further_images
from ._undecided import undecided
from ._yaml import shown

__all__ = ["problems"]

_IMAGE = re.compile(r"([^@\s]+@)?sha256:[0-9a-f]{64}")


def problems(given: t.Mapping[str, t.Any]) -> list[str]:
    """A sentence for each variable of role deploy that no release can be made of."""
    return [*_image(given["deploy_image"], given.get("deploy_image_archive") or ""), *_compose_file(given["deploy_compose_file"])]


def _image(image: str, archive: str) -> list[str]:
    if not _IMAGE.fullmatch(image):
        found = "deploy_image is %r; it is registry.example.com/team/app@sha256:... or the id sha256:... of an archived image"
        return [found % image]
    if "@" in image:
        return []
    if not archive:
        return ["deploy_image is an id without a registry, and deploy_image_archive, which would hold the image, is not set"]
    return [] if os.path.isfile(archive) else ["deploy_image_archive is %s, which does not exist" % shown(archive)]


def _compose_file(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        left = undecided([path])
        if not left:
            further_images(text)
        return left
    except (OSError, UnicodeDecodeError) as error:
        return ["deploy_compose_file is %s, which cannot be read: %s" % (shown(path), getattr(error, "strerror", "it is not UTF-8 text"))]
    except ComposeError as error:
        return ["%s %s" % (shown(path), error)]
