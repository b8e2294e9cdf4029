# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a git work tree, read by git itself, which runs nothing that the repository names."""

from __future__ import annotations

import os
import pwd
import typing as t

from ._base import PLACE, Observation, Probe, ProbeError, output_of
from ._files import looked_at, shown

__all__ = ["GitProbe", "environment", "parse_status", "quiet"]

_MOST_SHOWN = 3
_MOST_NAMES = 50

# Settings by which a repository has git run programs of its own choice.
_QUIET = {
    "core.fsmonitor": "false",
    "core.hooksPath": "/dev/null",
    "core.untrackedCache": "false",
    "core.sshCommand": "false",
    "core.pager": "cat",
    "log.showSignature": "false",
    "status.submoduleSummary": "false",
    "protocol.allow": "never",
}


class GitProbe(Probe):
    SEES = PLACE
    ARGUMENTS = {
        "fact": {"type": "str", "required": True, "choices": ["branch", "clean", "head", "ignored", "tag", "tracked"]},
        "path": {"type": "str", "required": True},
        "names": {"type": "list", "elements": "str"},
        "glob": {"type": "str"},
    }

    def fact_head(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """The commit that is checked out, 40 (or 64) hexadecimal digits."""
        tree = _Tree(arguments["path"])
        return Observation(tree.git("rev-parse", "--verify", "HEAD^{commit}").strip(), "HEAD of %s" % tree.name)

    def fact_branch(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """The branch that is checked out; "" where a commit is, and no branch."""
        tree = _Tree(arguments["path"])
        branch = tree.git("symbolic-ref", "--quiet", "--short", "HEAD", accept=(0, 1)).strip()
        return Observation(branch, "HEAD of %s" % tree.name)

    def fact_tag(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """The tags of the commit that is checked out, a sorted list."""
        tree = _Tree(arguments["path"])
        return Observation(sorted(tree.git("tag", "--points-at", "HEAD").split()), "tags of HEAD of %s" % tree.name)

    def fact_clean(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Whether the work tree is what the commit says: nothing changed, staged or added that is not ignored.

        Filters are not run, so that a file of Git LFS counts as changed once its times differ from what git noted.
        """
        tree = _Tree(arguments["path"])
        tree.git("rev-parse", "--verify", "HEAD^{commit}")
        hidden = [line for line in tree.git("ls-files", "-v", "-z").split("\0") if line[:1].islower() or line[:1] == "S"]
        if hidden:
            raise ProbeError("git was told not to look at %d files of %s (assume-unchanged or skip-worktree)" % (len(hidden), tree.name))
        entries = parse_status(tree.git("status", "--porcelain", "-z", "--untracked-files=all", "--ignore-submodules=none", "--no-renames"))
        names = ", ".join(entries[:_MOST_SHOWN]) + (" ..." if len(entries) > _MOST_SHOWN else "")
        return Observation(not entries, "git status of %s: %s" % (tree.name, "%d changed or not tracked: %s" % (len(entries), names) if entries else "nothing"))

    def fact_ignored(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Those of `names` (paths below `path`) that git does not ignore, because no rule says so or because they are tracked, a list."""
        names = arguments.get("names") or []
        if not names or not all(names) or len(names) > _MOST_NAMES:
            raise ProbeError("fact ignored needs `names`, up to %d" % _MOST_NAMES)
        tree = _Tree(arguments["path"])
        # One at a time: of several, git shows those that are ignored in quotes of its own.
        seen = [name for name in names if not tree.git("check-ignore", "--", name, accept=(0, 1))]
        return Observation(seen, "git check-ignore in %s" % tree.name)

    def fact_tracked(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """The tracked files that match `glob`, a sorted list; a pattern without a slash matches in every directory, and a directory with all in it."""
        pattern = arguments.get("glob") or ""
        if not pattern.strip("/"):
            raise ProbeError("fact tracked needs `glob`")
        tree = _Tree(arguments["path"])
        every = tree.git("ls-files", "-z").split("\0")[:-1]
        if not every:
            raise ProbeError("%s tracks no file at all" % tree.name)
        root = ":(glob)%s" % (pattern.strip("/") if "/" in pattern.strip("/") or pattern.startswith("/") else "**/" + pattern.strip("/"))
        found = tree.git("ls-files", "-z", "--", root, root + "/**").split("\0")[:-1]
        return Observation(sorted(set(found)), "%s among %d tracked files of %s" % (pattern, len(every), tree.name))


class _Tree:
    """The work tree at `path`, which must be its top directory.

    As root, git is run as the owner of the directory: what a repository can have git do, it then does with no more rights
    than its owner has, and git's own refusal of a repository of somebody else (safe.directory) stays in force.
    """

    def __init__(self, path: str) -> None:
        seen = looked_at(path)
        self.path = os.path.realpath(path)
        self.name = shown(path)
        self.user = ""
        if os.geteuid() == 0 and seen.st_uid != 0:
            try:
                self.user = pwd.getpwuid(seen.st_uid).pw_name
            except KeyError:
                raise ProbeError("%s belongs to user %d, who has no account to run git as" % (self.name, seen.st_uid)) from None
        self.environment = environment(os.path.dirname(self.path), ())
        top = self.git("rev-parse", "--show-toplevel").rstrip("\n")
        if os.path.realpath(top) != self.path:
            raise ProbeError("%s is not the top directory of its work tree" % self.name)
        settings = self.git("config", "--list", "--name-only", "-z").split("\0")
        self.environment = environment(os.path.dirname(self.path), settings)

    def git(self, *words: str, accept: t.Sequence[int] = (0,)) -> str:
        """Standard output of a command of git in this work tree."""
        command = ["git", "-C", self.path, *words]
        try:
            return output_of(command, accept=accept, package="git", user=self.user, environment=self.environment)
        except ProbeError as error:
            if "safe.directory" in str(error) or "dubious ownership" in str(error):
                who = self.user or pwd.getpwuid(os.geteuid()).pw_name
                raise ProbeError(
                    "git does not trust %s: %s, who asks, does not own all of it" % (self.name, who), "chown -R %s %s" % (who, self.path)
                ) from None
            raise


def environment(ceiling: str, settings: t.Iterable[str]) -> dict[str, str]:
    """Environment in which git reads the repository alone, writes nothing, and runs nothing that one of its `settings` names.

    :param ceiling: the directory in which, and above which, git looks for no repository.
    """
    quiet_settings = quiet(settings)
    found = {
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_SYSTEM": "/dev/null",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CEILING_DIRECTORIES": ceiling,
        "GIT_DISCOVERY_ACROSS_FILESYSTEM": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_COUNT": str(len(quiet_settings)),
    }
    for number, (name, value) in enumerate(quiet_settings.items()):
        found["GIT_CONFIG_KEY_%d" % number] = name
        found["GIT_CONFIG_VALUE_%d" % number] = value
    return found


def quiet(settings: t.Iterable[str]) -> dict[str, str]:
    """The settings that keep git from running a program, of hooks and monitors and of the filters among `settings`."""
    found = dict(_QUIET)
    for setting in settings:
        head, _dot, last = setting.rpartition(".")
        if head.startswith("filter.") and last in ("clean", "smudge", "process", "required"):
            found[setting] = "false" if last == "required" else ""
    return found


def parse_status(text: str) -> list[str]:
    """The paths of `git status --porcelain -z --no-renames` (git-status(1), Short Format)."""
    found = []
    for entry in text.split("\0"):
        if not entry:
            continue
        if len(entry) < 4 or entry[2] != " ":
            raise ProbeError("git status answered %r" % entry[:80])
        found.append(entry[3:])
    return found
