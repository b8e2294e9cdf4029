"""Runs to look at: one host with twenty items, and fifty hosts with two hundred, with everything a report has to show."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import typing as t

from ansible_collections.gonogo.preflight.plugins.module_utils._verdict import DEPLOYMENT, PEOPLE, Attestation, Question, Verdict, Waiver, decide
from ansible_collections.gonogo.preflight.plugins.plugin_utils._report import Report
from ansible_collections.gonogo.preflight.plugins.plugin_utils._run import Run

DAY = 86400.0
NOW = 1795316400.0  # 2026-11-22 03:00 UTC
PROVISION = "ansible-playbook gonogo.preflight.provision -i prod --tags %s --limit %s"

# id, title, area, expected, found, why, role
ITEMS = (
    ("infra.cpu.cores", "Enough processor cores", "hardware", "at least 24", "32", "With fewer cores, requests wait behind training.", ""),
    ("infra.ram.total", "Enough memory", "hardware", "at least 512GB (within 7%)", "503.2GB", "Without it the kernel kills the database.", ""),
    ("infra.disk.capacity", "Enough disk", "hardware", "at least 2TB (within 12%)", "1.8TB", "A full disk stops PostgreSQL.", ""),
    ("os.release", "A supported release", "os", "one of ubuntu 24.04", "ubuntu 24.04", "Older releases get no security fixes.", ""),
    ("os.updates", "No update is pending", "os", "none", "none", "Known holes are closed by updates.", "os"),
    ("os.clock", "The clock is synchronised", "os", "yes", "yes", "Logs of two hosts cannot be compared otherwise.", "os"),
    ("docker.engine", "Docker new enough", "docker", "at least 24.0", "26.1.5", "Older engines lack the health checks in use.", "docker"),
    ("docker.log_rotation", "Docker rotates its logs", "docker", "json-file", "json-file", "Logs fill the disk.", "docker"),
    ("fw.enabled", "The firewall is on", "firewall", "active", "active", "Whatever listens is reachable without it.", "ufw"),
    ("fw.others.blocked", "Nothing undeclared is reachable", "firewall", "none", "none", "Published ports bypass UFW.", "ufw"),
    ("ssh.keys_only", "SSH takes keys only", "ssh", "no", "no", "Passwords are guessed.", "os"),
    ("pg.version", "PostgreSQL new enough", "postgresql", "at least 15", "17.5", "Older versions get no fixes.", "postgresql"),
    ("pg.max_connections", "PostgreSQL takes enough connections", "postgresql", "at least 200", "200", "The pool needs them.", "postgresql"),
    ("redis.version", "Redis new enough", "redis", "at least 7.0", "8.0.2", "Older versions get no fixes.", "redis"),
    ("redis.aof", "Redis keeps its data across a restart", "redis", "yes", "yes", "Without it a restart loses everything since the last snapshot.", "redis"),
    ("redis.maxmemory", "Redis memory limit", "redis", "2GB", "2GB", "Without a limit Redis grows until the kernel kills it.", "redis"),
    (
        "redis.policy",
        "Redis evicts the least recently used key",
        "redis",
        "allkeys-lru",
        "allkeys-lru",
        "With noeviction a full cache refuses writes.",
        "redis",
    ),
    ("app.health", "The application answers", "application", "healthy", "healthy", "Users see this page.", ""),
)


def question(entry: tuple[str, ...], subject: str, **more: t.Any) -> Question:
    name, title, area, expected, _found, why, role = entry
    remedy = PROVISION % (role, subject) if role else "move to a larger host, or relax %s under preflight_thresholds in the inventory" % name
    base: dict[str, t.Any] = {"item": name, "subject": subject, "vantage": subject, "door": "start", "severity": "block", "title": title, "area": area}
    base.update(expected=expected, source="catalogue", digest="d", remedy=remedy, why=why, provenance=(("catalogue", expected),))
    return Question(**{**base, **more})


def answer(asked: Question, found: str, status: str = "pass", **more: t.Any) -> dict[str, t.Any]:
    evidence = {"redis": "CONFIG GET", "os": "dpkg-query, systemctl show", "hardware": "/proc/cpuinfo, /proc/meminfo"}.get(asked.area, asked.area)
    base = {"item": asked.item, "subject": asked.subject, "vantage": asked.vantage, "digest": "d", "status": status, "observed": found}
    return {**base, "evidence": evidence, "seconds": 0.02, "at": NOW - 20, **more}


def _of_people(name: str, title: str, remedy: str = "") -> Question:
    expected = "answered by operations within the last 30 days"
    return question((name, title, "people", expected, "", "An alert that wakes nobody is not an alert.", ""), DEPLOYMENT, vantage=PEOPLE, remedy=remedy)


def verdict(questions: t.Sequence[Question], answers: t.Sequence[t.Mapping[str, t.Any]], **more: t.Any) -> Verdict:
    return decide("start", questions, answers, started=NOW - 60, now=NOW, **more)


def report(directory: pathlib.Path, decided: Verdict, deployments: t.Sequence[t.Mapping[str, t.Any]] = (), **changes: t.Any) -> Report:
    run = Run(str(directory), os.getpid())
    run.started, run.id = NOW - 192, "20261122T025648Z-4711"
    context = {"environment": "prod", "checklist": "sports", "inventory": "prod", "policy": "policy/prod", **changes}
    return Report(run, context, (decided,), (), tuple(deployments), decided.go, NOW)


def one_host(directory: pathlib.Path, found: t.Optional[str] = "no", hostile: str = "") -> Report:
    """Twenty items of one host: redis.aof fails with `found`, or nothing does."""
    asked = [question(entry, "launch1") for entry in ITEMS]
    memory = asked[1]
    asked[1] = question(
        ITEMS[1],
        "launch1",
        expected="at least 4GB",
        source="inventory",
        relaxed=memory.expected,
        provenance=(("catalogue", "at least 256GB"), ("checklist sports", memory.expected), ("inventory", "at least 4GB")),
    )
    asked.append(
        question(
            ("infra.gpu.model", "The GPU that was ordered", "hardware", "contains NVIDIA RTX PRO 6000", "", "Models are built for it.", ""),
            "group gpu",
            vantage="",
        )
    )
    entry = '{item: ops.escalation, by: "<Ada Lovelace or Grace Hopper>", at: 2026-11-22, expires: 2027-02-20, evidence: "<link to the procedure>"}'
    request = "write under attestations in policy/prod/attestations.yml: - " + entry
    asked += [_of_people("ops.oncall", "Somebody is on call"), *([_of_people("ops.escalation", "Escalation is agreed", request)] if found else [])]
    answers = []
    for one, entry in zip(asked, ITEMS):
        broken = {"redis.aof": found, "pg.max_connections": found and "100"}.get(one.item)
        answers.append(answer(one, hostile or broken, "fail") if broken else answer(one, {"infra.ram.total": "5.8GB"}.get(one.item, entry[4])))
    waivers = [
        Waiver("waiver", "pg.max_connections", "the pool is resized on Friday", "Ada Lovelace", ("launch1",), NOW + 3.5 * DAY, "policy/prod/waivers.yml:3"),
        Waiver("not_applicable", "infra.gpu.model", "this environment has no GPU", "Grace Hopper", origin="policy/prod/waivers.yml:10"),
    ]
    given = [
        Attestation("ops.oncall", "Ada Lovelace", NOW - 10 * DAY, NOW + 20 * DAY, "https://rota.example.com/launch", origin="policy/prod/attestations.yml:4")
    ]
    decided = verdict(asked, answers, waivers=waivers, attestations=given)
    serving = [{"host": "launch1", "release": "1.4.0-fce974f6", "outcome": "started", "message": ""}] if decided.go else []
    return report(directory, decided, serving)


def two_systems(directory: pathlib.Path) -> Report:
    """A GO of two systems that disagree, with an item beside the doors that fails."""
    entry = ("backup.restored", "A backup was restored lately", "backup", "at most 30 days", "41 days", "A backup that nobody restored is a hope.", "")
    asked = question(entry, "launch1", door="ongoing", severity="warn")
    beside = decide("ongoing", [asked], [answer(asked, "41 days", "fail")], started=NOW - 60, now=NOW)
    told = "pg.version: at least 16 (odds) holds, sports asks for at least 15"
    good = one_host(directory, found=None)
    return dataclasses.replace(good, ongoing=beside.rows, context={**good.context, "disagreements": [told]})


def fifty_hosts(directory: pathlib.Path) -> Report:
    """Fifty hosts and two hundred items: a role that broke on twenty hosts, two hosts that are gone, and more."""
    hosts = ["%s%02d.example.com" % (name, number) for name, count in (("app", 30), ("db", 12), ("cache", 8)) for number in range(1, count + 1)]
    entries = [*ITEMS, *((("%s.item%03d" % (ITEMS[n % 18][2], n), "Item %d of the whole catalogue" % n, *ITEMS[n % 18][2:])) for n in range(len(ITEMS), 198))]
    asked, answers = [], []
    for entry in entries:
        for number, host in enumerate(hosts):
            if entry[2] in ("redis", "postgresql") and host.startswith("app"):
                continue
            one = question(entry, host, severity="warn" if entry[0] == "docker.log_rotation" else "block")
            asked.append(one)
            if host == "app07.example.com":
                answers.append(answer(one, "", "error", error="unreachable: ssh: connect to host 198.51.100.17 port 22: Connection timed out"))
            elif host == "db03.example.com":
                continue
            elif entry[0] == "redis.aof" and host.startswith(("cache", "db")):
                answers.append(answer(one, "no", "fail"))
            elif entry[0] == "infra.ram.total" and number % 9 == 4:
                answers.append(answer(one, "%d.1GB" % (250 + number % 2), "fail"))
            elif entry[0] == "docker.log_rotation" and number % 5 == 0:
                answers.append(answer(one, "none", "fail"))
            elif entry[0] == "os.updates" and number in (3, 12):
                answers.append(answer(one, "", "error", error="apt-get update gave no answer within 10 s", remedy="apt-get update"))
            else:
                answers.append(answer(one, entry[4]))
    asked += [_of_people("ops.oncall", "Somebody is on call"), _of_people("ops.escalation", "Escalation is agreed")]
    given = [
        Attestation(name, "Ada Lovelace", NOW - 10 * DAY, NOW + left * DAY, "https://wiki.example.com", origin="policy/prod/attestations.yml:4")
        for name, left in (("ops.oncall", 2.5), ("ops.escalation", 80))
    ]
    waivers = [
        Waiver("waiver", "infra.ram.total", "the memory arrives on Friday", "Grace Hopper", ("app05.example.com",), NOW + 9 * DAY, "policy/prod/waivers.yml:3")
    ]
    return report(directory, verdict(asked, answers, waivers=waivers, attestations=given))
