# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import re
import time
import typing as t

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.template import Templar

from ansible_collections.gonogo.preflight.plugins.module_utils._exposure import within
from ansible_collections.gonogo.preflight.plugins.module_utils._people import PeopleError, people_of
from ansible_collections.gonogo.preflight.plugins.module_utils._verdict import PEOPLE
from ansible_collections.gonogo.preflight.plugins.plugin_utils import _deployable, _roles
from ansible_collections.gonogo.preflight.plugins.plugin_utils._action import PreflightAction, mask
from ansible_collections.gonogo.preflight.plugins.plugin_utils._askable import unaskable
from ansible_collections.gonogo.preflight.plugins.plugin_utils._context import problems_of_inventory, problems_of_run
from ansible_collections.gonogo.preflight.plugins.plugin_utils._report import Report, remember
from ansible_collections.gonogo.preflight.plugins.plugin_utils._run import Run

_UNDEFINED = re.compile(r"'[^']+' is undefined")


class ActionModule(PreflightAction):
    """Check checklist, policy, inventory and the roles' variables of every host, before any host is touched."""

    BYPASS_HOST_LOOP = True
    OPTIONS = {
        "gated": {"type": "bool", "default": True},
        "roles": {"type": "path", "default": ""},
        "deploy": {"type": "bool", "default": False},
    }

    def act(self) -> dict[str, t.Any]:
        project, run = self.project, self.current_run()
        asked = self.questions()
        look = problems_of_run if self.options["gated"] else problems_of_inventory
        problems = look(project, self._loader, self.inventory)
        # What is found next fills in every template of the inventory, and may not come to its end.
        remember(run, project, asked, problems)
        if self.options["gated"]:
            Report.of(run, ["start"], run.started).write()
        errors = [*problems, *self._addresses(), *self._container_networks(), *self._people(), *unaskable(self, asked), *self._roles()]
        if errors:
            secrets = self.secrets_of(*self.inventory.hosts)
            errors = [mask(error, secrets) for error in errors]
            remember(run, project, asked, errors, refused=True)
            raise AnsibleActionFail("%d mistakes; no host was touched:\n%s" % (len(errors), "\n".join("- " + one for one in errors)))
        if self.options["gated"]:
            self._announce_unanswered(run)
        for sentence in project.disagreements:
            self._display.display("  checklists disagree on %s" % sentence)
        hosts = len(self.inventory.hosts)
        return {"changed": False, "msg": "%d items, %d answers from %d hosts" % (len(project.items), len(asked), hosts)}

    def _announce_unanswered(self, run: Run) -> None:
        """People can answer while the run goes on; they should not learn of it at its end."""
        rows = [row for row in Report.of(run, ["start"], time.time()).blocking if row.question.vantage == PEOPLE]
        for row in rows:
            self._display.warning("%s is not answered (%s); until it is, this run ends NO-GO. %s" % (row.question.item, row.reason, row.remedy))

    def _addresses(self) -> list[str]:
        hosts = self.inventory.hosts
        if len(hosts) < 2:
            return []
        return [
            "inventory: %s has no preflight_address; it is the address at which the other hosts reach it" % host
            for host in hosts
            if not self.hostvars[host].get("preflight_address")
        ]

    def _container_networks(self) -> list[str]:
        """A network of containers that takes somebody's address cuts that one off, and it may be the machine that runs Ansible."""
        taken, pools = [], {}
        for host in self.groups["all"]:
            values = self._values_of(host, "preflight_address", "ansible_host", "fail2ban_ignore", "docker_address_pool")
            pools[str(values.pop("docker_address_pool", ""))] = None
            for value in values.values():
                taken += value if isinstance(value, list) else [value]
        message = "inventory: docker_address_pool %s takes %s from the hosts or from fail2ban_ignore; choose a network that nobody uses"
        return [message % (pool, ", ".join(overlapping)) for pool in pools if (overlapping := within(pool, taken))]

    def _people(self) -> list[str]:
        """Who is declared could be an account of every host, and somebody could mend each of them."""
        found: dict[str, None] = {}
        for host in self.groups["all"]:
            values = self._values_of(host, "accounts_users", "accounts_operator_commands")
            try:
                people_of(values.get("accounts_users", []), host=host, groups=self.groups, operator_commands=values.get("accounts_operator_commands", []))
            except PeopleError as error:
                found["inventory: %s" % error] = None
        return list(found)

    def _values_of(self, host: str, *names: str) -> dict[str, t.Any]:
        """These variables of a host, as far as they can be filled in; what cannot is named where a role or an item needs it."""
        found = {}
        for name in names:
            with contextlib.suppress(AnsibleError):
                found[name] = self.hostvars[host].get(name)
        return {name: value for name, value in found.items() if value}

    def _roles(self) -> list[str]:
        """Each role that a host gets finds the variables it requires, of the right type."""
        roles = []
        if self.options["roles"]:
            roles += _roles.applied(self._loader.load_from_file(self.options["roles"], trusted_as_template=True))
        if self.options["deploy"]:
            roles.append(_roles.DEPLOY)
        errors = []
        for applied in roles:
            for host in self.inventory.hosts:
                if host in self.inventory.managed:
                    continue
                templar = Templar(loader=self._loader, variables=self.variables_of(host))
                if all(templar.evaluate_conditional(condition) for condition in applied.when):
                    errors += ["role %s on %s: %s" % (applied.role, host, message) for message in self._of_role(applied.role, templar)]
        return errors

    def _of_role(self, role: str, templar: Templar) -> list[str]:
        options = _roles.options(role)
        given, errors = {}, []
        for name in options:
            if name not in templar.available_variables:
                continue
            try:
                given[name] = templar.template(templar.available_variables[name])
            except AnsibleError as error:
                undefined = _UNDEFINED.search(str(error))
                # The text of any other error may hold what the template was filled with.
                look = "ansible %s -i %s -m ansible.builtin.debug -a var=%s" % (templar.available_variables["inventory_hostname"], self.project.inventory, name)
                errors.append("%s cannot be filled in: %s" % (name, undefined.group(0) if undefined else "its template fails, and this says why: %s" % look))
                given[name] = None
        validated = ArgumentSpecValidator(options).validate({name: value for name, value in given.items() if value is not None})
        missing = {name for name, value in given.items() if value is None}
        errors += [message for message in validated.error_messages if not any(name in message for name in missing)]
        if role == _roles.DEPLOY.role and not errors:
            errors += _deployable.problems(validated.validated_parameters)
        return errors
