# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes that read commands and files, on captured outputs of the real tools; one that cannot look never has a value."""

from __future__ import annotations

import os
import time

import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils._probes import (
    _base,
    _docker,
    _fail2ban,
    _hardware,
    _os,
    _os_kernel,
    _os_systemd,
    _os_unattended,
    _sshd,
    _storage,
    _ufw,
)
from ansible_collections.gonogo.preflight.plugins.module_utils._probes._base import ProbeError, output_of

GARBAGE = ["", "\n", "\0\0\0", "<html>502 Bad Gateway</html>", "Segmentation fault", "é\n" * 3]


@pytest.fixture
def commands(monkeypatch, captured):
    """Let a probe's commands answer with captured outputs: words of the command line to the name of a capture, or an error."""

    def install(module, answers):
        def output(arguments, **_options):
            line = " ".join(arguments)
            answer = next(answers[words] for words in answers if words in line)
            if isinstance(answer, Exception):
                raise answer
            return captured(answer)

        monkeypatch.setattr(module, "output_of", output)

    return install


def value(kind, **arguments):
    return kind({}).observe(arguments).value


def error(kind, **arguments):
    with pytest.raises(ProbeError) as raised:
        kind({}).observe(arguments)
    return str(raised.value)


PARSERS = [
    (_docker.parse_unit, ()),
    (_docker.parse_version, ()),
    (_fail2ban.parse_dump, ()),
    (_fail2ban.parse_ignored, ()),
    (_fail2ban.parse_jails, ()),
    (_fail2ban.parse_actions, ()),
    (_fail2ban.parse_answers, (1,)),
    (_fail2ban.parse_jail, ()),
    (_hardware.parse_meminfo, ()),
    (_hardware.parse_default_interface, ()),
    (_hardware.parse_default_interface6, ()),
    (_hardware.parse_zfs_encryption, ()),
    (_storage.parse_mount, ("/",)),
    (_os_kernel.parse_huge_pages, ()),
    (_os_systemd.parse_hard_limit, ()),
    (_os_systemd.parse_properties, ()),
    (_os_systemd.parse_size, ()),
    (_os_unattended.parse_apt_config, ()),
    (_os.parse_pending, ()),
    (_os.parse_enabled, ()),
    (_os.parse_held, ()),
    (_os.parse_release, ()),
    (_os.parse_swaps, ()),
    (_os.parse_tracking, ()),
    (_ufw.added_rules, ()),
    (_ufw.parse_verbose, ()),
]


@pytest.mark.parametrize("text", GARBAGE)
@pytest.mark.parametrize(("parse", "more"), PARSERS)
def test_garbage_is_an_error_and_no_observation(parse, more, text):
    with pytest.raises(ProbeError):
        parse(text, *more)


# Running a command


def test_a_command_runs_in_the_c_locale_and_without_a_shell(monkeypatch):
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("PATH", "/nonexistent")
    assert "LC_ALL=C\n" in output_of(["env"])
    assert output_of(["echo", "$HOME; exit"]) == "$HOME; exit\n"


def test_a_command_that_is_not_installed_names_its_package():
    with pytest.raises(ProbeError) as raised:
        output_of(["no-such-command"], package="some-package")
    assert (str(raised.value), raised.value.remedy) == ("no-such-command is not installed", "apt-get install some-package")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo first; echo last >&2; exit 3", "ended with status 3: last"),
        ("echo only; exit 3", "ended with status 3: only"),
        ("exit 3", "ended with status 3: no message"),
        ("kill -SEGV $$", "ended with status -11: no message"),
    ],
)
def test_a_command_that_fails_says_how(script, message):
    with pytest.raises(ProbeError) as raised:
        output_of(["sh", "-c", script])
    assert message in str(raised.value)


def test_a_status_may_be_part_of_the_answer():
    assert output_of(["sh", "-c", "echo disabled; exit 1"], accept=(0, 1)) == "disabled\n"


def test_a_command_that_hangs_is_an_error_within_its_limit(monkeypatch):
    monkeypatch.setattr(_base, "_COMMAND_LIMIT", 0.2)
    began = time.monotonic()
    with pytest.raises(ProbeError, match="gave no answer within"):
        output_of(["sleep", "60"])
    assert time.monotonic() - began < 5


def test_a_warning_that_says_that_something_was_not_seen_is_an_error():
    """apt leaves out what it may not read, and ends with status 0."""
    warning = "W: Unable to read /etc/apt/sources.list.d/own.list - open (13: Permission denied)"
    script = ["sh", "-c", "echo '0 upgraded'; echo '%s' >&2" % warning]
    assert output_of(script) == "0 upgraded\n"
    with pytest.raises(ProbeError) as raised:
        output_of(script, refuse="Unable to read")
    assert str(raised.value).endswith("did not see everything: %s" % warning)


# Operating system


@pytest.mark.parametrize(
    ("text", "release"),
    [
        ("ID=debian\nVERSION_ID=13\n", "debian 13"),
        ("VERSION_ID='24.04'\nID='ubuntu'\n", "ubuntu 24.04"),
        ('NAME="x"\nID_LIKE="debian"\nID="rocky"\nVERSION_ID="9.4"', "rocky 9.4"),
    ],
)
def test_release(text, release):
    assert _os.parse_release(text) == release


@pytest.mark.parametrize(("name", "release"), [("os-release-13-debian", "debian 13"), ("os-release-24.04-ubuntu", "ubuntu 24.04")])
def test_captured_release(captured, name, release):
    assert _os.parse_release(captured(name)) == release


@pytest.mark.parametrize("text", ["ID=debian\n", "VERSION_ID=13\n", "ID=\nVERSION_ID=13\n"])
def test_half_a_release_is_an_error(text):
    with pytest.raises(ProbeError):
        _os.parse_release(text)


@pytest.mark.parametrize(
    ("name", "packages", "kept_back"),
    [
        ("apt-3.0.4-debian13-none", [], 0),
        ("apt-3.0.4-debian13-pending", ["openssl-provider-legacy", "libssl3t64", "openssl"], 0),
        ("apt-2.8.4-ubuntu24.04-pending", ["base-files", "tzdata"], 0),
        ("apt-2.8.4-ubuntu24.04-kept-back", ["base-files"], 1),
    ],
)
def test_pending(captured, name, packages, kept_back):
    assert _os.parse_pending(captured(name)) == (packages, kept_back)


def test_updates_that_ubuntu_phases_or_sells_are_not_pending(captured):
    """apt-get keeps back what is phased; what a subscription would bring it does not know, and apt(8) alone advertises it."""
    said = "The following upgrades have been deferred due to phasing:\n  libnss-systemd systemd\n"
    esm = "Get more security updates through Ubuntu Pro with 'esm-apps' enabled:\n  libavcodec60 imagemagick\n"
    text = captured("apt-2.8.4-ubuntu24.04-kept-back").replace("Inst base-files", said + esm + "Inst base-files", 1)
    assert _os.parse_pending(text) == (["base-files"], 1)


