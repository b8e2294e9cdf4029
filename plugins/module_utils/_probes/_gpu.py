# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NVIDIA GPUs through NVML (the `pynvml` module of nvidia-ml-py)."""

from __future__ import annotations

import typing as t

from ._base import Observation, Probe, ProbeError

__all__ = ["GpuProbe"]


class GpuProbe(Probe):
    ARGUMENTS = {"fact": {"type": "str", "required": True, "choices": ["models", "names"]}}

    def fact_models(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Product names of the GPUs that the driver sees, a list in NVML's order."""
        return Observation(_names(), "NVML")

    def fact_names(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """The same names as one text, each once, joined by commas; "" without a GPU."""
        return Observation(", ".join(dict.fromkeys(_names())), "NVML")


def _names() -> list[str]:
    """Product names of the GPUs in NVML's order; raises ProbeError."""
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
    return [name.decode() if isinstance(name, bytes) else name for name in names]
