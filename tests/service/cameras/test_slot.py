from __future__ import annotations

import multiprocessing
import time

import numpy as np

from service.cameras.slot import Phase, Slot


def beat_without_pause(slot: Slot, for_s: float) -> None:
    until_s = time.monotonic() + for_s
    while time.monotonic() < until_s:
        slot.beat(Phase.READING)


def test_a_pulse_is_never_read_while_half_of_it_is_written() -> None:
    """A reader beats at every packet: what was read torn made it look hung once in half an hour."""
    slot = Slot()
    slot.beat(Phase.READING)
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=beat_without_pause, args=(slot, 1.5), daemon=True)
    process.start()
    pulses = 0
    while process.is_alive():
        phase, since_s = slot.pulse()
        assert phase is Phase.READING
        assert time.monotonic() - since_s < 60
        pulses += 1
    process.join()
    assert process.exitcode == 0
    assert pulses > 1000
    slot.close()


def test_what_is_written_is_read() -> None:
    slot = Slot()
    before_s = time.monotonic()
    slot.beat(Phase.DECODING)
    phase, since_s = slot.pulse()
    assert phase is Phase.DECODING
    assert before_s - 1e-5 <= since_s <= time.monotonic()
    image = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    luma, small, whole = slot.read(slot.write(image[:, :, 0], image[:2], image))
    assert np.array_equal(luma, image[:, :, 0])
    assert np.array_equal(small, image[:2])
    assert np.array_equal(whole, image)
    slot.close()