def test_pending_counts_what_is_new_or_downgraded():
    text = "1 upgraded, 2 newly installed, 1 downgraded, 3 to remove and 0 not upgraded.\nInst a (1)\nInst b (1)\nInst c (1)\nInst d (1)\nRemv e [1]\n"
    assert _os.parse_pending(text) == (["a", "b", "c", "d"], 0)


def test_pending_that_lists_fewer_than_it_counts_is_an_error(captured):
    whole = captured("apt-3.0.4-debian13-pending")
    cut = "".join(line for line in whole.splitlines(keepends=True) if not line.startswith("Inst openssl "))
    with pytest.raises(ProbeError, match="lists 2 packages, and its summary says: 3 upgraded"):
        _os.parse_pending(cut)


@pytest.fixture
def apt(tmp_path):
    """(directory of lists, stamp), as apt leaves them."""
    lists, stamp = tmp_path / "lists", tmp_path / "stamp"
    (lists / "partial").mkdir(parents=True)
    (lists / "deb.debian.org_debian_dists_trixie_InRelease").touch()
    return lists, stamp


@pytest.fixture
def fetched(apt, monkeypatch):
    """The lists that the probe reads: fetched a moment ago."""
    lists, stamp = apt
    os.utime(lists)
    monkeypatch.setattr(_os, "_LISTS", str(lists))
    monkeypatch.setattr(_os, "_STAMP", str(stamp))
    return lists


def test_lists_are_as_new_as_the_last_success_that_can_be_seen(apt):
    lists, stamp = apt
    os.utime(lists, (1000, 1000))
    assert _os.fetched_at(str(lists), str(stamp)) == 1000
    stamp.touch()
    os.utime(stamp, (3000, 3000))
    assert _os.fetched_at(str(lists), str(stamp)) == 3000
    os.utime(stamp, (500, 500))
    assert _os.fetched_at(str(lists), str(stamp)) == 1000


def test_an_update_that_failed_does_not_make_lists_new(apt):
    lists, stamp = apt
    os.utime(lists, (1000, 1000))
    os.utime(lists / "partial", (9000, 9000))
    assert _os.fetched_at(str(lists), str(stamp)) == 1000


def test_no_lists_are_an_error(apt, tmp_path):
    lists, stamp = apt
    next(lists.glob("*InRelease")).unlink()
    for place in (lists, tmp_path / "absent"):
        with pytest.raises(ProbeError) as raised:
            _os.fetched_at(str(place), str(stamp))
        assert raised.value.remedy == "apt-get update"


@pytest.mark.parametrize(("days", "old"), [(0, False), (1.9, False), (2.1, True), (400, True), (-0.005, False), (-1, True)])
def test_old_lists_say_nothing_about_what_is_pending(fetched, commands, days, old):
    moment = time.time() - days * 86400
    os.utime(fetched, (moment, moment))
    commands(_os, {"dpkg-query": "dpkg-query-1.22.22-debian13-installed", "apt-cache": "apt-3.0.4-debian13-none", "apt-get": "apt-3.0.4-debian13-none"})
    if old:
        assert "days ago (at most 2)" in error(_os.OsProbe, fact="pending")
    else:
        assert value(_os.OsProbe, fact="pending") == []


NEWER = ["openssl-provider-legacy", "libssl3t64", "openssl"]


def simulated(names):
    """What `apt-get -s full-upgrade` says that installs these, and keeps none back."""
    return "".join("Inst %s [1] (2 x)\n" % name for name in names) + "%d upgraded, 0 newly installed, 0 to remove and 0 not upgraded.\n" % len(names)


@pytest.mark.parametrize(
    ("blacklist", "waits", "pending", "alone"),
    [
        ("", set(), NEWER, ""),
        ("docker", set(), NEWER, ""),
        ("openssl", set(), ["libssl3t64"], "openssl-provider-legacy, openssl"),
        ("openssl$", set(), ["openssl-provider-legacy", "libssl3t64"], "openssl"),
        ("openssl$", {"openssl"}, [], "openssl, openssl-provider-legacy, libssl3t64"),
        ("ssl", set(), NEWER, ""),
        ("", {"openssl"}, NEWER, ""),
    ],
)
@pytest.mark.usefixtures("fetched")
def test_what_updates_without_a_hand_leave_alone_is_not_pending_and_is_told(captured, monkeypatch, blacklist, waits, pending, alone):
    """`waits`: for which of the packages that stay all the others wait."""
    monkeypatch.setattr(_os, "_nothing_newer", lambda: False)

    asked = []

    def said(arguments, **_options):
        asked.append(arguments)
        if arguments[0] == "dpkg-query":
            return "".join("%s=3.5.0-1\n" % name for name in arguments[4:])
        stay = {word.partition("=")[0] for word in arguments if word.endswith("=3.5.0-1")}
        return simulated([name for name in NEWER if name not in stay and not waits & stay]) if stay else captured("apt-3.0.4-debian13-pending")

    monkeypatch.setattr(_os, "output_of", said)
    # Whatever the host's own files leave alone, nobody declared.
    options = 'APT::Architecture "amd64";\nUnattended-Upgrade::Package-Blacklist:: "";\nUnattended-Upgrade::Package-Blacklist:: ".*";\n'
    monkeypatch.setattr(_os_unattended, "output_of", lambda _arguments, **_options: options)
    seen = _os.OsProbe({}).observe({"fact": "pending", "blacklist": [blacklist] if blacklist else []})
    assert seen.value == pending
    told = "; left to the operator by os_upgrade_blacklist: " + alone if alone else ""
    assert seen.evidence.endswith("kept back)" + told)
    assert len(asked) == (3 if alone else 1)


@pytest.mark.parametrize(
    ("declared", "blacklist", "pending", "told"),
    [
        ([], [], ["curl", "openssh-server"], "; held, which is not declared: openssh-server"),
        (["openssh-client"], [], ["curl", "openssh-server"], "; held, which is not declared: openssh-server"),
        (["openssh-server"], [], ["curl"], ""),
        (["openssh-server:amd64"], [], ["curl"], ""),
        ([], ["openssh"], ["curl"], "; left to the operator by os_upgrade_blacklist: openssh-server"),
    ],
)
@pytest.mark.usefixtures("fetched")
def test_what_somebody_has_held_is_pending_unless_it_is_declared(captured, monkeypatch, declared, blacklist, pending, told):
    monkeypatch.setattr(_os, "_nothing_newer", lambda: False)
    texts = {"--ignore-hold": captured("apt-2.6.1-debian12-held-ignored"), "full-upgrade": captured("apt-2.6.1-debian12-held")}
    texts["dpkg-query"] = "ii  curl\nhi  openssh-server\nhi  no-update\nrc  gone\n"
    monkeypatch.setattr(_os, "output_of", lambda arguments, **_options: next(text for word, text in texts.items() if word in arguments))
    seen = _os.OsProbe({}).observe({"fact": "pending", "held": declared, "blacklist": blacklist})
    assert seen.value == pending
    assert seen.evidence.endswith(told or "kept back)")
    assert ("held, which" in seen.evidence) is ("held, which" in told)


