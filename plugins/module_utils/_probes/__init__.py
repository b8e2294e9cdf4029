# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of probe kinds. Plain imports: AnsiballZ ships only what is imported statically."""

from __future__ import annotations

import typing as t

from . import (
    _accounts,
    _ci,
    _command,
    _compose,
    _docker,
    _environment,
    _exposure,
    _fail2ban,
    _file,
    _git,
    _gpu,
    _hardware,
    _http,
    _logs,
    _network,
    _os,
    _postgresql,
    _process,
    _prometheus,
    _redis,
    _schedule,
    _sql,
    _sshd,
    _tcp,
    _ufw,
)
from ._base import Probe

__all__ = ["PROBES"]

PROBES: t.Mapping[str, type[Probe]] = {
    "accounts": _accounts.AccountsProbe,
    "ci": _ci.CiProbe,
    "command": _command.CommandProbe,
    "compose": _compose.ComposeProbe,
    "docker": _docker.DockerProbe,
    "environment": _environment.EnvironmentProbe,
    "exposure": _exposure.ExposureProbe,
    "fail2ban": _fail2ban.Fail2banProbe,
    "file": _file.FileProbe,
    "git": _git.GitProbe,
    "gpu": _gpu.GpuProbe,
    "hardware": _hardware.HardwareProbe,
    "http": _http.HttpProbe,
    "logs": _logs.LogsProbe,
    "network": _network.NetworkProbe,
    "os": _os.OsProbe,
    "postgresql": _postgresql.PostgresqlProbe,
    "process": _process.ProcessProbe,
    "prometheus": _prometheus.PrometheusProbe,
    "redis": _redis.RedisProbe,
    "schedule": _schedule.ScheduleProbe,
    "sql": _sql.SqlProbe,
    "sshd": _sshd.SshdProbe,
    "tcp": _tcp.TcpProbe,
    "ufw": _ufw.UfwProbe,
}
