# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an action or a lookup knows of the run it is part of: inventory, policy, checklist, questions, verdict.

The command line is read from Ansible's own record of it, never from variables, which `-e` can replace.
"""

from __future__ import annotations

import os
import time
import typing as t
from dataclasses import dataclass, replace

from ansible import constants, context
from ansible.inventory.manager import InventoryManager
from ansible.utils.vars import load_extra_vars
from ansible.vars.hostvars import HostVars

from ..module_utils import _expect
from ..module_utils._groups import VARIABLE as MAPPING
from ..module_utils._managed import REMEDY, differences
from ..module_utils._questions import CONTROLLER, Item, Thresholds, Wanted, effective, empty_groups, questions, subjects
from ..module_utils._verdict import DEPLOYMENT, PEOPLE, Attestation, Question, Verdict, Waiver, day, decide
from ._attestations import Attestations, load_attestations, request
from ._catalogue import COLLECTION, check_groups, load_catalogue
from ._checklists import combined, load_checklist
from ._fingerprints import answers_of
from ._inventory import DECISIVE, Inventory
from ._policy import Policy, load_policy
from ._provisioning import provisioning
from ._run import Run, reports_directory
from ._undecided import undecided, yaml_files
from ._yaml import InputError, nearest, shown

__all__ = [
    "HostThresholds",
    "Project",
    "asked_on",
    "current_run",
    "decide_now",
    "every_checklist",
    "inventory_seen_by",
    "load_project",
    "problems_of_inventory",
    "problems_of_run",
]

# Ansible makes the constants of its configuration when it starts; no type checker sees them.
_CONFIGURED: t.Any = constants

BOARD = "gonogo.preflight.board"
_RESERVED = {CONTROLLER, DEPLOYMENT, PEOPLE, "host", "outside"}


@dataclass(frozen=True)
class Project:
    """The reviewed data of the environment that the inventory on the command line belongs to.

    :ivar disagreements: a sentence for each item of which several checklists think differently, and what holds.
    """

    policy: Policy
    attestations: Attestations
    items: tuple[Item, ...]
    disagreements: tuple[str, ...]
    catalogue: t.Mapping[str, Item]
    environment: str
    inventory: str


def inventory_sources() -> list[str]:
    """The inventories of the command line or the configuration, as absolute paths where they are files."""
    sources = context.CLIARGS.get("inventory") or _CONFIGURED.DEFAULT_HOST_LIST or ()
    return [source if "," in source else os.path.abspath(source) for source in sources]


def inventory_seen_by(variables: t.Mapping[str, t.Any], loader: t.Any) -> Inventory:
    """The inventory of the run, for a lookup with these variables; read anew where no play has begun yet (--list-hosts, --syntax-check)."""
    everything = variables.get("hostvars")
    known = everything._inventory if isinstance(everything, HostVars) else InventoryManager(loader=loader, sources=inventory_sources())
    return Inventory(known, loader)


def asked_on(project: Project, inventory: Inventory, host: str) -> list[Item]:
    """The items that `host` is asked, about itself or another one, as they are asked; in the order of the checklist."""
    managed = project.policy.managed
    asked = questions(project.items, inventory.groups_at_a_glance, {}, managed, lambda _subject, vantage, _door: vantage == host)
    items = {item.id: item for item in project.items}
    return [effective(items[one.item], {}, managed=one.subject in managed) for one in asked if one.asks_somebody]


def _policy_directory(source: str) -> str:
    """`policy/<environment>` beside the inventory directory, or beside `inventories/`."""
    if "," in source:
        raise InputError(source, 0, "is a list of hosts; a checklist needs an inventory directory with a policy beside it")
    environment = source if os.path.isdir(source) else os.path.dirname(source)
    name, parent = os.path.basename(environment), os.path.dirname(environment)
    candidates = [os.path.join(parent, "policy", name), os.path.join(os.path.dirname(parent), "policy", name)]
    for candidate in candidates:
        if os.path.isdir(candidate):
            return candidate
    raise InputError(
        source,
        0,
        "this inventory has no policy: neither %s nor %s exists; it holds gate.yml and waivers.yml" % tuple(candidates),
    )


# Workers are forked from the process that plays: what it has loaded need not be loaded for every task and host again.
_loaded: dict[tuple[t.Any, ...], Project] = {}


def load_project() -> Project:
    """Policy, catalogue and checklist as their files are now, checked; raises InputError."""
    sources = inventory_sources()
    if not sources:
        raise InputError("the command line", 0, "names no inventory; give one with -i")
    directory = _policy_directory(sources[0])
    places = _places(directory)
    beside = [os.path.join(os.path.dirname(source), name) for source in sources if os.path.isfile(source) for name in ("group_vars", "host_vars")]
    root = os.path.dirname(os.path.dirname(directory))
    decided = [*sources, *beside, directory, os.path.join(root, "checklists"), os.path.join(root, "app")]
    files = (*sources, *map(_state, yaml_files([*decided, *places])))
    if files not in _loaded:
        _refuse_undecided(decided)
        _loaded.clear()
        _loaded[files] = _load(places, directory, shown(sources[0]))
    return _loaded[files]


def every_checklist() -> list[str]:
    """The names of all checklists in reach of the project, each of which was read; raises InputError for the first mistake."""
    places = _places(_policy_directory(inventory_sources()[0]))
    catalogue = load_catalogue(places)
    paths = {name[:-4]: os.path.join(place, name) for place in places if os.path.isdir(place) for name in os.listdir(place) if name.endswith(".yml")}
    for name in sorted(paths):
        load_checklist(paths[name], catalogue)
    return sorted(paths)


def _places(policy: str) -> list[str]:
    """The directories of catalogues and checklists: those of the collection, then the project's own."""
    own = os.path.join(os.path.dirname(os.path.dirname(policy)), "checklists")
    shipped = os.path.join(COLLECTION, "checklists")
    return [shipped] if os.path.realpath(own) == os.path.realpath(shipped) else [shipped, own]