@pytest.mark.usefixtures("fetched")
@pytest.mark.parametrize("blacklist", [[".*"], ["a", "b", "[c-z]"], ["", ".+"]])
def test_a_blacklist_of_everything_is_an_error(captured, monkeypatch, blacklist):
    monkeypatch.setattr(_os, "_nothing_newer", lambda: False)
    monkeypatch.setattr(_os, "output_of", lambda arguments, **_options: captured("apt-3.0.4-debian13-pending"))
    assert "os_upgrade_blacklist leaves every package alone" in error(_os.OsProbe, fact="pending", blacklist=blacklist)


def test_a_blacklist_that_cannot_be_read_hides_nothing():
    with pytest.raises(ProbeError, match="no regular expression"):
        _os_unattended.left_alone(["openssl"], ["("])


POLICY = "bash:\n  Installed: 5.2\n  Candidate: %s\n  Version table:\n *** 5.2 500\n"


def test_installed_packages(captured):
    assert _os.parse_installed(captured("dpkg-query-1.22.22-debian13-installed")) == ["base-files", "bash", "libc6:amd64", "openssl"]
    assert _os.parse_installed("ii  bash\nrc  nano\nun  vim\nhi  zsh\n") == ["bash", "zsh"]


@pytest.mark.parametrize("line", ["iU  nano", "iF  nano", "iH  nano", "it  nano", "iiR nano", "ii ", "nonsense"])
def test_a_package_that_is_half_installed_leaves_it_to_the_simulation(line):
    assert _os.parse_installed("ii  bash\n%s\n" % line) == []


def test_what_apt_would_choose(captured):
    assert _os.parse_newest(captured("apt-3.0.4-debian13-policy"), 4)
    assert not _os.parse_newest(captured("apt-3.0.4-debian13-policy"), 5), "one of them has no entry"
    assert _os.parse_newest(POLICY % "5.2", 1)
    for other in ("5.3", "5.1", "(none)", ""):
        assert not _os.parse_newest(POLICY % other, 1)


@pytest.mark.parametrize(
    ("policy", "check", "simulated"),
    [
        (POLICY % "5.2", "Reading package lists...\n", False),
        (POLICY % "5.3", "", True),
        ("", "", True),
        (POLICY % "5.2", ProbeError("Unmet dependencies"), True),
    ],
)
@pytest.mark.usefixtures("fetched")
def test_updates_are_simulated_unless_it_is_certain_that_there_are_none(captured, monkeypatch, policy, check, simulated):
    answers = {"dpkg-query": "ii  bash\n", "policy": policy, "check": check, "full-upgrade": captured("apt-3.0.4-debian13-pending")}

    def output(arguments, **_options):
        answer = next(answers[word] for word in answers if word in arguments)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(_os, "output_of", output)
    assert value(_os.OsProbe, fact="pending") == (["openssl-provider-legacy", "libssl3t64", "openssl"] if simulated else [])


def chrony(monkeypatch, text, states=("enabled", "alias")):
    """A chronyd that says this of itself, and systemd of its units."""
    units = "\n\n".join("UnitFileState=%s" % state for state in states) + "\n"
    monkeypatch.setattr(_os, "output_of", lambda arguments, **_options: text if arguments[0] == "chronyc" else units)


@pytest.mark.parametrize(
    ("name", "leap", "reference", "clock"),
    [
        ("chronyc-4.6.1-debian13-synchronised", "Normal", "172.30.77.12", "synchronised"),
        ("chronyc-4.6.1-debian13-local", "Normal", "7F7F0101", "own clock"),
        ("chronyc-4.5-ubuntu24.04-local", "Normal", "7F7F0101", "own clock"),
        ("chronyc-4.6.1-debian13-unsynchronised", "Not synchronised", "00000000", "not synchronised"),
    ],
)
def test_time(captured, monkeypatch, name, leap, reference, clock):
    found = _os.parse_tracking(captured(name))
    assert (found.leap, found.reference) == (leap, reference)
    monkeypatch.setattr(_os.time, "time", lambda: found.updated + 60)
    chrony(monkeypatch, captured(name))
    assert value(_os.OsProbe, fact="clock") == clock


@pytest.mark.parametrize(
    ("states", "clock"),
    [
        (("enabled", "alias"), "synchronised"),
        (("enabled", "enabled"), "synchronised"),
        (("", "enabled"), "synchronised"),
        (("disabled", ""), "synchronised, and not started at boot"),
        (("disabled", "disabled"), "synchronised, and not started at boot"),
        (("masked", ""), "synchronised, and not started at boot"),
        (("enabled-runtime", "enabled-runtime"), "synchronised, and not started at boot"),
        (("", ""), "synchronised, and not started at boot"),
    ],
)
def test_a_clock_is_synchronised_after_a_boot_too(captured, monkeypatch, states, clock):
    text = captured("chronyc-4.6.1-debian13-synchronised")
    monkeypatch.setattr(_os.time, "time", lambda: _os.parse_tracking(text).updated + 60)
    chrony(monkeypatch, text, states)
    assert value(_os.OsProbe, fact="clock") == clock
    own = captured("chronyc-4.6.1-debian13-local")
    monkeypatch.setattr(_os.time, "time", lambda: _os.parse_tracking(own).updated + 60)
    chrony(monkeypatch, own, states)
    assert value(_os.OsProbe, fact="clock") == clock.replace("synchronised", "own clock")
    # That it does nothing now says enough.
    chrony(monkeypatch, captured("chronyc-4.6.1-debian13-unsynchronised"), states)
    assert value(_os.OsProbe, fact="clock") == "not synchronised"


def test_a_systemd_that_does_not_answer_says_nothing_of_the_clock(captured, monkeypatch):
    monkeypatch.setattr(_os, "output_of", lambda arguments, **_options: captured("chronyc-4.6.1-debian13-synchronised") if arguments[0] == "chronyc" else "")
    assert "does not say whether the unit is enabled" in error(_os.OsProbe, fact="clock")


def test_a_leap_second_leaves_the_clock_synchronised(captured, monkeypatch):
    text = captured("chronyc-4.6.1-debian13-synchronised").replace("Normal", "Insert second")
    chrony(monkeypatch, text)
    monkeypatch.setattr(_os.time, "time", lambda: _os.parse_tracking(text).updated + 60)
    assert value(_os.OsProbe, fact="clock") == "synchronised"


@pytest.mark.parametrize(
    ("interval", "hours", "clock"),
    [("129.8", 2.9, "synchronised"), ("129.8", 3.1, "not synchronised"), ("16384.0", 18, "synchronised"), ("16384.0", 19, "not synchronised")],
)
def test_a_clock_that_no_server_has_corrected_for_hours_is_not_synchronised(captured, monkeypatch, interval, hours, clock):
    """chronyd's leap status stays Normal when its servers are gone."""
    text = captured("chronyc-4.6.1-debian13-synchronised").replace(",129.8,", ",%s," % interval)
    chrony(monkeypatch, text)
    monkeypatch.setattr(_os.time, "time", lambda: _os.parse_tracking(text).updated + hours * 3600)
    assert value(_os.OsProbe, fact="clock") == clock


