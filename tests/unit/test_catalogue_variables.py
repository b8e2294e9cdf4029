# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What items ask with: every variable of a template is in docs/variables.md, with its default and its items, and the page has no
other; a query is one statement that reads."""

from __future__ import annotations

import pathlib
import re

import jinja2
import jinja2.meta
import jinja2.nodes
import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[2]
AREAS = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))["items"] for path in sorted((ROOT / "checklists" / "catalogue").glob("*.yml"))}
ITEMS = {item["id"]: item for items in AREAS.values() for item in items}

# Their `variable` is prose that explains each variable; elsewhere it is the one name to change first.
EXPLAINED = ("postgresql", "redis", "backup", "data", "models", "application")

# Ansible's own, and the engine's (docs/checklist.md).
GIVEN = {"ansible_user", "groups", "hostvars", "inventory_dir", "inventory_hostname", "lookup", "preflight_vantage", "query"}

# How the page writes a default that depends on another variable.
WRITTEN = {
    "ansible_user": "ansible_user",
    "deploy_directory": "DIRECTORY",
    "deploy_project": "PROJECT",
    "docker_address_pool": "{{ docker_address_pool }}",
    "inventory_dir": "INVENTORY",
    "inventory_hostname": "HOST",
    "preflight_address": "ADDRESS",
}

NONE = "none"
VAULTED = "keep it in a vaulted file"


def templates(value):
    """Every text in `value`, at any depth."""
    if isinstance(value, str):
        return [value]
    children = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for one in children for text in templates(one)]


def parsed(text):
    return jinja2.Environment(autoescape=False).parse(text)  # noqa: S701 - parsed, never rendered


def variables(value):
    """The variables of the templates in `value`."""
    environment = jinja2.Environment(autoescape=False)  # noqa: S701 - parsed, never rendered
    found = set()
    for tree in map(environment.parse, templates(value)):
        environment.filters.update((one.name, str) for one in tree.find_all(jinja2.nodes.Filter))
        found |= jinja2.meta.find_undeclared_variables(tree)
    return found


def evaluated(node):
    """The value of a default, with the words that the page has for other variables."""
    if isinstance(node, jinja2.nodes.Name):
        return WRITTEN[node.name]
    if isinstance(node, jinja2.nodes.List):
        return [evaluated(one) for one in node.items]
    if isinstance(node, jinja2.nodes.Concat):
        return "".join(str(evaluated(one)) for one in node.nodes)
    if isinstance(node, jinja2.nodes.Filter) and node.name == "default":
        return evaluated(node.node)
    if isinstance(node, jinja2.nodes.CondExpr):
        return evaluated(node.expr1)
    return node.as_const()


def label(node):
    """How the page names what a default is for: a variable, or one key of a variable."""
    if isinstance(node, jinja2.nodes.Name):
        return node.name
    if isinstance(node, jinja2.nodes.Getitem):
        inner = node.node.node if isinstance(node.node, jinja2.nodes.Filter) else node.node
        return "%s['%s']" % (label(inner), node.arg.as_const())
    return None


def uses(node, known=frozenset()):
    """(name, default) wherever a variable may be undefined; `known` are those that a condition found defined."""
    if isinstance(node, jinja2.nodes.Filter) and node.name == "default" and label(node.node):
        yield label(node.node), evaluated(node.args[0])
        if isinstance(node.node, jinja2.nodes.Getitem):
            yield from uses(node.node, known)
        yield from uses(node.args[0], known)
    elif isinstance(node, jinja2.nodes.Name):
        if node.name not in known:
            yield node.name, NONE
    elif isinstance(node, jinja2.nodes.CondExpr) and isinstance(node.test, jinja2.nodes.Test) and node.test.name == "defined":
        yield from uses(node.expr1, known | {node.test.node.name})
        yield from uses(node.expr2, known)
    else:
        for child in node.iter_child_nodes():
            yield from uses(child, known)


def keys(value):
    """The variables that templates ask for one key only, key and all."""
    nodes = (node for text in templates(value) for node in parsed(text).find_all(jinja2.nodes.Getitem))
    return {label(node) for node in nodes}


def secret(item):
    """The variable that the item's `secret` names, which is no template variable; "" without one."""
    text = item.get("with", {}).get("secret", "")
    if "{{" not in text:
        return text
    (name,) = {one.value for one in parsed(text).find_all(jinja2.nodes.Const) if one.value}
    return name


def asked(item):
    """Every name of the page that the item asks with."""
    return (variables(item.get("with", {})) | keys(item.get("with", {})) | {secret(item)}) - {""}


