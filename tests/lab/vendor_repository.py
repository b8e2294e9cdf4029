"""On a host of the lab: a package source that looks like Docker's own one, made of the distribution's packages under the names of the vendor's.

Prints the fingerprint of the key that signs it, as gpg tells it, and then the key. Needs gnupg and the packages in apt's archive.
"""

from __future__ import annotations

import glob
import hashlib
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys

RELEASE = platform.freedesktop_os_release()
PLACE = pathlib.Path("/srv/docker") / RELEASE["ID"]
SUITE = RELEASE["VERSION_CODENAME"]
# Ubuntu has the client in the package of the engine.
CLIENT, COMPOSE = {"debian": (["docker-cli"], ["docker-compose"]), "ubuntu": ([], ["docker-compose-v2"])}[RELEASE["ID"]]
# Name of the vendor's package: the packages of the distribution that are in it.
PACKAGES = {
    "containerd.io": ["containerd", "runc"],
    "docker-ce": ["docker.io"],
    "docker-ce-cli": CLIENT,
    "docker-compose-plugin": COMPOSE,
    "docker-buildx-plugin": [],
}
RENAMED = {"containerd": "containerd.io", "runc": "containerd.io", "docker.io": "docker-ce", "docker-cli": "docker-ce-cli"}


def run(*command: str, **options: object) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout  # type: ignore[call-overload,no-any-return]


def control(name: str, text: str) -> str:
    """The control file of a package of the distribution, under the vendor's name."""
    fields = dict(re.findall(r"^([A-Za-z-]+): *((?:.*\n)(?: .*\n)*)", text, re.MULTILINE))
    depends = [one.strip() for one in fields.get("Depends", "").split(",") if one.strip()]
    depends = [RENAMED.get(one.split()[0], one) for one in depends]
    kept = {"Architecture": fields["Architecture"].strip(), "Depends": ", ".join(sorted({one for one in depends if one != name} - {""}))}
    lines = {"Package": name, "Version": "5:99.0.0-1", "Maintainer": "lab <nobody@example.invalid>", **kept, "Description": "of the lab"}
    return "".join("%s: %s\n" % item for item in lines.items() if item[1])


def packed(name: str, parts: list[str]) -> pathlib.Path:
    tree = pathlib.Path("/root/vendor") / name
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    text = "Architecture: all\n"
    for part in reversed(parts):
        shutil.rmtree(tree / "DEBIAN", ignore_errors=True)
        (deb,) = glob.glob("/var/cache/apt/archives/%s_*.deb" % part)
        run("dpkg-deb", "--raw-extract", deb, str(tree))
        text = (tree / "DEBIAN" / "control").read_text()
    (tree / "DEBIAN").mkdir(exist_ok=True)
    (tree / "DEBIAN" / "control").write_text(control(name, text))
    target = PLACE / "pool" / (name + ".deb")
    target.parent.mkdir(parents=True, exist_ok=True)
    run("dpkg-deb", "--build", "--root-owner-group", "-Znone", str(tree), str(target))
    return target


def listed(deb: pathlib.Path) -> str:
    data = deb.read_bytes()
    return "%sFilename: %s\nSize: %d\nSHA256: %s\n\n" % (
        run("dpkg-deb", "--field", str(deb)),
        deb.relative_to(PLACE),
        len(data),
        hashlib.sha256(data).hexdigest(),
    )


def main() -> None:
    architecture = run("dpkg", "--print-architecture").strip()
    index = "stable/binary-%s/Packages" % architecture
    suite = PLACE / "dists" / SUITE
    (suite / index).parent.mkdir(parents=True, exist_ok=True)
    text = "".join(listed(packed(name, parts)) for name, parts in PACKAGES.items())
    (suite / index).write_text(text)
    data = text.encode()
    release = "Origin: lab\nSuite: %s\nCodename: %s\nArchitectures: %s\nComponents: stable\nDate: %s\nSHA256:\n %s %d %s\n" % (
        SUITE,
        SUITE,
        architecture,
        run("date", "-Ru").strip().replace("+0000", "UTC"),
        hashlib.sha256(data).hexdigest(),
        len(data),
        index,
    )
    os.environ["GNUPGHOME"] = "/root/vendor-keys"
    os.makedirs("/root/vendor-keys", mode=0o700, exist_ok=True)
    run("gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", "Docker of the lab <nobody@example.invalid>", "rsa3072", "sign", "1y")
    (suite / "InRelease").write_text(run("gpg", "--batch", "--clearsign", input=release))
    fingerprint = re.search(r"^fpr:+([0-9A-F]+):", run("gpg", "--list-keys", "--with-colons"), re.MULTILINE)
    assert fingerprint
    sys.stdout.write("%s\n%s" % (fingerprint.group(1), run("gpg", "--armor", "--export")))


if __name__ == "__main__":
    main()