def test_how_far_the_clock_is_off(commands, captured, monkeypatch):
    commands(_os, {"chronyc": "chronyc-4.6.1-debian13-synchronised"})
    seen = _os.OsProbe({}).observe({"fact": "clock_offset"})
    assert seen.value == round(0.00000094, 6)
    assert seen.evidence.endswith("off by 0.000041 s at most")
    text = captured("chronyc-4.6.1-debian13-synchronised").replace(",0.000000940,", ",-0.512000000,")
    monkeypatch.setattr(_os, "output_of", lambda *_arguments, **_options: text)
    assert value(_os.OsProbe, fact="clock_offset") == 0.512


def test_a_silent_chrony_is_an_error(commands):
    commands(_os, {"chronyc": ProbeError("506 Cannot talk to daemon")})
    assert error(_os.OsProbe, fact="clock") == "506 Cannot talk to daemon"


@pytest.mark.parametrize(
    ("target", "zone"),
    [
        ("zoneinfo/Etc/UTC", "UTC"),
        ("zoneinfo/UTC", "UTC"),
        ("zoneinfo/Zulu", "UTC"),
        ("zoneinfo/Etc/Universal", "UTC"),
        ("zoneinfo/Europe/Berlin", "Europe/Berlin"),
        ("zoneinfo/America/Argentina/Ushuaia", "America/Argentina/Ushuaia"),
    ],
)
def test_time_zone_of_a_link(tmp_path, target, zone):
    file = tmp_path / target
    file.parent.mkdir(parents=True)
    file.touch()
    (tmp_path / "localtime").symlink_to(target)
    assert _os.zone_of(str(tmp_path / "localtime")) == zone


def test_time_zone_of_a_link_to_a_link(tmp_path):
    """Debian's UTC leads to Etc/UTC."""
    (tmp_path / "zoneinfo/Etc").mkdir(parents=True)
    (tmp_path / "zoneinfo/Etc/UTC").touch()
    (tmp_path / "zoneinfo/UTC").symlink_to("Etc/UTC")
    (tmp_path / "localtime").symlink_to(tmp_path / "zoneinfo/UTC")
    assert _os.zone_of(str(tmp_path / "localtime")) == "UTC"


def test_without_a_link_the_zone_is_utc(tmp_path):
    assert _os.zone_of(str(tmp_path / "localtime")) == "UTC"


@pytest.mark.parametrize("make", ["file", "dangling", "elsewhere"])
def test_a_zone_without_a_name_is_an_error(tmp_path, make):
    path = tmp_path / "localtime"
    if make == "file":
        path.write_bytes(b"TZif2")
    elif make == "dangling":
        path.symlink_to("zoneinfo/UTC")
    else:
        (tmp_path / "UTC").touch()
        path.symlink_to("UTC")
    with pytest.raises(ProbeError) as raised:
        _os.zone_of(str(path))
    assert raised.value.remedy == "timedatectl set-timezone UTC"


SWAPS = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
FSTAB = "# <file system> <mount point>\nUUID=1 / ext4 errors=remount-ro 0 1\n\n#/old none swap sw 0 0\nUUID=2\tnone\tswap\tsw\t0\t0\n/swap.img none swap\n"


def test_swap_is_what_is_used_and_what_the_next_boot_brings_back(monkeypatch):
    texts = {"/proc/swaps": SWAPS + "/dev/sda2                               partition\t2097148\t0\t-2\n", "/etc/fstab": FSTAB}
    monkeypatch.setattr(_os, "_read", lambda path, missing=None: texts[path])
    monkeypatch.setattr(_os._os_systemd, "swap_units", lambda: ["dev-zram0.swap"])
    assert value(_os.OsProbe, fact="swap") == ["/dev/sda2", "UUID=2 (fstab)", "/swap.img (fstab)", "dev-zram0.swap (systemd)"]
    texts.update({"/proc/swaps": SWAPS, "/etc/fstab": ""})
    monkeypatch.setattr(_os._os_systemd, "swap_units", list)
    assert value(_os.OsProbe, fact="swap") == []


# Firewall

UFW = "ufw-0.36.2-%s-%s"


@pytest.mark.parametrize("release", ["debian13", "ubuntu24.04"])
@pytest.mark.parametrize(
    ("port", "protocol", "sources"),
    [
        (22, "tcp", ["any"]),
        (80, "tcp", ["any"]),
        (443, "tcp", ["any"]),
        (443, "udp", []),
        (2222, "tcp", ["any"]),
        (9000, "tcp", ["any"]),
        (9100, "tcp", ["any"]),
        (9101, "tcp", ["192.0.2.7"]),
        (53, "udp", ["any"]),
        (5432, "tcp", ["172.30.77.11", "192.0.2.7", "2001:db8::/32"]),
        (6379, "tcp", ["10.0.0.0/8", "192.0.2.7"]),
        (25, "tcp", []),  # rejected before the host whose every connection is allowed
        (7777, "tcp", ["192.0.2.7"]),  # on one interface only
        (8443, "tcp", ["192.0.2.7"]),  # to one address only
        (8888, "tcp", ["192.0.2.7"]),  # from one port of the client only
        (8889, "tcp", ["192.0.2.7"]),
        (3000, "tcp", ["192.0.2.7"]),  # routed, not received
    ],
)
def test_where_a_port_is_allowed_from(commands, release, port, protocol, sources):
    commands(_ufw, {"ufw status": UFW % (release, "rules")})
    if protocol == "udp" and port == 443:
        sources = ["192.0.2.7"]
    assert value(_ufw.UfwProbe, fact="port", port=port, protocol=protocol) == sources


@pytest.mark.parametrize(
    ("rules", "sources"),
    [
        ([("80/tcp", "DENY", "any"), ("80/tcp", "ALLOW", "any")], []),
        ([("80/tcp", "ALLOW", "10.0.0.0/8"), ("80/tcp", "DENY", "any"), ("80/tcp", "ALLOW", "any")], ["10.0.0.0/8"]),
        ([("Anywhere", "REJECT", "any"), ("80/tcp", "ALLOW", "any")], []),
        ([("80/tcp", "DENY", "203.0.113.4"), ("80/tcp", "ALLOW", "any")], ["any"]),
        ([("443/tcp", "DENY", "any"), ("80/tcp", "ALLOW", "any")], ["any"]),
        ([("80/udp", "DENY", "any"), ("80", "ALLOW", "any")], ["any"]),
        ([("80/tcp", "ALLOW", "any"), ("80/tcp", "ALLOW", "10.0.0.0/8")], ["any"]),
    ],
)
def test_the_first_rule_that_matches_decides(rules, sources):
    assert _ufw.allowed_from(rules, 80, "tcp") == sources


@pytest.mark.parametrize(
    ("port", "protocol", "sources"),
    [
        (22, "tcp", ["any"]),
        (53, "udp", ["any"]),
        (53, "tcp", []),
        (80, "tcp", ["any"]),
        (2222, "tcp", ["any"]),
        (25, "udp", ["any"]),
        (5432, "tcp", ["172.30.77.11"]),
        (6379, "tcp", ["2001:db8::1"]),
        (99, "tcp", []),  # on one interface only
    ],
)
def test_the_rules_of_an_inactive_firewall(commands, port, protocol, sources):
    commands(_ufw, {"ufw status": UFW % ("debian13", "inactive"), "ufw show added": UFW % ("debian13", "show-added")})
    assert value(_ufw.UfwProbe, fact="port", port=port, protocol=protocol) == sources


