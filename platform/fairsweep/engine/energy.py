"""The energy that a card has used, by NVML's own counter, where the card is one process's alone."""

from typing import Any

from fairsweep.errors import first_line


class Meter:
    """Read a card's total energy; `reason` says why it cannot be told, where it cannot.

    identity: NVML's name of the card, "GPU-...". reason: why it is not even asked.
    """

    def __init__(self, identity: str = "", reason: str | None = None):
        self.reason = reason
        self._card: Any = None
        if reason is None:
            self._open(identity)

    def _open(self, identity: str) -> None:
        import pynvml

        try:
            pynvml.nvmlInit()
            self._card = pynvml.nvmlDeviceGetHandleByUUID(identity)
            divided = self._divided()
            pynvml.nvmlDeviceGetTotalEnergyConsumption(self._card)
        except pynvml.NVMLError as error:
            self._fail(error)
            return
        if divided:
            self.reason = "the card is divided, and its counter counts all parts"

    def _divided(self) -> bool:
        import pynvml

        try:
            return pynvml.nvmlDeviceGetMigMode(self._card)[0] == pynvml.NVML_DEVICE_MIG_ENABLE
        except pynvml.NVMLError:
            # Cards that cannot be divided do not know the question.
            return False

    def _fail(self, error: Exception) -> None:
        self.reason = f"NVML: {first_line(error)}"

    def joules(self) -> float | None:
        """Return what the card has used since its driver was loaded, in joules; None with a `reason`."""
        import pynvml

        if self.reason is not None:
            return None
        try:
            return pynvml.nvmlDeviceGetTotalEnergyConsumption(self._card) / 1000
        except pynvml.NVMLError as error:
            self._fail(error)
            return None
