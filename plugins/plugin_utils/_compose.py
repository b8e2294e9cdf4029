# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images of a Compose file: that of the release is APP_IMAGE, every other one is named by its digest."""

from __future__ import annotations

import re
import typing as t

import yaml

__all__ = ["ComposeError", "further_images"]

_RELEASE = re.compile(r"\$\{?APP_IMAGE\b")
# What lets a service run an image, or a file, that the Compose file does not name by its digest; and what to write instead.
_UNPINNED = {
    "build": "build the image beforehand and name it by its digest",
    "extends": "write the settings of that service here, so that its image is seen",
}
_PINNED = re.compile(r"[^@\s$]+@sha256:[0-9a-f]{64}")


class ComposeError(ValueError):
    """The Compose file cannot be deployed; the message names the service, what was found and what would be right."""


def further_images(text: str) -> list[str]:
    """The images that the file names itself, beside that of the release, each once; raises ComposeError."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ComposeError("is not valid YAML: %s" % " ".join(str(error).split())) from None
    if isinstance(document, dict) and "include" in document:
        raise ComposeError("has `include`, whose services nobody has checked; write these services, %s, here" % _included(document["include"]))
    services = document.get("services") if isinstance(document, dict) else None
    if not isinstance(services, dict) or not services:
        raise ComposeError("has no services")
    images = {name: _image(name, service) for name, service in services.items()}
    if not any(_RELEASE.match(image) for image in images.values()):
        raise ComposeError("has no service with `image: ${APP_IMAGE}`, so that deploy_image would be used nowhere")
    return list(dict.fromkeys(image for image in images.values() if not _RELEASE.match(image)))


def _included(include: t.Any) -> str:
    """The paths of an `include`, for people."""
    entries = include if isinstance(include, list) else [include]
    return "those of %s" % ", ".join(str(entry.get("path") if isinstance(entry, dict) else entry) for entry in entries)


def _image(name: str, service: t.Any) -> str:
    for key in filter(service.__contains__, _UNPINNED) if isinstance(service, dict) else ():
        raise ComposeError("service %s has `%s`, which runs what no digest pins; %s" % (name, key, _UNPINNED[key]))
    if isinstance(service, dict) and service.get("pull_policy") == "build":
        raise ComposeError("service %s has `pull_policy: build`; remove it, and name the image by its digest" % name)
    image = str(service.get("image", "")) if isinstance(service, dict) else ""
    if _RELEASE.match(image) or _PINNED.fullmatch(image):
        return image
    found = "has no `image`" if not image else "has image %r" % image
    raise ComposeError("service %s %s; it is ${APP_IMAGE}, or another image by its digest: name@sha256:..." % (name, found))