def rows():
    """{section: {name: (default, meaning, last cell)}} of the page's tables."""
    found = {}
    for section in re.split(r"^## ", (ROOT / "docs" / "variables.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        lines = [re.split(r" (?<!\\)\| ", line.strip("| ")) for line in section.splitlines() if line.startswith("|")][2:]
        assert {len(cells) for cells in lines} <= {4}, section.splitlines()[0]
        table = [(cells[0].strip("`"), tuple(cell.replace("\\|", "|") for cell in cells[1:])) for cells in lines]
        found[section.splitlines()[0]] = dict(table)
        assert len(found[section.splitlines()[0]]) == len(table)
    return found


PAGE = rows()
OF_ROLES = PAGE.pop("Variables of roles that items use too")
OWN = {name: row for table in PAGE.values() for name, row in table.items()}
ASKED = {name: asked(item) for name, item in ITEMS.items()}
USES = {}
for _item in ITEMS.values():
    for _key in ("with", "remedy"):
        for _text in templates(_item.get(_key, "")):
            for _name, _default in uses(parsed(_text)):
                # A remedy is read: a placeholder in capitals may stand there for what `with` has a default of its own for.
                if not (_key == "remedy" and str(_default).isupper()):
                    USES.setdefault(_name, []).append(_default)


def test_every_variable_of_the_catalogue_is_on_the_page_and_no_other():
    catalogue = set().union(*ASKED.values(), *(variables(item.get("remedy", "")) for item in ITEMS.values()))
    assert len(catalogue) > 100
    assert {*OWN, *OF_ROLES} == catalogue - GIVEN


def test_no_variable_is_on_the_page_twice():
    names = [name for table in PAGE.values() for name in table] + list(OF_ROLES)
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", [*OWN, *OF_ROLES])
def test_the_page_has_the_default_of_the_templates(name):
    defaults = USES.get(name, [NONE])
    assert all(one == defaults[0] for one in defaults), "its templates have several defaults"
    written = {**OWN, **OF_ROLES}[name][0]
    if defaults[0] == NONE:
        assert written == NONE
    else:
        assert re.fullmatch("`.+`", written)
        text = written[1:-1]
        assert (text if isinstance(defaults[0], str) else yaml.safe_load(text)) == defaults[0]


def test_what_the_role_deploy_writes_is_looked_for_where_it_writes_it():
    """Each path of a release begins with the directory of the releases, which a project may have elsewhere."""
    (own,) = (row for name, row in OF_ROLES.items() if name == "deploy_directory")
    assert own[0] == "`/opt/gonogo/PROJECT`"
    for name, item in ITEMS.items():
        for text in templates(item.get("with", {})):
            assert "/current" not in text or "deploy_directory" in variables(text), "%s: %s" % (name, text)


@pytest.mark.parametrize("name", OWN)
def test_the_page_names_the_items_that_ask_with_a_variable(name):
    assert re.findall("`([^`]+)`", OWN[name][2]) == [item for item in ITEMS if name in ASKED[item]]


@pytest.mark.parametrize("name", OF_ROLES)
def test_a_variable_of_a_role_is_one_with_the_default_that_items_assume(name):
    default, _meaning, role = OF_ROLES[name]
    specs = ROOT / "roles" / role.strip("`") / "meta" / "argument_specs.yml"
    options = yaml.safe_load(specs.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
    # A default that the role works out is not seen by items, which have the inventory's variables alone.
    own = str(options[name].get("default", "{{ }}"))
    assert default == (NONE if "lookup(" in own or own.startswith("{{") else "`%s`" % _as_written(own))


@pytest.mark.parametrize("name", OF_ROLES)
def test_the_role_itself_has_the_default_that_items_assume(name):
    default, _meaning, role = OF_ROLES[name]
    file = ROOT / "roles" / role.strip("`") / "defaults" / "main.yml"
    own = yaml.safe_load(file.read_text(encoding="utf-8")).get(name, NONE)
    if default == NONE:
        assert own == NONE or str(own).startswith("{{")
    else:
        # A template of one variable is written as the page writes that variable.
        text = re.sub(r"{{ (\w+) }}", lambda match: WRITTEN[match[1]], str(own))
        assert default == "`%s`" % text


def _as_written(default):
    return re.sub(r"<(\w+)>", lambda name: WRITTEN[name[1]], str(default))


@pytest.mark.parametrize(
    "name", [name for name, item in ITEMS.items() if "app_env_file" in str(item.get("with")) and "app_env_file" in item.get("variable", "")]
)
def test_the_settings_file_that_an_item_names_is_the_one_that_it_reads(name):
    """The file of the release that serves, which there is once a release does."""
    item = ITEMS[name]
    assert "'/current/app.env'" in str(item["with"]) and item["stage"] == "candidate"
    assert "/app.env" not in item["variable"] or "/opt/gonogo/PROJECT/current/app.env" in item["variable"]


def test_credentials_are_those_of_the_items_and_are_vaulted():
    credentials = {secret(item) for item in ITEMS.values()} - {""}
    assert credentials
    assert {name for name, row in PAGE["Credentials"].items() if VAULTED in row[1]} == credentials


@pytest.mark.parametrize("name", [item["id"] for area in EXPLAINED for item in AREAS[area] if ASKED[item["id"]] - GIVEN - set(OF_ROLES)])
def test_an_item_explains_its_variables(name):
    said = ITEMS[name].get("variable", "")
    other = re.match(r"as for ([a-z0-9._]+)", said)
    words = set(re.findall(r"[a-z0-9_]+", "%s; %s" % (said, ITEMS[other[1]]["variable"] if other else "")))
    assert ASKED[name] - GIVEN - set(OF_ROLES) - {"prometheus_url"} <= words


@pytest.mark.parametrize("name", [name for name, item in ITEMS.items() if item.get("probe") == "sql" and not item["with"]["query"].startswith("{{")])
def test_a_query_is_one_statement_that_reads(name):
    query = ITEMS[name]["with"]["query"]
    assert query.startswith("SELECT ")
    # Half of the drivers take % for a place to fill in; a semicolon begins a second statement.
    assert not set(re.sub(r"\{\{.*?\}\}", "", query)) & set(";%")


@pytest.mark.parametrize("name", [name for name, item in ITEMS.items() if "question" not in item])
def test_an_item_says_who_mends_it(name):
    item = ITEMS[name]
    if item["class"] == "provision":
        assert item["fixed_by"] == "none yet" or (ROOT / "roles" / item["fixed_by"]).is_dir()
    assert item.get("remedy") or item.get("fixed_by", "none yet") != "none yet"