def _state(path: str) -> tuple[t.Any, ...]:
    """What differs once the file at `path` is another one or was written to."""
    try:
        found = os.stat(path)
    except OSError as error:
        return path, error.errno  # Whoever needs this file says so.
    return path, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _load(places: t.Sequence[str], directory: str, inventory: str) -> Project:
    """The project with the catalogues and checklists of `places` and the policy in `directory`, for people called `inventory`."""
    catalogue = load_catalogue(places)
    policy = load_policy(directory, catalogue)
    gate = os.path.join(directory, "gate.yml")
    checklists = {name: load_checklist(_checklist_path(places, name, gate), catalogue) for name in policy.checklists}
    items, disagreements = combined(gate, checklists)
    of_people = [item.id for item in items if item.attest]
    attestations = load_attestations(directory, {**catalogue, **{item.id: item for item in items}}, of_people)
    return Project(policy, attestations, tuple(items), tuple(disagreements), catalogue, os.path.basename(directory), inventory)


def _checklist_path(places: t.Sequence[str], name: str, gate: str) -> str:
    """The file of checklist `name`, the project's own before the one that is shipped."""
    for place in reversed(places):
        path = os.path.join(place, name + ".yml")
        if os.path.exists(path):
            return path
    known = [entry[:-4] for place in places if os.path.isdir(place) for entry in os.listdir(place) if entry.endswith(".yml")]
    raise InputError(gate, 0, "`checklist` is %r; %s" % (name, nearest(name, known)))


def _refuse_undecided(places: t.Sequence[str]) -> None:
    """Raise InputError for what the project leaves to its people and nobody has decided, all of it at once."""
    left = undecided(places)
    if left:
        message = "%d undecided; replace the word UNDECIDED:\n%s" % (len(left), "\n".join("- " + one for one in left))
        raise InputError("this project", 0, message)


def current_run(*, main_process: bool = False) -> Run:
    """The run of this playbook: actions live in a child of the process that runs it, callbacks in the process itself."""
    return Run(reports_directory(_CONFIGURED.CONFIG_FILE), os.getpid() if main_process else os.getppid())


