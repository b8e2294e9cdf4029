# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What items make of answers that look right and are not: a fraction for percent, a link, a timer that is off, a certificate of yesterday."""

from __future__ import annotations

import getpass
import pathlib
import re
import socket

import jinja2
import pytest
import yaml

from ansible_collections.gonogo.preflight.plugins.module_utils import _expect
from ansible_collections.gonogo.preflight.plugins.module_utils._probes import PROBES
from ansible_collections.gonogo.preflight.plugins.module_utils._probes._base import ProbeError
from ansible_collections.gonogo.preflight.plugins.plugin_utils._catalogue import COLLECTION, load_catalogue

CATALOGUE = load_catalogue([str(pathlib.Path(COLLECTION) / "checklists")])

# Item, what meets its expectation, what does not.
OUTCOMES = [
    ("backup.integrity", [0, 8 * 86400], [9 * 86400]),
    ("backup.pitr", [0, 3600], [-1, 3601, 30 * 86400]),
    ("backup.schedule", [["*-*-* 03:00:00"], ["*-*-* 03:00:00 UTC"]], [[], ["*-*-* 15:00:00"], ["*-*-* 03:00:00", "*-*-* 15:00:00"]]),
    ("backup.weekly_full", [8 * 86400], [9 * 86400]),
    ("comp.audit_trail", [0], [1]),
    ("env.file.placeholders", [[]], [["A", "B"]]),
    ("infra.disk.capacity", [2.0e12, 2.0e12 * 0.98], [1.92e12, 1.8e12]),
    (
        "infra.gpu.model",
        [
            "NVIDIA RTX PRO 6000 Blackwell Server Edition",
            "NVIDIA RTX PRO 6000 Blackwell Workstation Edition",
            "NVIDIA T400, NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition",
        ],
        ["", "NVIDIA RTX 6000 Ada Generation", "NVIDIA RTX PRO 5000 Blackwell", "NVIDIA RTX PRO 6000D", "Quadro RTX 6000"],
    ),
    ("ml.drawdown", [12.5, 14.9, "1%"], [0.35, 0.125, 15, 35]),
    ("ml.data_days", [60, 89], [59]),
    ("ml.data_days.recommended", [90], [60, 89]),
    ("ml.perms", [0], [1]),
    ("ml.files", [1], [0]),
    ("proxy.nginx", ["nginx"], ["", "apache2", "docker-proxy", "apache2, nginx"]),
    ("tls.cert.days", [14, 89], [13, 0, -1]),
    (
        "tls.hsts",
        ["max-age=31536000", "Max-Age=63072000; includeSubDomains", "includeSubDomains; max-age=31536000", 'max-age="31536000"'],
        ["", "max-age=1", "max-age=0", "max-age=86400", "max-age=0, max-age=31536000", "includeSubDomains"],
    ),
]


@pytest.mark.parametrize(("name", "passing", "failing"), OUTCOMES, ids=[name for name, _passing, _failing in OUTCOMES])
def test_what_passes_and_what_does_not(name, passing, failing):
    expect = CATALOGUE[name].expect
    assert [value for value in passing if not _expect.judge(value, expect)] == []
    assert [value for value in failing if _expect.judge(value, expect)] == []


def filled(value, **variables):
    """Arguments with their templates filled in, as Ansible does it."""
    if isinstance(value, list):
        return [filled(one, **variables) for one in value]
    if isinstance(value, dict):
        return {key: filled(one, **variables) for key, one in value.items()}
    if not isinstance(value, str):
        return value
    environment = jinja2.Environment(autoescape=False, undefined=jinja2.StrictUndefined)  # noqa: S701 - it becomes no page
    return environment.from_string(value).render(variables)


def seen(name, **variables):
    """What the item's probe observes on this machine."""
    item = CATALOGUE[name]
    return PROBES[item.probe]({}).observe(filled(dict(item.arguments), **variables)).value


