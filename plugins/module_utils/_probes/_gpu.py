# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NVIDIA GPUs through NVML (the `pynvml` module of nvidia-ml-py)."""

from __future__ import annotations

import typing as t

from ._base import Observation, Probe, ProbeError

__all__ = ["GpuProbe"]


class GpuProbe(Probe):
    ARGUMENTS = {"fact": {"type": "str", "required": True, "choices": ["models"]}}

    def fact_models(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Product names of the GPUs that the driver sees, a list in NVML's order."""
        try:
            import pynvml
        except ImportError as error:
            raise ProbeError("library missing: %s" % error, "apt-get install python3-pynvml") from None
        try:
            pynvml.nvmlInit()
            try:
                handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
                names = [pynvml.nvmlDeviceGetName(handle) for handle in handles]
            finally:
                pynvml.nvmlShutdown()
        except pynvml.NVMLError as error:
            raise ProbeError("the NVIDIA driver does not answer: %s" % error, "nvidia-smi") from None
        # Bindings before 11.5 return bytes.
        return Observation([name.decode() if isinstance(name, bytes) else name for name in names], "NVML")
