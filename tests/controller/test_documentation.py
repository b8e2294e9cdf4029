"""Documentation and interfaces agree with the code."""

from __future__ import annotations

import ast
import json
import pathlib
import re
import subprocess

import pytest
import yaml

from tests.support import ROOT

CALL = re.compile(r"docker_compose_v2|docker_stack|compose\b.*\b(up|start|run)\b")
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
ACTIONS = sorted(path.stem for path in (ROOT / "plugins" / "action").glob("[!_]*.py"))
PLUGINS = {
    kind: sorted(path.stem for path in (ROOT / "plugins" / directory).glob("[!_]*.py"))
    for kind, directory in {"module": "modules", "filter": "filter", "lookup": "lookup", "callback": "callback"}.items()
}


@pytest.mark.parametrize("kind", PLUGINS)
def test_every_plugin_is_documented(kind: str) -> None:
    names = ["gonogo.preflight.%s" % name for name in PLUGINS[kind]]
    assert names
    done = subprocess.run(["ansible-doc", "--json", "-t", kind, *names], cwd=ROOT, capture_output=True, text=True, check=True)
    documents = json.loads(done.stdout)
    for name in names:
        assert documents[name]["doc"]["description"], name


@pytest.mark.parametrize("role", ROLES)
def test_every_role_is_documented(role: str) -> None:
    name = "gonogo.preflight.%s" % role
    done = subprocess.run(["ansible-doc", "--json", "-t", "role", name], cwd=ROOT, capture_output=True, text=True, check=True)
    document = json.loads(done.stdout)[name]["entry_points"]["main"]
    assert document["short_description"] and document["description"]
    for option, spec in document.get("options", {}).items():
        assert spec["description"] and spec["type"], option


@pytest.mark.parametrize("action", ACTIONS)
def test_an_actions_options_are_those_that_are_documented(action: str) -> None:
    name = "gonogo.preflight.%s" % action
    done = subprocess.run(["ansible-doc", "--json", "-t", "module", name], cwd=ROOT, capture_output=True, text=True, check=True)
    documented = json.loads(done.stdout)[name]["doc"].get("options", {})
    taken = _options(action)
    facts = {key: {one: spec.get(one) for one in ("type", "choices", "default")} for key, spec in documented.items()}
    assert {key: {one: spec.get(one) for one in ("type", "choices", "default")} for key, spec in taken.items()} == facts


def _options(action: str) -> dict[str, dict[str, object]]:
    tree = ast.parse((ROOT / "plugins" / "action" / (action + ".py")).read_text())
    assigned = (node for node in ast.walk(tree) if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "OPTIONS")
    return next((ast.literal_eval(node.value) for node in assigned), {})


def test_every_action_has_its_documentation_module() -> None:
    assert set(ACTIONS) <= set(PLUGINS["module"])


@pytest.mark.parametrize("role", ROLES)
def test_a_roles_options_are_its_defaults_and_what_it_requires(role: str) -> None:
    specs = yaml.safe_load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    defaults = _defaults(role)
    required = {name for name, spec in specs.items() if spec.get("required")}
    assert set(specs) - required <= set(defaults) | required
    assert set(defaults) <= set(specs), "a default without documentation"
    assert not required & set(defaults), "a required option has no default"


def _defaults(role: str) -> dict[str, object]:
    path = ROOT / "roles" / role / "defaults" / "main.yml"
    return yaml.safe_load(path.read_text()) or {} if path.exists() else {}


def test_only_the_release_calls_compose() -> None:
    callers = [
        path.relative_to(ROOT)
        for directory in ("plugins", "roles", "playbooks")
        for path in (ROOT / directory).rglob("*")
        if path.is_file() and path.suffix in (".py", ".yml", ".j2") and CALL.search(path.read_text())
    ]
    assert callers == [pathlib.Path("plugins/plugin_utils/_release.py")]
    users = [path.name for path in (ROOT / "plugins").rglob("*.py") if "_release import" in path.read_text()]
    assert sorted(users) == ["confirm.py", "release.py"]


HEADINGS = re.findall(r"^### (`.+`)$", (ROOT / "docs" / "troubleshooting.md").read_text(), re.MULTILINE)
MESSAGES = [message for heading in HEADINGS for message in re.findall(r"`([^`]+)`", heading)]
# What other programs say, and what a probe puts together.
FOREIGN = {"Unable to start service nginx", "failed to validate", "was answered with status 503", "answered 2 times in one run"}


@pytest.mark.parametrize("message", MESSAGES)
def test_every_message_of_the_troubleshooting_page_exists(message: str) -> None:
    sources = [path.read_text() for directory in ("plugins", "roles") for path in (ROOT / directory).rglob("*") if path.suffix in (".py", ".yml")]
    assert message in FOREIGN or any(message in " ".join(source.split()) for source in sources)
