"""The device that an actor computes on: what it is, whether it can be used at all, and whether it still can."""

import os
import re
from pathlib import Path

from fairsweep.engine.energy import Meter
from fairsweep.errors import first_line
from fairsweep.registry import find

# "module:Class" of a Device that takes the place of the two below: for other accelerators, and for tests.
OVERRIDE = "FAIRSWEEP_DEVICE"
_DRIVER = Path("/proc/driver/nvidia/version")


class DeviceError(Exception):
    """Say why a device cannot be used, or no longer."""


class Device:
    """The CPU. Subclass it for what else torch computes on.

    torch_device: its name for torch. share: how much of it this process has.
    """

    torch_device = "cpu"
    share = 1.0

    def open(self) -> str:
        """Return the device's name, once it has computed something; raises DeviceError."""
        return "cpu"

    def probe(self) -> None:
        """Raise DeviceError where the device does not compute any more."""

    def limit(self, share: float) -> None:
        """Take no more than this share of the device's memory: others compute on it too."""
        self.share = share

    def meter(self) -> Meter:
        """Return what counts the energy that this device uses, all processes on it together."""
        return Meter(reason="a CPU has no counter of its own")

    def versions(self) -> dict[str, str]:
        """Return what else than Python packages decides the last bits of what is computed here."""
        return {}


class Cuda(Device):
    """The first card that this process sees: Ray shows an actor only its own."""

    torch_device = "cuda"

    def open(self) -> str:
        """Return the card's name; raises DeviceError with torch's CUDA version and the driver."""
        import torch

        try:
            torch.cuda.init()
            (torch.ones(1, device="cuda") + 1).item()
            return torch.cuda.get_device_name(0)
        except Exception as error:
            built = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "without CUDA"
            raise DeviceError(
                f"no usable CUDA: torch {torch.__version__} is built {built}, {_driver()}: {first_line(error)}"
            ) from None

    def probe(self) -> None:
        """Raise DeviceError where the context is dead: after some errors every later call fails."""
        import torch

        try:
            torch.cuda.synchronize()
            (torch.ones(1, device="cuda") + 1).item()
        except torch.OutOfMemoryError:
            return
        except Exception as error:
            raise DeviceError(f"the CUDA context is dead: {first_line(error)}") from None

    def limit(self, share: float) -> None:
        """Let torch's allocator fail before it takes what the card's other actors count on."""
        import torch

        super().limit(share)
        torch.cuda.set_per_process_memory_fraction(share)

    def meter(self) -> Meter:
        """Return the meter of this card."""
        import torch

        return Meter(f"GPU-{torch.cuda.get_device_properties(0).uuid}")

    def versions(self) -> dict[str, str]:
        """Return CUDA, cuDNN and the card's compute capability."""
        import torch

        capability = ".".join(str(number) for number in torch.cuda.get_device_capability())
        return {"cuda": torch.version.cuda, "cudnn": str(torch.backends.cudnn.version()), "capability": capability}


def device(gpus: list[str]) -> Device:
    """Return the device of an actor that holds these GPUs of Ray's: never the CPU in a card's place."""
    override = os.environ.get(OVERRIDE)
    if override:
        return find(override, {}, "device")()
    return Cuda() if gpus else Device()


def _driver() -> str:
    try:
        version = re.search(r"Kernel Module\s.*?(\d+\.\d+[.\d]*)", _DRIVER.read_text())
    except OSError:
        return "no NVIDIA driver is loaded"
    return f"the driver is {version[1]}" if version else "the driver is unknown"