@pytest.mark.parametrize(
    ("rule", "parsed"),
    [
        ("allow 22/tcp", ("22/tcp", "ALLOW", "any")),
        ("limit log 22,2222/tcp", ("22,2222/tcp", "LIMIT", "any")),
        ("reject 8000:8010/udp", ("8000:8010/udp", "REJECT", "any")),
        ("deny from 203.0.113.5", ("Anywhere", "DENY", "203.0.113.5")),
        ("deny from 203.0.113.5 proto tcp", ("Anywhere/tcp", "DENY", "203.0.113.5")),
        ("allow to any port 80", ("80", "ALLOW", "any")),
        ("allow from 10.0.0.0/8 to any port 5432 proto tcp", ("5432/tcp", "ALLOW", "10.0.0.0/8")),
    ],
)
def test_a_rule_in_the_words_of_the_command_line(rule, parsed):
    assert _ufw.added_rules("Added user rules (see 'ufw status' for running firewall):\nufw %s\n" % rule) == [parsed]


@pytest.mark.parametrize("rule", ["allow OpenSSH", "deny 'Nginx Full'", "allow from 10.0.0.0/8 to any app OpenSSH"])
def test_the_ports_of_an_application_cannot_be_told(rule):
    with pytest.raises(ProbeError, match="which ports its rule `%s` is about cannot be told" % rule):
        _ufw.added_rules("Added user rules (see 'ufw status' for running firewall):\nufw %s\n" % rule)


def test_a_port_is_needed(commands):
    commands(_ufw, {"ufw status": UFW % ("debian13", "inactive")})
    assert "needs `port`" in error(_ufw.UfwProbe, fact="port", protocol="tcp")


@pytest.mark.parametrize(
    ("case", "unit", "switch", "expected"),
    [
        ("rules", "enabled\n", "ENABLED=yes\n", {"active": True, "boot": True, "incoming": "deny"}),
        ("rules", "disabled\n", "ENABLED=yes\n", {"active": True, "boot": False, "incoming": "deny"}),
        ("rules", "enabled\n", "ENABLED=no\n", {"active": True, "boot": False, "incoming": "deny"}),
        ("rules", "enabled\n", "#ENABLED=yes\n", {"active": True, "boot": False, "incoming": "deny"}),
        ("inactive", "enabled\n", "ENABLED=no\n", {"active": False, "boot": False, "incoming": ""}),
    ],
)
def test_state_of_the_firewall(firewall, case, unit, switch, expected):
    firewall.say(case=case, unit=unit, switch=switch)
    assert value(_ufw.UfwProbe, fact="state") == {**expected, "bypassed": []}
    firewall.switch.unlink()
    assert "cannot read" in error(_ufw.UfwProbe, fact="state")


class Firewall:
    """What UFW, its file and the kernel say."""

    def __init__(self, switch):
        self.switch = switch
        self.case, self.unit, self.live = "rules", "enabled\n", {4: ["-P INPUT DROP"], 6: ["-P INPUT DROP"]}
        self.say(switch="ENABLED=yes\nLOGLEVEL=low\n")

    def say(self, *, switch, case="rules", unit="enabled\n"):
        self.case, self.unit = case, unit
        self.switch.write_text("# /etc/ufw/ufw.conf\n" + switch)


@pytest.fixture
def firewall(monkeypatch, captured, tmp_path):
    found = Firewall(tmp_path / "ufw.conf")
    monkeypatch.setattr(_ufw, "_CONFIGURATION", str(found.switch))
    monkeypatch.setattr(_ufw, "output_of", lambda line, **_options: found.unit if "is-enabled" in line else captured(UFW % ("debian13", found.case)))
    monkeypatch.setattr(_ufw.Host, "live", lambda _host: found.live)
    return found


@pytest.mark.parametrize(
    ("family", "line"), [(4, "-P INPUT ACCEPT"), (6, "-P INPUT ACCEPT"), (6, "-A INPUT -j ACCEPT"), (4, "-A ufw-before-input -p tcp -j ACCEPT")]
)
def test_a_way_past_the_firewall_is_part_of_its_state(firewall, family, line):
    firewall.live[family] = [line, "-A INPUT -j ufw-before-input"]
    assert value(_ufw.UfwProbe, fact="state")["bypassed"] == ["IPv%d: %s" % (family, line)]


def test_rules_of_the_kernel_that_cannot_be_read_are_an_error(firewall, monkeypatch):
    def live(_host):
        raise _ufw.FirewallError("`ip6tables -S` ended with 3: no permission")

    monkeypatch.setattr(_ufw.Host, "live", live)
    assert error(_ufw.UfwProbe, fact="state") == "`ip6tables -S` ended with 3: no permission"
    assert error(_ufw.UfwProbe, fact="logging") == "`ip6tables -S` ended with 3: no permission"


@pytest.mark.parametrize(
    ("switch", "case", "level"),
    [
        ("LOGLEVEL=low\n", "rules", "low"),
        ("LOGLEVEL=medium\n", "inactive", "medium"),
        ("LOGLEVEL=off\n", "rules", "off in ufw.conf; low in the kernel's IPv4 rules; low in the kernel's IPv6 rules"),
        ("#LOGLEVEL=low\n", "rules", "not set in ufw.conf; low in the kernel's IPv4 rules; low in the kernel's IPv6 rules"),
    ],
)
def test_logging_of_the_firewall(firewall, captured, switch, case, level):
    lines = captured("iptables-1.8.11-debian13-logging-low").splitlines()
    firewall.live = {4: lines, 6: [line.replace("ufw-", "ufw6-") for line in lines]}
    firewall.say(switch=switch, case=case)
    assert value(_ufw.UfwProbe, fact="logging").replace(str(firewall.switch), "ufw.conf") == level
    firewall.switch.unlink()
    assert "cannot read" in error(_ufw.UfwProbe, fact="logging")


def test_logging_that_one_family_lacks(firewall, captured):
    firewall.live = {4: captured("iptables-1.8.11-debian13-logging-low").splitlines(), 6: []}
    assert value(_ufw.UfwProbe, fact="logging").endswith("; off in the kernel's IPv6 rules")


SYSCTLS = """\
# a comment
net/ipv4/conf/all/accept_redirects=0
 -net.ipv4.tcp_syncookies = 1
; another
net.ipv4.conf.*.rp_filter = 1
net.ipv4.tcp_rmem=4096 131072 6291456
nonsense
=1
"""


def test_kernel_settings_of_a_file():
    assert _ufw.parse_sysctls(SYSCTLS) == {
        "net/ipv4/conf/all/accept_redirects": "0",
        "net/ipv4/tcp_syncookies": "1",
        "net/ipv4/conf/*/rp_filter": "1",
        "net/ipv4/tcp_rmem": "4096 131072 6291456",
    }