@pytest.mark.parametrize("name", ["ml.drawdown", "ml.update_rule"])
def test_a_figure_of_a_model_says_that_it_is_in_percent(name):
    assert re.search(r"default\('\w+_percent'\)", CATALOGUE[name].arguments["key"])


def test_the_models_behind_a_link_are_looked_at(tmp_path):
    real, link = tmp_path / "real", tmp_path / "models"
    real.mkdir(mode=0o755)
    link.symlink_to(real)
    known = {"app_models_directory": str(link), "app_models_owner": getpass.getuser()}
    assert (seen("ml.perms", **known), seen("ml.files", **known)) == (0, 0)
    model = real / "model.pkl"
    model.write_bytes(b"")
    model.chmod(0o644)
    assert (seen("ml.perms", **known), seen("ml.files", **known)) == (0, 0)
    model.write_bytes(b"weights")
    assert (seen("ml.perms", **known), seen("ml.files", **known)) == (0, 1)
    model.chmod(0o777)
    assert seen("ml.perms", **known) == 1
    (real / "current").symlink_to(tmp_path / "elsewhere.pkl")
    model.chmod(0o644)
    assert seen("ml.perms", **known) == 0
    (tmp_path / "elsewhere.pkl").write_bytes(b"weights")
    (tmp_path / "elsewhere.pkl").chmod(0o666)
    assert seen("ml.perms", **known) == 1


def test_what_the_way_in_is_asked():
    assert CATALOGUE["tls.redirect"].arguments["permanent"] is True
    assert CATALOGUE["tls.cert.days"].arguments["fact"] == "certificate_days"
    assert filled(CATALOGUE["tls.cert.managed"].arguments["path"], app_domain="a.example") == "/etc/letsencrypt/renewal/a.example.conf"
    assert CATALOGUE["proxy.nginx"].arguments == {"fact": "listening", "port": 80}
    assert (CATALOGUE["proxy.reachable"].probe, CATALOGUE["proxy.reachable"].looks_from) == ("tcp", "outside")


@pytest.fixture
def port():
    """A port of this machine that answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed():
    """A port of this machine that refuses: bound, so that nobody else takes it."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def looked(name, **variables):
    """Whether the item is met by what its probe sees of this machine."""
    item = CATALOGUE[name]
    arguments = filled(dict(item.arguments), preflight_address="127.0.0.1", **variables)
    value = PROBES[item.probe]({}).observe({**arguments, "declared": yaml.safe_load(arguments["declared"])}).value
    return _expect.judge(value, item.expect)


def test_where_ssh_is_looked_for_from_outside():
    def threshold(_plugin, item):
        return {"fw.ssh.only22": [2222]}[item]

    for name in ("fw.ssh.reachable", "db.private.network"):
        arguments = filled(dict(CATALOGUE[name].arguments), preflight_address="192.0.2.1", lookup=threshold)
        assert arguments["declared"] == "[2222]", name
        assert filled(dict(CATALOGUE[name].arguments), preflight_address="192.0.2.1", ssh_ports=[22, 2222])["declared"] == "[22, 2222]", name
    assert filled(CATALOGUE["fw.ssh.reachable"].arguments["ports"], ssh_ports=[22, 2222]) == "22,2222"


def test_ssh_that_has_moved_is_reachable(port, closed):
    assert looked("fw.ssh.reachable", ssh_ports=[port])
    with pytest.raises(ProbeError, match="none of its declared ports"):
        looked("fw.ssh.reachable", ssh_ports=[closed])


def test_a_database_beside_ssh_that_has_moved(port, closed):
    with socket.create_server(("127.0.0.1", 0)) as database:
        assert not looked("db.private.network", ssh_ports=[port], postgresql_port=database.getsockname()[1])
    assert looked("db.private.network", ssh_ports=[port], postgresql_port=closed)
    with pytest.raises(ProbeError, match="none of its declared ports"):
        looked("db.private.network", ssh_ports=[closed], postgresql_port=port)


