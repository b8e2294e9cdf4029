"""The registry at which the role deploy logs in is the one from which Docker pulls the image."""

from __future__ import annotations

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from tests.support import ROOT

DIGEST = "@sha256:" + "0a" * 32


@pytest.mark.parametrize(
    ("image", "registry"),
    [
        ("acme/app", "docker.io"),
        ("acme/team.one/app", "docker.io"),
        ("app", "docker.io"),
        ("app:1.2", "docker.io"),
        ("docker.io/acme/app", "docker.io"),
        ("registry.example.com/team/app", "registry.example.com"),
        ("registry:5000/app", "registry:5000"),
        ("localhost/app", "localhost"),
        ("localhosts/app", "docker.io"),
    ],
)
def test_a_first_part_that_is_no_host_is_a_user_of_docker_hub(image: str, registry: str) -> None:
    """https://pkg.go.dev/github.com/distribution/reference#ParseDockerRef: a host has a dot, a port, or is localhost."""
    loader = DataLoader()
    variables = loader.load_from_file(str(ROOT / "roles/deploy/vars/main.yml"), trusted_as_template=True)
    templar = Templar(loader=loader, variables={"deploy_image": image + DIGEST})
    assert templar.template(variables["__deploy_registry"]) == registry