class HostThresholds(t.Dict[str, Thresholds]):
    """Host to its `preflight_thresholds`, read and checked when asked for; raises InputError for those that cannot be used."""

    def __init__(self, project: Project, hostvars: t.Mapping[str, t.Any], hosts: t.Container[str]) -> None:
        super().__init__()
        self._project = project
        self._hostvars = hostvars
        self._hosts = hosts

    def get(self, host: str, default: t.Any = None) -> t.Any:
        return self[host] if host in self._hosts else default

    def __missing__(self, host: str) -> Thresholds:
        values = self._hostvars[host].get("preflight_thresholds", {})
        where = "inventory variable preflight_thresholds of %s" % host
        if not isinstance(values, dict):
            raise InputError(where, 0, "is %r; it maps an item to its expectation" % (values,))
        for name, expectation in values.items():
            self._check(where, name, expectation)
        self[host] = {name: dict(expectation) for name, expectation in values.items()}
        return self[host]

    def _check(self, where: str, name: str, expectation: t.Any) -> None:
        catalogue = self._project.catalogue
        if name not in catalogue:
            raise InputError(where, 0, "has %r; %s" % (name, nearest(name, catalogue)))
        if catalogue[name].attest:
            raise InputError(where, 0, "is answered by people and has no threshold", item=name)
        try:
            _expect.check(expectation)
        except _expect.ExpectationError as error:
            raise InputError(where, 0, str(error), item=name) from None


def problems_of_inventory(project: Project, loader: t.Any, inventory: Inventory) -> list[str]:
    """What is wrong with the inventory, or is said of it on the command line, for every playbook: a sentence each."""
    extra = load_extra_vars(loader)
    found = ["-e sets %s, which stands in the inventory alone" % name for name in DECISIVE if name in extra]
    known = {name for item in project.items for name in (item.hosts, item.looks_from)} | set(project.policy.fleet)
    for name in sorted(set(inventory.mapping) - known):
        found.append("%s maps %s, of which neither checklist nor fleet speak; %s" % (MAPPING, name, nearest(name, known)))
    return found + differences(project.policy.managed, inventory.managed, inventory.groups, "%s/gate.yml" % project.policy.directory)


def problems_of_run(project: Project, loader: t.Any, inventory: Inventory) -> list[str]:
    """What makes this run unfit for a gate, whatever its answers: a sentence each."""
    groups = inventory.groups
    found = problems_of_inventory(project, loader, inventory)
    sources = inventory_sources()
    if len(sources) != 1:
        found.append("the run has %d inventories (%s); a gate decides over exactly one" % (len(sources), ", ".join(sources)))
    for name in sorted(set(load_extra_vars(loader)) - set(project.policy.extra_vars) - set(DECISIVE)):
        found.append("-e sets %s, which %s/gate.yml does not permit under extra_vars" % (name, project.policy.directory))
    if inventory.altered:
        found.append("a task of this run has changed the inventory (add_host, group_by); a gate decides over the inventory as its files have it")
    if BOARD not in _CONFIGURED.CALLBACKS_ENABLED:
        found.append("the callback %s is not enabled; set callbacks_enabled = %s in ansible.cfg" % (BOARD, BOARD))
    for name in sorted(_RESERVED & set(groups) | _RESERVED & set(groups.get("all", ()))):
        found.append("%r is the name of a host or group; the checklist uses this word for who looks" % name)
    fleet = project.policy.fleet
    for group, hosts in fleet.items():
        if group not in groups:
            found.append("%s/gate.yml names group %s, which the inventory does not have" % (project.policy.directory, group))
        found.extend(_difference(project, group, hosts, groups.get(group, ())))
    stray = set(groups.get("all", ())) - {host for hosts in fleet.values() for host in hosts}
    if stray:
        found.append("%s: in the inventory, but in no group of %s/gate.yml" % (", ".join(sorted(stray)), project.policy.directory))
    excused = {waiver.item for waiver in project.policy.waivers if waiver.kind == "not_applicable" and not waiver.subjects}
    excused |= {item.id for item in project.items if item.not_applicable}
    for item in project.items:
        if item.id not in excused and item.hosts != "all" and item.hosts not in fleet:
            found.append("%s asks group %s, which %s/gate.yml does not list under fleet" % (item.id, item.hosts, project.policy.directory))
    found.extend(_excuse_problems(project, groups, time.time()))
    return found + empty_groups(project.items, groups, excused)