def test_five_public_addresses_are_asked_for_their_pages():
    item = CATALOGUE["res.urls"]
    assert item.arguments["fact"] == "pages"
    five = {key: "https://%s.example" % key for key in ("production", "dashboards", "logs", "status", "documentation")}
    assert filled(item.arguments["urls"], public_urls=five) == list(five.values())
    with pytest.raises(jinja2.UndefinedError):
        filled(item.arguments["urls"], public_urls={"production": "https://production.example"})


KEY = "hB3nT9qLw7Zr2VxC8mKdP5sYfG6jAeU4oQ1iXtRbNcMvWzHySgJkDuEaLpFoI0lT"


@pytest.fixture
def settings(tmp_path):
    """settings(env, example) -> the variables that name two such files."""

    def write(env, example="A=\n"):
        (tmp_path / "app.env").write_text(env)
        (tmp_path / ".env.example").write_text(example)
        return {"app_env_file": str(tmp_path / "app.env"), "app_env_example": str(tmp_path / ".env.example"), "deploy_project": "app"}

    return write


@pytest.mark.parametrize(("item", "name"), [("appsec.secret_key", "SECRET_KEY"), ("appsec.jwt_secret", "JWT_SECRET_KEY")])
def test_a_key_of_the_published_example_is_nobodys_own(settings, item, name):
    env = "%s=%s\n" % (name, KEY)
    assert seen(item, **settings(env)) == len(KEY) >= 64
    assert seen(item, **settings(env, env)) == 0
    assert seen(item, **settings(env, "OTHER=%s\n" % KEY)) == 0


def test_settings_that_were_copied_and_not_filled_in(settings):
    known = settings("A=changeme\nB=your-api-key\nC=ours\n", "A=\nB=\nC=\n")
    assert (seen("env.file.from_example", **known), seen("env.file.placeholders", **known)) == ([], ["A", "B"])
    assert seen("env.file.placeholders", **settings("C=ours\n")) == []


@pytest.mark.parametrize("name", ["data.archive.store", "ci.registry", "cloud.aws.resources", "cloud.ecs"])
def test_what_belongs_to_a_platform_is_asked_of_people_where_no_probe_can_see_it(name):
    item = CATALOGUE[name]
    assert (item.cls, item.needs, item.probe) == ("platform", "", "") and item.attest
    assert item.attest.who and item.attest.days >= 30


def test_no_item_of_a_platform_waits_for_a_probe():
    assert [item.id for item in CATALOGUE.values() if item.cls == "platform" and item.needs] == []


@pytest.mark.parametrize(
    ("name", "systems"),
    [
        ("infra.cpu.cores", "sports trading"),
        ("infra.ram.total", "sports mlops trading"),
        ("infra.disk.capacity", "sports mlops trading"),
        ("pg.version", "sports odds"),
    ],
)
def test_an_item_quotes_every_system_that_asks_it(name, systems):
    assert set(re.findall(r"\((\w+)\)", CATALOGUE[name].asks)) == set(systems.split())


def test_a_query_that_counts_gaps_says_so_where_there_is_nothing_to_count():
    page = (pathlib.Path(__file__).parents[2] / "docs" / "variables.md").read_text(encoding="utf-8")
    (row,) = (line for line in page.splitlines() if line.startswith("| `audit_gaps_query` |"))
    assert "NULL where there was no signal" in row


def test_signatures_and_approvals_are_about_one_release():
    bound = {item.id for item in CATALOGUE.values() if item.attest and item.attest.release}
    signatures = {name for name in CATALOGUE if name.startswith("sign.")}
    # The costs that finance approves are those of the system.
    assert bound == signatures - {"sign.finance"} | {"ci.approval", "ci.code_freeze"}
    assert CATALOGUE["ci.approval"].attest.days == 1
    assert all(CATALOGUE[name].attest.days <= 7 for name in bound)
    assert CATALOGUE["sign.verified_by"].attest.not_by == "sign.completed_by"
