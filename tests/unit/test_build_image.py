# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image builder: same input, same image id; damage is seen; every failure says how to mend it."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import io
import json
import os
import shutil
import sys
import tarfile
from pathlib import Path

import pytest

_PATH = Path(__file__).resolve().parents[2] / "examples" / "app" / "build_image.py"
_SPEC = importlib.util.spec_from_file_location("build_image", _PATH)
build_image = importlib.util.module_from_spec(_SPEC)
sys.modules["build_image"] = build_image
_SPEC.loader.exec_module(build_image)

BuildError = build_image.BuildError


def silent(_text):
    pass


@pytest.fixture
def base(tmp_path):
    path = tmp_path / "base.tar"
    with tarfile.open(path, "w") as tar:
        member = tarfile.TarInfo("etc/os-release")
        member.size = 4
        tar.addfile(member, io.BytesIO(b"ID=x"))
    return path


def write(target, base, application=b"application", version="1.0.0"):
    diff_ids = [f"sha256:{hashlib.sha256(content).hexdigest()}" for content in (base.read_bytes(), application)]
    config = build_image.image_config(diff_ids, version, "amd64")
    return build_image.write_archive(target, config, base, application)


def source(directory, text="print()"):
    directory.mkdir()
    (directory / "main.py").write_text(text)
    return directory


class TestApplicationLayer:
    def test_does_not_depend_on_who_checked_it_out_and_when(self, tmp_path):
        one, other = source(tmp_path / "one"), source(tmp_path / "other")
        os.utime(one / "main.py", (1, 1))
        (one / "main.py").chmod(0o600)
        assert build_image.application_layer(one) == build_image.application_layer(other)

    def test_holds_the_modules_readable_for_the_unprivileged_user_and_nothing_else(self, tmp_path):
        directory = source(tmp_path / "app")
        (directory / "secrets.env").write_text("PASSWORD=x")
        with tarfile.open(fileobj=io.BytesIO(build_image.application_layer(directory))) as tar:
            members = [(m.name, m.uid, oct(m.mode)) for m in tar.getmembers()]
        assert members == [("srv", 0, "0o755"), ("srv/app", 0, "0o755"), ("srv/app/main.py", 0, "0o644")]


class TestImageConfig:
    def test_runs_unprivileged_without_any_secret(self):
        config = json.loads(build_image.image_config(["sha256:a"], "1.2.3", "arm64"))
        assert config["config"]["User"] == "10001:10001"
        assert config["config"]["Cmd"] == ["python3", "-m", "app"]
        assert [name.partition("=")[0] for name in config["config"]["Env"]] == [
            "PATH",
            "PYTHONDONTWRITEBYTECODE",
            "APP_VERSION",
        ]
        assert config["architecture"] == "arm64"
        assert config["rootfs"]["diff_ids"] == ["sha256:a"]

    def test_another_version_is_another_image(self):
        assert build_image.image_config([], "1.0.0", "amd64") != build_image.image_config([], "1.0.1", "amd64")


