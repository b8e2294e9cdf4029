# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several files in one call: what differs is seen, all of it is written or none, and nothing else is touched."""

from __future__ import annotations

import grp
import os
import pwd

import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils._text_files import ASIDE, FilesError, Wanted, apply, changes

ME = {"owner": pwd.getpwuid(os.geteuid()).pw_name, "group": grp.getgrgid(os.getegid()).gr_name}


def nothing(_command):
    raise AssertionError("no validation was asked for")


def hold(*wanted, run=nothing):
    todo = changes(wanted)
    apply(todo, run)
    return [os.path.basename(change.wanted.path) for change in todo]


def listed(directory):
    return sorted(os.listdir(directory))


def test_files_that_differ_are_written_and_others_are_left_alone(tmp_path):
    one, two = (Wanted(str(tmp_path / "etc" / name), content=name + "\n", **ME) for name in ("one.conf", "two.conf"))
    assert hold(one, two) == ["one.conf", "two.conf"]
    (tmp_path / "etc" / "two.conf").write_text("by hand\n")
    before = os.stat(one.path).st_ino
    assert [(change.before, change.after) for change in changes([one, two])] == [("by hand\n", "two.conf\n")]
    assert hold(one, two) == ["two.conf"]
    assert hold(one, two) == []
    assert os.stat(one.path).st_ino == before
    assert listed(tmp_path / "etc") == ["one.conf", "two.conf"]


def test_mode_and_owner_are_held_too(tmp_path):
    wanted = Wanted(str(tmp_path / "a"), content="a\n", mode="640", **ME)
    hold(wanted)
    assert os.stat(wanted.path).st_mode & 0o7777 == 0o640
    os.chmod(wanted.path, 0o666)
    (change,) = changes([wanted])
    assert (change.before, change.after) == ("0666 {owner}:{group}\n".format(**ME), "0640 {owner}:{group}\n".format(**ME))
    assert hold(wanted) == ["a"]
    assert hold(wanted) == []


def test_a_link_gives_way_to_the_file_and_what_it_led_to_stays(tmp_path):
    (tmp_path / "there").write_text("a\n")
    (tmp_path / "a").symlink_to(tmp_path / "there")
    assert hold(Wanted(str(tmp_path / "a"), content="a\n", **ME)) == ["a"]
    assert not (tmp_path / "a").is_symlink() and (tmp_path / "there").read_text() == "a\n"


def test_a_file_is_taken_away_put_aside_and_restored(tmp_path):
    path = tmp_path / "debian.sources"
    path.write_text("Types: deb\n")
    assert hold(Wanted(str(path), "aside")) == ["debian.sources"]
    assert hold(Wanted(str(path), "aside")) == []
    assert listed(tmp_path) == ["debian.sources" + ASIDE]
    assert hold(Wanted(str(path), "restored")) == ["debian.sources"]
    assert path.read_text() == "Types: deb\n" and listed(tmp_path) == ["debian.sources"]
    assert hold(Wanted(str(path), "restored")) == []
    assert hold(Wanted(str(path), "absent")) == ["debian.sources"]
    assert hold(Wanted(str(path), "absent"), Wanted(str(path), "restored"), Wanted(str(path), "aside")) == []


def test_what_is_new_under_a_name_is_not_restored_over(tmp_path):
    (tmp_path / "a").write_text("new\n")
    (tmp_path / ("a" + ASIDE)).write_text("old\n")
    assert hold(Wanted(str(tmp_path / "a"), "restored")) == []
    assert (tmp_path / "a").read_text() == "new\n"


def test_no_file_is_touched_where_one_is_refused(tmp_path):
    (tmp_path / "one").write_text("old\n")
    asked = []

    def run(command):
        asked.append(command)
        return 1, "", "line 1: nonsense\n"

    files = [
        Wanted(str(tmp_path / "one"), content="new\n", **ME),
        Wanted(str(tmp_path / "two"), content="nonsense\n", validate=("check", "-f", "%s"), **ME),
        Wanted(str(tmp_path / "one.old"), "absent"),
    ]
    (tmp_path / "one.old").write_text("")
    with pytest.raises(FilesError, match="no file was touched: .*/two is refused by its validation: line 1: nonsense"):
        hold(*files, run=run)
    assert asked == [["check", "-f", str(tmp_path / "two.gonogo-new")]]
    assert listed(tmp_path) == ["one", "one.old"] and (tmp_path / "one").read_text() == "old\n"


def test_what_is_accepted_is_written(tmp_path):
    wanted = Wanted(str(tmp_path / "a"), content="a\n", validate=("check", "%s"), **ME)
    assert hold(wanted, run=lambda command: (0, command[1], "")) == ["a"]


def test_what_a_killed_run_left_is_in_nobodys_way(tmp_path):
    (tmp_path / "a.gonogo-new").write_text("half")
    assert hold(Wanted(str(tmp_path / "a"), content="a\n", **ME)) == ["a"]
    assert listed(tmp_path) == ["a"]


def test_what_is_no_file_is_an_error(tmp_path):
    (tmp_path / "a").mkdir()
    for state in ("present", "absent", "aside", "restored"):
        with pytest.raises(FilesError, match="is not a regular file"):
            changes([Wanted(str(tmp_path / "a"), state)])


def test_an_account_that_there_is_not_is_an_error(tmp_path):
    with pytest.raises(FilesError, match="cannot belong to nobody-here:"):
        hold(Wanted(str(tmp_path / "a"), content="a\n", owner="nobody-here", group=ME["group"]))
    assert listed(tmp_path) == []


def test_a_directory_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "a").write_text("")
    with pytest.raises(FilesError, match="cannot write"):
        hold(Wanted(str(tmp_path / "a" / "b"), content="b\n", **ME))