def test_kernel_settings_that_are_stopped_not_live_or_overridden():
    settings = {"net/ipv4/ip_forward": "0", "net/ipv4/conf/all/log_martians": "0", "net/ipv4/tcp_rmem": "4096 131072 6291456", "net/ipv6/a": "1"}
    live = {"net/ipv4/ip_forward": "1", "net/ipv4/conf/all/log_martians": "0", "net/ipv4/tcp_rmem": "4096\t131072\t6291456"}
    others = {"/etc/sysctl.d/60-own.conf": [("net/ipv4/conf/all/log_martians", "1"), ("net/ipv6/a", "1")]}
    assert _ufw.overridden(settings, live, others) == [
        "net.ipv4.ip_forward: 0 takes Docker's containers off the network; leave it out",
        "net.ipv4.ip_forward: 0 in /etc/ufw/sysctl.conf, 1 live",
        "net.ipv4.conf.all.log_martians: 0 in /etc/ufw/sysctl.conf, which overrides 1 in /etc/sysctl.d/60-own.conf",
    ]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ({"10-a": [("net/ipv4/conf/*/accept_redirects", "0")]}, ["0 in 10-a"]),
        ({"10-a": [("net/ipv4/conf/*/accept_redirects", "1")]}, []),
        ({"10-a": [("net/ipv4/conf/*/accept_redirects", "0"), ("net/ipv4/conf/all/accept_redirects", "1")]}, []),
        ({"10-a": [("net/ipv4/conf/all/accept_redirects", "0")], "20-b": [("net/ipv4/conf/*/accept_redirects", "1")]}, ["0 in 10-a"]),
        ({"10-a": [("net/ipv4/conf/*/accept_redirects", "2")], "20-b": [("net/ipv4/conf/*/accept_redirects", "0")]}, ["0 in 20-b"]),
        ({"10-a": [("net/ipv4/conf/*/accept_redirects", "0")], "20-b": [("net/ipv4/conf/all/accept_redirects", None)]}, []),
        ({"10-a": [("net/ipv4/*/accept_redirects", "0")]}, []),  # a star stops at a separator
    ],
)
def test_a_pattern_of_sysctl_d_is_overridden_too(lines, told):
    path = "net/ipv4/conf/all/accept_redirects"
    found = _ufw.overridden({path: "1"}, {path: "1"}, lines)
    assert found == ["net.ipv4.conf.all.accept_redirects: 1 in /etc/ufw/sysctl.conf, which overrides " + one for one in told]


def test_a_pattern_in_the_file_of_the_firewall_is_refused():
    (told,) = _ufw.overridden({"net/ipv4/conf/*/forwarding": "0"}, {}, {})
    assert told.startswith("'net.ipv4.conf.*.forwarding': '0' is no kernel setting")


def test_kernel_settings_of_the_firewall(monkeypatch, tmp_path):
    for name in ("etc", "usr", "proc"):
        (tmp_path / name).mkdir()
    (tmp_path / "etc/10-a.conf").write_text("net.ipv4.a = 1\nnet.ipv4.b = 1\n")
    (tmp_path / "usr/10-a.conf").write_text("net.ipv4.c = 5\n")
    (tmp_path / "usr/20-b.conf").write_text("net.ipv4.a = 2\n")
    (tmp_path / "etc/99-sysctl.conf").symlink_to(tmp_path / "absent")
    (tmp_path / "own").write_text("net/ipv4/a=1\nnet/ipv4/b=1\nnet/ipv4/c=1\n")
    monkeypatch.setattr(_ufw, "SYSCTL", str(tmp_path / "own"))
    monkeypatch.setattr(_ufw, "_SYSCTL_D", (str(tmp_path / "etc"), str(tmp_path / "none"), str(tmp_path / "usr")))
    monkeypatch.setattr(_ufw, "live_sysctls", lambda _paths: {})
    assert value(_ufw.UfwProbe, fact="sysctl") == ["net.ipv4.a: 1 in %s, which overrides 2 in %s" % (tmp_path / "own", tmp_path / "usr/20-b.conf")]
    (tmp_path / "own").unlink()
    assert "cannot read" in error(_ufw.UfwProbe, fact="sysctl")
    (tmp_path / "own").write_text("")
    (tmp_path / "usr/20-b.conf").write_text("nonsense\n")
    assert "sysctl.d has the line 'nonsense'" in error(_ufw.UfwProbe, fact="sysctl")


# SSH


@pytest.mark.parametrize(
    ("ss", "socket", "sshd", "ports"),
    [
        ("ss-6.15.0-debian13-sshd", "systemctl-257-debian13-ssh-socket-inactive", "sshd-10.0p2-debian13-effective", [22]),
        ("ss-6.15.0-debian13-sshd-two-ports", "systemctl-257-debian13-ssh-socket-inactive", "sshd-10.0p2-debian13-two-ports", [22, 2222]),
        # configured, and there after the next restart
        ("ss-6.15.0-debian13-sshd", "systemctl-257-debian13-ssh-socket-inactive", "sshd-10.0p2-debian13-two-ports", [22, 2222]),
        # a second sshd that nobody configured
        ("ss-6.15.0-debian13-sshd-two-ports", "systemctl-257-debian13-ssh-socket-inactive", "sshd-10.0p2-debian13-effective", [22, 2222]),
        # before the first connection systemd alone holds the port, and `sshd -T` does not work
        ("ss-6.1.0-ubuntu24.04-socket", "systemctl-255-ubuntu24.04-ssh-socket", None, [22]),
        ("ss-6.1.0-ubuntu24.04-socket-activated", "systemctl-255-ubuntu24.04-ssh-socket", "sshd-9.6p1-ubuntu24.04-effective", [22]),
        # a client forwards port 6010 (ssh -R), which its sshd listens on
        ("ss-6.1.0-ubuntu24.04-forwarded", "systemctl-255-ubuntu24.04-ssh-socket", "sshd-9.6p1-ubuntu24.04-effective", [22]),
    ],
)
def test_ports_of_ssh(commands, ss, socket, sshd, ports):
    commands(_sshd, {"ss ": ss, "ssh.socket": socket, "sshd -T": sshd or ProbeError("Missing privilege separation directory: /run/sshd")})
    assert value(_sshd.SshdProbe, fact="ports") == ports


def test_nothing_that_listens_for_ssh_is_an_error(commands):
    quiet = {"ss ": "ss-6.1.0-ubuntu24.04-socket", "ssh.socket": "systemctl-257-debian13-ssh-socket-inactive", "sshd -T": "sshd-10.0p2-debian13-effective"}
    commands(_sshd, quiet)
    assert error(_sshd.SshdProbe, fact="ports") == "nothing listens for SSH; sshd -T says port 22"


# fail2ban

BANS = "fail2ban-1.1.0-debian13-%s"


