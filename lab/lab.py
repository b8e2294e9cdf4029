# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab: real hosts in containers, reached over SSH. See docs/lab.md."""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import sys

import engine as engines
import hosts
import image
import machine
import network
import vault
from shell import STATE, LabError, find_program, say


def up(arguments: argparse.Namespace) -> None:
    machine.require("ssh", "mmdebstrap", machine.DEBIAN_KEYRING)
    engine = engines.ensure()
    _bring_up(engine, hosts.named(arguments.hosts), fresh=arguments.fresh)
    say("The lab is up")


def reset(arguments: argparse.Namespace) -> None:
    _bring_up(_running(), hosts.named(arguments.hosts), fresh=True)


def remove(arguments: argparse.Namespace) -> None:
    engine = _running()
    chosen = hosts.named(arguments.hosts)
    hosts.clear_names(engine, chosen)
    for host in chosen:
        hosts.remove(engine, host)
        say(f"{host.name}: removed")
    hosts.write_known_hosts(engine)


def make_image(arguments: argparse.Namespace) -> None:
    engine = engines.ensure()
    say(f"Image {image.ensure(engine, rebuild=arguments.rebuild)}")


def make_secrets(_arguments: argparse.Namespace) -> None:
    vault.ensure()


def down(_arguments: argparse.Namespace) -> None:
    engine = engines.find()
    if engine is None:
        say("The lab is down already")
        return
    hosts.stop(engine, list(hosts.HOSTS.values()))
    say("The hosts are stopped")
    if engine.own:
        engines.stop_own()
        network.close()
        say("The lab's Docker Engine is stopped")


def clean(_arguments: argparse.Namespace) -> None:
    everyone = list(hosts.HOSTS.values())
    engine = engines.find()
    if engine is not None:
        hosts.clear_names(engine, everyone)
        for host in everyone:
            hosts.remove(engine, host)
        network.remove(engine)
        image.remove_all(engine)
        say("Hosts, volumes, network and images are removed")
    if engines.DATA.exists():
        engines.stop_own()
        engines.remove_own_data()
        network.close()
    vault.remove()
    shutil.rmtree(STATE, ignore_errors=True)
    say("Nothing of the lab is left but the system packages it installed")


def status(_arguments: argparse.Namespace) -> None:
    engine = engines.find()
    if engine is None:
        raise LabError("The lab is down: no usable Docker Engine answers. Start it with `python3 lab/lab.py up`.")
    print(f"engine    {engine.socket} ({'of the lab' if engine.own else 'of the machine'})")
    print(f"image     {image.tag()}")
    states = {name: hosts.state(engine, host) for name, host in hosts.HOSTS.items()}
    for name, host in hosts.HOSTS.items():
        ports = ", ".join(f"127.0.0.1:{port} -> {inside}" for port, inside in host.ports.items())
        print(f"{name:<9} {states[name]:<8} {host.address}  {ports}")
    wanted = [host.name for host in hosts.HOSTS.values() if not host.on_demand or states[host.name] != "absent"]
    if any(states[name] != "running" for name in wanted):
        raise LabError("Not every host is running. Start them with `python3 lab/lab.py up`.")


def restart(arguments: argparse.Namespace) -> None:
    engine = _running()
    for host in hosts.named(arguments.hosts):
        say(f"{host.name}: rebooting")
        engine.docker("restart", "-t", "60", host.name)
        hosts.await_boot(engine, host)
        say(f"{host.name}: is up again")


def outage(arguments: argparse.Namespace) -> None:
    engine = _running()
    for host in hosts.named(arguments.hosts):
        if arguments.command in ("pause", "unpause"):
            engine.docker(arguments.command, host.name)
        elif arguments.command == "disconnect":
            engine.docker("network", "disconnect", network.NAME, host.name)
        else:
            engine.docker("network", "connect", "--ip", host.address, network.NAME, host.name)
        say(f"{host.name}: {arguments.command} done")


def execute(arguments: argparse.Namespace) -> None:
    """Become `docker exec`: what the program reads, prints and returns is untouched."""
    (host,) = hosts.named([arguments.host])
    terminal = ["--tty"] if sys.stdin.isatty() and sys.stdout.isatty() else []
    _become([*_running().command, "exec", "--interactive", *terminal, host.name, *arguments.program])


def docker(arguments: argparse.Namespace) -> None:
    _become([*_running().command, *arguments.arguments])


def _bring_up(engine: engines.Engine, chosen: list[hosts.Host], *, fresh: bool) -> None:
    hosts.clear_names(engine, chosen)
    hosts.require_ports(engine, chosen)
    hosts.bring_up(engine, image.ensure(engine), chosen, fresh=fresh)


def _running() -> engines.Engine:
    engine = engines.find()
    if engine is None:
        raise LabError("The lab is down: no usable Docker Engine answers. Start it with `python3 lab/lab.py up`.")
    return engine


def _become(command: list[str]) -> None:
    os.execv(find_program(command[0]) or command[0], command)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lab.py", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, action: object, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(action=action)
        return command

    start = add("up", up, "start the engine, make the image, start the hosts")
    start.add_argument("--fresh", action="store_true", help="recreate the hosts bare")
    start.add_argument("hosts", nargs="*", metavar="HOST", help="these only; the way to start one that the lab does not always have")
    add("reset", reset, "recreate hosts bare, leave the others").add_argument("hosts", nargs="+", metavar="HOST")
    add("remove", remove, "remove hosts and their volumes").add_argument("hosts", nargs="+", metavar="HOST")
    add("image", make_image, "make the base image").add_argument("--rebuild", action="store_true", help="make it anew, with today's packages")
    add("secrets", make_secrets, "make the lab's passwords, unless they exist")
    add("down", down, "stop the hosts, and the engine if it is the lab's own")
    add("clean", clean, "remove everything the lab made")
    add("status", status, "show engine, image and hosts; status 2 unless all is running")
    add("restart", restart, "reboot hosts and wait for systemd").add_argument("hosts", nargs="+", metavar="HOST")
    for name, text in (
        ("pause", "freeze hosts: they accept packets and answer nothing"),
        ("unpause", "end a pause"),
        ("disconnect", "take hosts off the network"),
        ("connect", "end a disconnect"),
    ):
        add(name, outage, text).add_argument("hosts", nargs="+", metavar="HOST")
    run = add("exec", execute, "run a program on a host as root, by the engine and not by SSH")
    run.add_argument("host", metavar="HOST")
    run.add_argument("program", nargs=argparse.REMAINDER, metavar="-- PROGRAM ...")
    add("docker", docker, "run the docker client against the lab's engine").add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARGUMENT ...")
    return parser


def main() -> int:
    words = sys.argv[1:]
    arguments = _parser().parse_args([word for i, word in enumerate(words) if word != "--" or "--" in words[:i]])
    if arguments.command in ("exec", "docker", "status"):
        lock = None
    else:
        STATE.mkdir(mode=0o700, exist_ok=True)
        lock = (STATE / "lock").open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        arguments.action(arguments)
    except LabError as problem:
        print(f"lab: {problem}", file=sys.stderr)
        return 2
    finally:
        if lock is not None:
            lock.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
