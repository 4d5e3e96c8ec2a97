"""Ticks are evenly spaced and stamped by the right clock, however late the process is woken."""

from __future__ import annotations

import numpy as np
from robot_agent_ros.sim_body.pacing import LATEST, Pace

TICK = 0.005


class Clocks:
    """A steady and a system clock that a test moves; reading them takes 100 ns, and a sleep is 1 ms too long."""

    def __init__(self, oversleep: float = 0.001) -> None:
        self.now, self.offset, self.oversleep = 10**9, 1_700_000_000 * 10**9, oversleep

    def steady(self) -> int:
        self.now += 100
        return self.now

    def system(self) -> int:
        return self.steady() + self.offset

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += round((seconds + self.oversleep) * 1e9)

    def pace(self, simulated: bool = False) -> Pace:
        return Pace(TICK, simulated, self.steady, self.system, self.sleep)


def test_in_real_time_stamps_are_the_moments_when_ticks_were_due():
    clocks = Clocks()
    pace = clocks.pace()
    stamps = np.array([pace.wait() for _ in range(200)])
    np.testing.assert_allclose(np.diff(stamps), TICK * 1e9, atol=1e4)
    assert 0 <= clocks.system() - stamps[-1] < 2e6
    assert pace.skipped == 0


def test_a_little_lateness_is_caught_up_with_and_much_is_given_up():
    clocks = Clocks(0.0)
    pace = clocks.pace()
    first = pace.wait()
    clocks.now += int(0.05e9)
    late = [pace.wait() for _ in range(10)]
    assert pace.skipped == 0
    assert late[-1] - first == 10 * TICK * 1e9
    clocks.now += int(3e9)
    pace.wait()
    assert 3 - LATEST < pace.skipped < 3.01
    before = clocks.now
    pace.wait()
    assert clocks.now - before > 4e6  # it waits again, rather than to catch up


def test_a_system_clock_that_jumps_is_followed_at_once_and_one_that_drifts_slowly():
    clocks = Clocks(0.0)
    pace = clocks.pace()
    before = pace.wait()
    clocks.offset -= 5 * 10**9
    assert abs(pace.wait() - before + 5e9 - TICK * 1e9) < 1e5
    stamps = []
    for _ in range(2000):
        clocks.offset += 500  # 100 ppm
        stamps.append(pace.wait())
    assert np.all(np.diff(stamps) > 0)
    assert abs(clocks.system() - stamps[-1]) < 1e6


def test_a_simulated_clock_goes_on_by_exactly_a_tick_at_any_speed():
    clocks = Clocks(0.0)
    pace = clocks.pace(simulated=True)
    began, stamps = clocks.now, []
    for _ in range(100):
        stamps.append(pace.wait(10.0))
    assert set(np.diff(stamps)) == {TICK * 1e9}
    assert abs((clocks.now - began) / 1e9 - 100 * TICK / 10) < 0.001