class TestArchive:
    def test_gives_back_the_id_it_was_written_with_and_the_same_bytes_each_time(self, tmp_path, base):
        one, other = tmp_path / "one.tar.gz", tmp_path / "other.tar.gz"
        assert write(one, base) == write(other, base) == build_image.read_archive_id(one)
        assert one.read_bytes() == other.read_bytes()

    def test_is_tagged_by_its_id_so_that_pruning_spares_the_previous_release(self, tmp_path, base):
        image_id = write(tmp_path / "a.tar.gz", base)
        with tarfile.open(tmp_path / "a.tar.gz") as tar:
            manifest = json.load(tar.extractfile("manifest.json"))
        assert manifest[0]["RepoTags"] == [f"gonogo-example-app:{image_id[7:19]}"]

    def test_a_layer_that_is_not_the_one_named_is_damage(self, tmp_path, base):
        archive = tmp_path / "a.tar.gz"
        write(archive, base, application=b"genuine")
        raw = gzip.decompress(archive.read_bytes()).replace(b"genuine", b"planted")
        archive.write_bytes(gzip.compress(raw))
        with pytest.raises(BuildError, match="is damaged"):
            build_image.read_archive_id(archive)

    @pytest.mark.parametrize("content", [b"", b"not an archive", gzip.compress(b"x" * 2048)])
    def test_what_is_no_archive_is_said_to_be_none(self, tmp_path, content):
        archive = tmp_path / "a.tar.gz"
        archive.write_bytes(content)
        with pytest.raises(BuildError, match="not a readable image archive"):
            build_image.read_archive_id(archive)

    def test_a_truncated_archive_is_an_error(self, tmp_path, base):
        archive = tmp_path / "a.tar.gz"
        write(archive, base)
        archive.write_bytes(archive.read_bytes()[:-200])
        with pytest.raises(BuildError):
            build_image.read_archive_id(archive)

    def test_a_failed_write_leaves_the_old_archive(self, tmp_path):
        archive = tmp_path / "a.tar.gz"
        archive.write_bytes(b"old")
        with pytest.raises(FileNotFoundError):
            build_image.write_archive(archive, b"{}", tmp_path / "missing.tar", b"")
        assert archive.read_bytes() == b"old"
        assert [path.name for path in tmp_path.iterdir()] == ["a.tar.gz"]


class TestBuild:
    @pytest.fixture(autouse=True)
    def checkout(self, tmp_path, base, monkeypatch):
        base.with_suffix(".sha256").write_text(hashlib.sha256(base.read_bytes()).hexdigest() + "\n")
        source(tmp_path / "app")
        monkeypatch.setattr(build_image, "HERE", tmp_path)
        monkeypatch.setattr(build_image, "STATE", tmp_path / "state")
        monkeypatch.setattr(build_image, "root_file_system", lambda *_args, **_options: base)
        self.output = tmp_path / "output"

    def build(self, version="1.0.0"):
        return build_image.build(self.output, version=version, refresh=False)

    def test_pins_the_archive_it_wrote(self):
        image_id = self.build()
        assert (self.output / "image_id").read_text() == image_id + "\n"
        assert build_image.read_archive_id(self.output / "image.tar.gz") == image_id

    def test_does_nothing_when_nothing_changed(self, monkeypatch, capsys):
        image_id = self.build()
        monkeypatch.setattr(build_image, "write_archive", None)
        assert self.build() == image_id
        assert "up to date" in capsys.readouterr().out

    def test_changed_code_and_changed_version_are_new_images(self, tmp_path):
        ids = [self.build(), self.build("1.0.1")]
        (tmp_path / "app" / "main.py").write_text("print(1)")
        assert len({*ids, self.build()}) == 3

    def test_a_damaged_archive_is_written_again(self):
        image_id = self.build()
        archive = self.output / "image.tar.gz"
        archive.write_bytes(archive.read_bytes()[:-1])
        assert self.build() == image_id
        assert build_image.read_archive_id(archive) == image_id

    def test_an_unknown_processor_is_named(self, monkeypatch):
        monkeypatch.setattr(build_image.platform, "machine", lambda: "vax")
        with pytest.raises(BuildError, match="vax; known: x86_64, aarch64"):
            self.build()


class TestRootFileSystem:
    @pytest.fixture(autouse=True)
    def state(self, tmp_path, monkeypatch):
        self.cache = tmp_path / "cache"
        self.cache.mkdir()
        monkeypatch.setattr(build_image, "STATE", tmp_path)
        monkeypatch.setattr(build_image, "require_means", lambda _directory: None)
        monkeypatch.setattr(build_image, "as_root", list)

    def make(self, refresh=False):
        return build_image.root_file_system("amd64", refresh=refresh, say=silent)

    def test_is_made_once_for_a_recipe(self, monkeypatch):
        calls = []
        monkeypatch.setattr(build_image, "bootstrap", lambda _command, target, _say: target.write_text(f"{calls}"))
        monkeypatch.setattr(build_image, "bootstrap_command", lambda *_mirrors: calls and ["changed"] or [])
        first = self.make()
        assert self.make() == first
        calls.append("another recipe")
        second = self.make()
        assert second != first
        assert {path.stem for path in self.cache.iterdir()} == {second.stem}

    def test_a_failed_refresh_keeps_what_was_there(self, monkeypatch):
        monkeypatch.setattr(build_image, "bootstrap", lambda _command, target, _say: target.write_text("good"))
        base = self.make()

        def fail(_command, target, _say):
            target.write_text("half")
            raise BuildError("no network")

        monkeypatch.setattr(build_image, "bootstrap", fail)
        with pytest.raises(BuildError, match="no network"):
            self.make(refresh=True)
        assert base.read_text() == "good"
        assert self.make() == base


