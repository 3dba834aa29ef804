"""Joules of a card, from NVML's counter: what is read, what is said where it cannot be, and what a cell cost."""

import sys
from types import SimpleNamespace

import pytest

from fairsweep.engine.energy import Meter
from fairsweep.measure.catalogue import connect
from fairsweep.store import Store
from support.synthetic import write_pictures, write_plan

GENDER = {"gender": {"female": 0.5, "male": 0.5}}


@pytest.fixture
def nvml(monkeypatch):
    """Put a library with one card in the place of NVML, which needs a driver; what it does is changed by attribute."""

    class NVMLError(Exception):
        pass

    library = SimpleNamespace(
        NVMLError=NVMLError, NVML_DEVICE_MIG_ENABLE=1, millijoules=5_000_000, mig=0, cards=["GPU-1"]
    )

    def handle(identity):
        if identity not in library.cards:
            raise NVMLError("Not Found")
        return identity

    def energy(card):
        if library.millijoules is None:
            raise NVMLError("Not Supported")
        return library.millijoules

    def mode(card):
        if library.mig is None:
            raise NVMLError("Not Supported")
        return [library.mig, library.mig]

    library.nvmlInit = lambda: None
    library.nvmlDeviceGetHandleByUUID = handle
    library.nvmlDeviceGetTotalEnergyConsumption = energy
    library.nvmlDeviceGetMigMode = mode
    monkeypatch.setitem(sys.modules, "pynvml", library)
    return library


def test_a_card_of_ones_own_is_read_in_joules(nvml):
    for mig in (0, None):
        nvml.mig, nvml.millijoules = mig, 5_000_000
        meter = Meter("GPU-1")
        assert (meter.joules(), meter.reason) == (5000.0, None)
        nvml.millijoules = 5_001_500
        assert meter.joules() == 5001.5


def test_what_cannot_be_told_says_why(nvml):
    assert Meter("GPU-2").reason == "NVML: Not Found"
    nvml.mig = 1
    assert Meter("GPU-1").reason == "the card is divided, and its counter counts all parts"
    nvml.mig, nvml.millijoules = 0, None
    meter = Meter("GPU-1")
    assert (meter.joules(), meter.reason) == (None, "NVML: Not Supported")
    assert Meter(reason="the card is shared").joules() is None


def test_a_counter_that_stops_counting_says_why(nvml):
    meter = Meter("GPU-1")
    nvml.millijoules = None
    assert (meter.joules(), meter.reason) == (None, "NVML: Not Supported")


def test_without_a_driver_the_library_itself_says_so():
    assert Meter("GPU-1").reason.startswith("NVML: ")


def cost(root, *rows: dict) -> tuple:
    store = Store(root)
    write_plan(store, [*rows], GENDER)
    write_pictures(store, [*rows])
    return connect(store).execute("select joules, joules_per_image, energy from cost").fetchone()


def test_a_cells_joules_are_the_sum_over_its_tries(tmp_path):
    """Images of 30 and 50 joules, and a failed try of 20: 100 in all, 40 an image that was made."""
    rows = [{"seed": 0, "joules": 30.0}, {"seed": 1, "joules": 50.0}, {"seed": 2, "joules": 20.0, "error": "no"}]
    assert cost(tmp_path, *rows) == (100.0, 40.0, "measured")


def test_a_sum_that_lacks_images_is_none(tmp_path):
    rows = [{"seed": 0, "joules": 30.0}, {"seed": 1, "versions": '{"energy": "the card is shared", "cuda": "13"}'}]
    assert cost(tmp_path, *rows) == (None, 30.0, "known of 1 of 2 images: the card is shared")