def _excuse_problems(project: Project, groups: t.Mapping[str, t.Sequence[str]], now: float) -> list[str]:
    """What is wrong with waivers and attestations as of `now` and for these hosts: a sentence each."""
    found = []
    asked = {item.id: subjects(item, groups, project.policy.managed) for item in project.items}
    for waiver in project.policy.waivers:
        where = "%s: item %s" % (waiver.origin, waiver.item)
        item = project.catalogue.get(waiver.item)
        if waiver.kind == "waiver" and item and item.attest:
            found.append("%s: people answer it, so it has no waiver; write the answer to %s" % (where, shown(project.attestations.path)))
        elif waiver.expires is not None and not now < waiver.expires:
            found.append("%s: the waiver ended on %s; mend the item, or renew the waiver with a reason and a new date" % (where, day(waiver.expires - 1)))
        found += ["%s: %s" % (where, sentence) for sentence in _strangers(waiver, asked.get(waiver.item), groups)]
    for answer in project.attestations.given:
        found += ["%s: item %s: %s" % (answer.origin, answer.item, sentence) for sentence in _strangers(answer, asked.get(answer.item), groups)]
    return found


def _strangers(named: t.Union[Waiver, Attestation], asked: t.Optional[t.Sequence[str]], groups: t.Mapping[str, t.Sequence[str]]) -> list[str]:
    """A sentence for each subject that does not exist, or is not asked; `asked` is None for an item that the checklist does not take."""
    hosts = groups.get("all", ())
    known = hosts if asked is None else asked
    found = []
    for name in named.subjects:
        if name not in known:
            found.append("`subjects` has %r, which is not asked; %s" % (name, nearest(name, known)) if known else "`subjects` has %r; nobody is asked" % name)
    return found


def _difference(project: Project, group: str, wanted: t.Sequence[str], found: t.Sequence[str]) -> list[str]:
    sentences = []
    missing, extra = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    if missing:
        sentences.append("%s: missing from group %s, which must have it (%s/gate.yml)" % (", ".join(missing), group, project.policy.directory))
    if extra:
        sentences.append("%s: in group %s, which must not have it (%s/gate.yml)" % (", ".join(extra), group, project.policy.directory))
    return sentences


def project_questions(
    project: Project,
    groups: t.Mapping[str, t.Sequence[str]],
    thresholds: HostThresholds,
    wanted: t.Optional[Wanted] = None,
    version: str = "",
) -> list[Question]:
    """Every question of the checklist, or those that are `wanted`, from checklist, inventory groups and thresholds; raises InputError."""
    check_groups(project.items, groups)
    for host in groups.get("all", ()) if wanted is None else ():
        thresholds.get(host)
    items = {item.id: item for item in project.items}
    asked = questions(project.items, groups, thresholds, project.policy.managed, wanted, version)
    return [replace(one, remedy=_remedy(project, items[one.item], one)) for one in asked]


def _remedy(project: Project, item: Item, question: Question) -> str:
    told = item.remedy or request(project.attestations, item, question)
    if question.subject in project.policy.managed:
        return told or REMEDY % question.subject
    return told or _provision_command(item.fixed_by, question.subject)


def _provision_command(role: str, subject: str) -> str:
    """What a person types to have `role` set it right on `subject`."""
    if not role:
        return ""
    playbook = "gonogo.preflight.provision"
    beside = os.path.join(os.path.dirname(os.path.abspath(context.CLIARGS["args"][0])), "provision.yml")
    if os.path.exists(beside):
        playbook = shown(beside)
    inventory = shown(inventory_sources()[0])
    return "ansible-playbook %s -i %s --tags %s --limit %s" % (playbook, inventory, role, subject)


def item_for(project: Project, name: str, subject: str, thresholds: HostThresholds) -> Item:
    """The item as it is asked of `subject`."""
    item = next(item for item in project.items if item.id == name)
    return effective(item, thresholds[subject], managed=subject in project.policy.managed)


def decide_now(run: Run, project: Project, door: str, asked: t.Sequence[Question], problems: t.Sequence[str]) -> Verdict:
    """The verdict of `door` at this moment, from the spool of this run."""
    built_in, outcomes = provisioning(run)
    now = time.time()
    return decide(
        door,
        [*built_in, *asked],
        [*outcomes, *answers_of(run, asked, project.policy.waivers, now)],
        waivers=project.policy.waivers,
        attestations=project.attestations.given,
        problems=problems,
        started=run.started,
        now=now,
    )
