"""What a release is made of: images by digest, files that are there."""

from __future__ import annotations

import pathlib

import pytest

from ansible_collections.gonogo.preflight.plugins.plugin_utils._compose import ComposeError, further_images
from ansible_collections.gonogo.preflight.plugins.plugin_utils._deployable import problems

DIGEST = "sha256:" + "0a" * 32
REDIS = "redis@" + DIGEST


def test_the_images_beside_that_of_the_release_are_named_once() -> None:
    text = "services:\n  api: {image: '${APP_IMAGE:?set it}'}\n  worker: {image: $APP_IMAGE}\n  a: {image: %s}\n  b: {image: %s}\n" % (REDIS, REDIS)
    assert further_images(text) == [REDIS]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("services: [", "not valid YAML"),
        ("", "no services"),
        ("services: {}", "no services"),
        ("services: [api]", "no services"),
        ("services: {api: {command: serve}}", "service api has no `image`"),
        ("services: {api: {build: .}}", "service api has `build`"),
        ("services: {api: {image: $APP_IMAGE, pull_policy: build, build: {context: .}}}", "service api has `build`"),
        ("services: {api: {image: $APP_IMAGE, pull_policy: build}}", "service api has `pull_policy: build`"),
        ("services: {api: {image: $APP_IMAGE}, b: {image: '%s', build: .}}" % REDIS, "service b has `build`"),
        ("services: {api: {image: $APP_IMAGE, extends: {file: other.yml, service: x}}}", "service api has `extends`"),
        ("x-base: &base {build: .}\nservices: {api: {<<: *base, image: $APP_IMAGE}}", "service api has `build`"),
        (
            "include: [more.yml, {path: b.yml}]\nservices: {api: {image: $APP_IMAGE}}",
            "has `include`, whose services nobody has checked; write these services, those of more.yml, b.yml, here",
        ),
        ("include:\nservices: {api: {image: $APP_IMAGE}}", "has `include`"),
        ("services: {api: text}", "service api has no `image`"),
        ("services: {api: {image: 'nginx:1.27'}}", "service api has image 'nginx:1.27'"),
        ("services: {api: {image: '${OTHER}@%s'}}" % DIGEST, "service api has image"),
        ("services: {api: {image: '$APP_IMAGES'}}", "service api has image"),
        ("services: {api: {image: 'nginx@sha256:12'}}", "service api has image"),
        ("services: {cache: {image: '%s'}}" % REDIS, "no service with `image: ${APP_IMAGE}`"),
    ],
)
def test_a_compose_file_that_cannot_be_pinned_is_refused(text: str, words: str) -> None:
    with pytest.raises(ComposeError) as refused:
        further_images(text)
    assert words in str(refused.value)


@pytest.fixture
def files(tmp_path: pathlib.Path) -> dict[str, str]:
    (tmp_path / "compose.yml").write_text("services: {api: {image: '${APP_IMAGE}'}}\n")
    (tmp_path / "image.tar").touch()
    return {"deploy_compose_file": str(tmp_path / "compose.yml"), "deploy_image_archive": str(tmp_path / "image.tar"), "deploy_image": DIGEST}


def test_an_image_comes_from_its_archive_or_from_a_registry(files: dict[str, str]) -> None:
    assert problems(files) == []
    assert problems(dict(files, deploy_image="127.0.0.1:5000/app@" + DIGEST, deploy_image_archive="")) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"deploy_image": "registry.example.com/app:latest"}, "deploy_image is 'registry.example.com/app:latest'"),
        ({"deploy_image": "sha256:12"}, "deploy_image is 'sha256:12'"),
        ({"deploy_image_archive": ""}, "deploy_image_archive, which would hold the image, is not set"),
        ({"deploy_image_archive": "/nowhere/image.tar"}, "/nowhere/image.tar, which does not exist"),
        ({"deploy_compose_file": "/nowhere/compose.yml"}, "/nowhere/compose.yml, which cannot be read: No such file"),
    ],
)
def test_what_no_release_can_be_made_of_is_named(files: dict[str, str], changes: dict[str, str], words: str) -> None:
    (problem,) = problems(dict(files, **changes))
    assert words in problem


@pytest.mark.parametrize(("text", "words"), [("services: {api: {image: UNDECIDED}}", "image of api is undecided"), ("services: {}", "no services")])
def test_a_compose_file_of_no_use_is_named(files: dict[str, str], text: str, words: str) -> None:
    pathlib.Path(files["deploy_compose_file"]).write_text(text)
    (problem,) = problems(files)
    assert words in problem and "compose.yml" in problem