@pytest.mark.parametrize(
    ("status", "actions", "installed", "expected"),
    [
        (BANS % "status", BANS % "actions", ["nft"], {"running": True, "can_ban": True}),
        ("fail2ban-1.0.2-ubuntu24.04-status", "fail2ban-1.0.2-ubuntu24.04-actions", ["nft"], {"running": True, "can_ban": True}),
        (BANS % "status", BANS % "actions", [], {"running": True, "can_ban": False}),
        (BANS % "status", BANS % "actions-with-mail", ["nft"], {"running": True, "can_ban": True}),
        (BANS % "status", BANS % "actions-none", ["nft"], {"running": True, "can_ban": False}),
        (BANS % "status-no-jail", ProbeError("the jail 'sshd' does not exist"), ["nft"], {"running": False, "can_ban": False}),
    ],
)
def test_a_jail(commands, monkeypatch, status, actions, installed, expected):
    commands(_fail2ban, {"client status": status, "client get sshd actions": actions})
    monkeypatch.setattr(_fail2ban.shutil, "which", lambda program, path: program if program in installed else None)
    assert value(_fail2ban.Fail2banProbe, fact="jail", jail="sshd") == expected


@pytest.mark.parametrize(
    ("actions", "programs"),
    [([], []), (["nftables-multiport"], ["nft"]), (["iptables-allports", "sendmail-whois"], ["iptables"]), (["ufw", "nftables"], ["ufw", "nft"])],
)
def test_programs_of_ban_actions(actions, programs):
    assert _fail2ban.programs_of(actions) == programs


def test_actions_none_of_which_is_known_are_an_error():
    with pytest.raises(ProbeError, match="the program of ban action sendmail-whois, hostsdeny is not known"):
        _fail2ban.programs_of(["sendmail-whois", "hostsdeny"])


def test_a_jail_whose_actions_cannot_be_read_is_an_error(commands):
    commands(_fail2ban, {"client status": BANS % "status", "client get sshd actions": ProbeError("no answer")})
    assert error(_fail2ban.Fail2banProbe, fact="jail", jail="sshd") == "no answer"


def test_a_dead_fail2ban_is_an_error(commands):
    commands(_fail2ban, {"client": ProbeError("Failed to access socket path")})
    assert error(_fail2ban.Fail2banProbe, fact="jail", jail="sshd") == "Failed to access socket path"


ASKED = """\
Fail2Ban v1.0.2 reads log file that contains password failure report
and bans the corresponding IP addresses using firewall rules.

fail2ban> Status
|- Number of jail:\t2
`- Jail list:\tnginx-http-auth, sshd
fail2ban> Status for the jail: sshd
|- Filter
|  |- Currently failed:\t0
|  |- Total failed:\t0
|  `- Journal matches:\t_SYSTEMD_UNIT=ssh.service + _COMM=sshd
`- Actions
   |- Currently banned:\t2
   |- Total banned:\t2
   `- Banned IP list:\t203.0.113.9 2001:db8::9
fail2ban> The jail sshd has the following actions:
nftables
fail2ban> These IP addresses/networks are ignored:
|- 127.0.0.0/8
|- 192.0.2.12
`- ::1
fail2ban> 5
fail2ban> 600
fail2ban> 3600
fail2ban> Status for the jail: nginx-http-auth
|- Filter
|  |- Currently failed:\t0
|  |- Total failed:\t0
|  `- File list:\t{log}
`- Actions
   |- Currently banned:\t0
   |- Total banned:\t0
   `- Banned IP list:\t
fail2ban> The jail nginx-http-auth has the following actions:
nftables
fail2ban> These IP addresses/networks are ignored:
|- 127.0.0.0/8
|- 192.0.2.12
`- ::1
fail2ban> 5
fail2ban> 600
fail2ban> 3600
fail2ban> Sorry but the jail 'nope' does not exist
fail2ban> Sorry but the jail 'nope' does not exist
fail2ban> Sorry but the jail 'nope' does not exist
fail2ban> Sorry but the jail 'nope' does not exist
fail2ban> Sorry but the jail 'nope' does not exist
fail2ban> Sorry but the jail 'nope' does not exist
"""
TABLE = """\
table inet f2b-table {
\tset addr-set-sshd {
\t\ttype ipv4_addr
\t\telements = { 203.0.113.9 }
\t}

\tset addr6-set-sshd {
\t\ttype ipv6_addr
\t\telements = { 2001:db8::9,
\t\t\t\t2001:db8::10 }
\t}
}
"""


def test_captured_answers(captured):
    status, sshd, actions, nginx, _actions = _fail2ban.parse_answers(captured("fail2ban-1.1.0-debian13-interactive"), 5)
    assert _fail2ban.parse_jails(status) == ["nginx-botsearch", "nginx-http-auth", "nginx-limit-req", "sshd"]
    assert _fail2ban.parse_jail(sshd) == ([], True, ["203.0.113.9", "2001:db8::9"])
    assert _fail2ban.parse_actions(actions) == ["nftables"]
    assert _fail2ban.parse_jail(nginx) == (["/var/log/nginx/access.log", "/var/log/nginx/error.log"], False, [])
    held = _fail2ban.parse_elements(captured("nft-1.1.3-debian13-f2b-table"))
    assert sorted(map(str, held)) == ["2001:db8::9/128", "203.0.113.9/32"]


@pytest.fixture
def bans(monkeypatch, tmp_path, captured):
    """What the server, the kernel's table and systemd answer, by the program."""
    (tmp_path / "error.log").touch()
    answers = {"fail2ban-client": ASKED.format(log=tmp_path / "error.log"), "nft": TABLE, "systemctl": "enabled\n", "which": "/usr/sbin/nft"}
    monkeypatch.setattr(_fail2ban, "output_of", lambda line, **_options: answers["-d" if "-d" in line else line[0]])
    monkeypatch.setattr(_fail2ban.shutil, "which", lambda _program, path: answers["which"])
    answers["log"] = tmp_path / "error.log"
    answers["-d"] = captured("fail2ban-1.0.2-debian12-dump")
    return answers


BOTH = ["sshd", "nginx-http-auth"]


def test_jails_that_ban(bans):
    seen = _fail2ban.Fail2banProbe({}).observe({"fact": "jails", "jails": BOTH})
    assert (seen.value, seen.evidence) == ([], "asked about sshd, nginx-http-auth; 2 addresses are banned")


def test_a_jail_that_the_server_does_not_run(bans):
    assert value(_fail2ban.Fail2banProbe, fact="jails", jails=[*BOTH, "nope"]) == ["nope: the server does not run it (it runs nginx-http-auth, sshd)"]


def test_a_jail_without_its_log(bans):
    bans["log"].unlink()
    assert value(_fail2ban.Fail2banProbe, fact="jails", jails=BOTH) == ["nginx-http-auth: its log %s is not there" % bans["log"]]
    bans["fail2ban-client"] = bans["fail2ban-client"].replace(str(bans["log"]), "")
    assert value(_fail2ban.Fail2banProbe, fact="jails", jails=BOTH) == ["nginx-http-auth: it watches no log"]