class TestMeans:
    def test_bootstrap_asks_for_the_packages_and_writes_to_standard_output(self):
        command = build_image.bootstrap_command("http://mirror/debian", "http://mirror/security")
        assert f"--include={','.join(build_image.PACKAGES)}" in command
        assert command[command.index("trixie") + 1 :] == [
            "-",
            "deb http://mirror/debian trixie main",
            "deb http://mirror/debian trixie-updates main",
            "deb http://mirror/security trixie-security main",
        ]

    def test_bootstrap_passes_the_phases_on_and_keeps_the_output(self, tmp_path):
        said = []
        script = "echo 'I: extracting archives...' >&2; echo 'I: a detail' >&2; echo content"
        build_image.bootstrap(["sh", "-c", script], tmp_path / "tree", said.append)
        assert said == ["  extracting archives..."]
        assert (tmp_path / "tree").read_text() == "content\n"

    def test_bootstrap_quotes_the_last_words_of_a_failure(self, tmp_path):
        with pytest.raises(BuildError, match=r"(?s)status 3.*E: no such suite"):
            build_image.bootstrap(["sh", "-c", "echo 'E: no such suite' >&2; exit 3"], tmp_path / "tree", silent)

    def test_a_missing_program_comes_with_the_command_that_installs_it(self, tmp_path, monkeypatch):
        monkeypatch.setattr(build_image.shutil, "which", lambda _name: None)
        with pytest.raises(BuildError, match="apt-get install --no-install-recommends mmdebstrap"):
            build_image.require_means(tmp_path)

    def test_a_missing_keyring_comes_with_the_command_that_installs_it(self, tmp_path, monkeypatch):
        monkeypatch.setattr(build_image.shutil, "which", lambda name: f"/usr/bin/{name}")
        monkeypatch.setattr(build_image, "KEYRING", tmp_path / "none.gpg")
        with pytest.raises(BuildError, match="apt-get install --no-install-recommends debian-archive-keyring"):
            build_image.require_means(tmp_path)

    def test_a_full_disk_is_named_with_what_is_needed(self, tmp_path, monkeypatch):
        monkeypatch.setattr(build_image.shutil, "which", lambda name: f"/usr/bin/{name}")
        monkeypatch.setattr(build_image, "KEYRING", tmp_path)
        usage = shutil.disk_usage(tmp_path)._replace(free=5_000_000)
        monkeypatch.setattr(build_image.shutil, "disk_usage", lambda _path: usage)
        with pytest.raises(BuildError, match="has 5 MB free, the build takes 1000 MB"):
            build_image.require_means(tmp_path)

    def test_without_root_and_sudo_it_says_so(self, monkeypatch):
        monkeypatch.setattr(build_image.os, "geteuid", lambda: 1000)
        monkeypatch.setattr(build_image.shutil, "which", lambda _name: None)
        with pytest.raises(BuildError, match="run this as root, or allow this user sudo"):
            build_image.as_root()

    def test_a_failure_is_one_line_and_a_status(self, monkeypatch, capsys):
        def fail(*_args, **_options):
            raise BuildError("why and how to mend it")

        monkeypatch.setattr(build_image, "build", fail)
        monkeypatch.setattr(sys, "argv", ["build_image.py"])
        assert build_image.main() == 1
        assert capsys.readouterr().err == "build_image.py: why and how to mend it\n"