def test_a_jail_that_cannot_ban(bans):
    bans["which"] = None
    missing = "%s: the program of its ban action nftables is not installed: nft"
    assert value(_fail2ban.Fail2banProbe, fact="jails", jails=BOTH) == [missing % jail for jail in BOTH]
    bans["fail2ban-client"] = bans["fail2ban-client"].replace("The jail sshd has the following actions:\nnftables", "No actions for jail sshd")
    assert value(_fail2ban.Fail2banProbe, fact="jails", jails=["sshd"]) == ["sshd: it has no ban action"]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("", "203.0.113.9, 2001:db8::9 are banned and not shut out by the kernel; flushed by somebody?"),
        (TABLE.replace("203.0.113.9", "203.0.113.90"), "203.0.113.9 is banned and not shut out by the kernel; flushed by somebody?"),
        (TABLE.replace("2001:db8::9", "2001:db8:0::9"), None),
    ],
)
def test_a_ban_that_the_kernel_has_lost(bans, table, said):
    bans["nft"] = table
    assert value(_fail2ban.Fail2banProbe, fact="jails", jails=BOTH) == (["sshd: " + said] if said else [])


IGNORED = "|- 192.0.2.12\n`- ::1\nfail2ban> 5\nfail2ban> 600\nfail2ban> 3600\n"


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (IGNORED.replace("192.0.2.12", "0.0.0.0"), "it never bans 0.0.0.0/0, which is in none of its files"),
        (IGNORED.replace("|- 192", "|- 203.0.113.7\n|- 192"), "it never bans 203.0.113.7/32, which is in none of its files"),
        (IGNORED.replace("> 5\n", "> 100000\n"), "maxretry is 100000 in the server, 5 in its files"),
        (IGNORED.replace("> 600", "> 1"), "findtime is 1 s in the server, 600 s in its files"),
        (IGNORED.replace("> 3600", "> 0"), "bantime is 0 s in the server, 3600 s in its files"),
    ],
)
def test_a_jail_that_somebody_told_to_ban_nobody(bans, now, said):
    assert bans["fail2ban-client"].count(IGNORED) == 2
    bans["fail2ban-client"] = bans["fail2ban-client"].replace(IGNORED, now, 1)
    assert value(_fail2ban.Fail2banProbe, fact="jails", jails=BOTH, max_retries=5) == ["sshd: " + said]


def test_a_jail_whose_files_let_more_failures_pass_than_are_asked_for(bans):
    texts = ["%s: it bans after 5 failures, later than after 4" % jail for jail in BOTH]
    assert value(_fail2ban.Fail2banProbe, fact="jails", jails=BOTH, max_retries=4) == texts
    assert value(_fail2ban.Fail2banProbe, fact="jails", jails=BOTH) == []


def test_everybody_in_the_files_counts_too(bans):
    bans["-d"] = bans["-d"].replace("'192.0.2.12']", "'192.0.2.12', '::/0']")
    assert value(_fail2ban.Fail2banProbe, fact="jails", jails=["sshd"]) == ["sshd: it never bans ::/0"]


@pytest.mark.parametrize(
    ("network", "wide"), [("10.0.0.0/8", False), ("8.0.0.0/7", True), ("fd00::/8", False), ("fc00::/7", False), ("fe80::/10", False), ("2000::/3", True)]
)
def test_ones_own_networks_may_be_ignored(bans, network, wide):
    bans["-d"] = bans["-d"].replace("'192.0.2.12']", "'192.0.2.12', '%s']" % network)
    assert value(_fail2ban.Fail2banProbe, fact="jails", jails=["sshd"]) == (["sshd: it never bans " + network] if wide else [])


def test_a_jail_that_no_file_starts(bans):
    bans["-d"] = bans["-d"].replace("['start', 'nginx-http-auth']\n", "")
    assert value(_fail2ban.Fail2banProbe, fact="jails", jails=BOTH) == [
        "nginx-http-auth: no file starts it, so that it is gone after the next start of fail2ban"
    ]


def test_captured_configuration(captured):
    found = _fail2ban.parse_dump(captured("fail2ban-1.0.2-debian12-dump"))
    assert list(found) == BOTH
    one = found["sshd"]
    assert (sorted(map(str, one.ignored)), one.maxretry, one.findtime, one.bantime) == (["127.0.0.0/8", "192.0.2.12/32", "::1/128"], 5, 600, 3600)


def test_whom_a_jail_never_bans(captured):
    assert _fail2ban.parse_ignored(captured("fail2ban-1.0.2-debian12-everybody-ignored")) == ["0.0.0.0", "192.0.2.12", "::1"]
    assert _fail2ban.parse_ignored(captured("fail2ban-1.0.2-debian12-nobody-ignored")) == []
    with pytest.raises(ProbeError, match="whom the jail never bans"):
        _fail2ban.parse_ignored("Sorry but the jail 'nope' does not exist")


@pytest.mark.parametrize("answer", ["Sorry but the command is invalid", "5 failures", ""])
def test_an_answer_that_is_no_number_is_an_error(bans, answer):
    bans["fail2ban-client"] = bans["fail2ban-client"].replace("fail2ban> 600\n", "fail2ban> %s\n" % answer)
    assert "where a number is asked for" in error(_fail2ban.Fail2banProbe, fact="jails", jails=BOTH)


def test_a_configuration_that_is_no_list_is_an_error():
    with pytest.raises(ProbeError, match="fail2ban-client -d has the line"):
        _fail2ban.parse_dump("['set', 'loglevel', 'INFO']\n['start', 'sshd'\n")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("600", 600), ("10m", 600), ("1h 30m", 5400), ("1d", 86400), ("-1", -1), ("2weeks", None), ("1mo", None), ("", None), ("ten", None)],
)
def test_times_of_jails(text, seconds):
    assert _fail2ban.parse_seconds(text) == seconds


def test_jails_that_are_gone_after_the_next_boot(bans):
    bans["systemctl"] = "disabled\n"
    assert value(_fail2ban.Fail2banProbe, fact="jails", jails=BOTH) == ["sshd, nginx-http-auth: fail2ban.service does not start at boot"]


@pytest.mark.parametrize("text", ["", "fail2ban> fail2ban> fail2ban> fail2ban> ", ASKED.partition("fail2ban> Status for")[0]])
def test_a_server_that_does_not_answer_all_is_an_error(bans, text):
    bans["fail2ban-client"] = text
    assert error(_fail2ban.Fail2banProbe, fact="jails", jails=["sshd"]) == "the server of fail2ban does not answer"


@pytest.mark.parametrize("jails", [None, [], [""], ["sshd\nset sshd unbanip 203.0.113.9"], ["a b"]])
def test_what_is_no_list_of_jails_is_an_error(bans, jails):
    assert "needs `jails`" in error(_fail2ban.Fail2banProbe, fact="jails", jails=jails)
    assert "needs `jail`" in error(_fail2ban.Fail2banProbe, fact="jail")


# Docker, as far as commands tell


@pytest.mark.parametrize(
    ("case", "expected"),
    [("docker", (True, True)), ("docker-stopped", (False, False)), ("absent", (False, False))],
)
def test_unit_of_docker(captured, case, expected):
    assert _docker.parse_unit(captured("systemctl-257-debian13-" + case)) == expected


@pytest.mark.parametrize(
    ("name", "version"),
    [("docker-compose-2.26.1-debian13-version", "2.26.1-4"), ("docker-compose-2.40.3-ubuntu24.04-version", "2.40.3+ds1-0ubuntu1~24.04.1")],
)
def test_version_of_compose(commands, name, version):
    commands(_docker, {"docker compose version": name})
    assert value(_docker.DockerProbe, fact="compose_version") == version
