"""When the last bytes of a connection came, by a clock that is told."""

from __future__ import annotations

from fastingest.source.receipt import LATE, SETTLING, Receipt


class Rig:
    """A connection that was opened at second 100, and is looked at once a second."""

    def __init__(self) -> None:
        self.now = 100.0
        self.reads = 7
        self.read_at = self.now
        self.receipt = Receipt(self.now, self.reads)

    def read(self) -> None:
        self.reads += 1
        self.read_at = self.now

    def look(self) -> None:
        self.receipt.look(self.now, self.reads, self.now - self.read_at)

    def pass_seconds(self, count: int, *, reading: bool = False) -> None:
        for _ in range(count):
            self.now += 1
            if reading:
                self.read()
            self.look()

    def do_not_run(self, seconds: float, *, clock_stands: bool = False) -> None:
        """Let so long go by without a look.

        :param clock_stands: whether the clock by which reads are dated knows nothing of it.
        """
        self.now += seconds
        self.read_at += seconds if clock_stands else 0.0

    @property
    def silence(self) -> float:
        return self.receipt.silence(self.now, self.reads, self.now - self.read_at)


def test_the_silence_is_that_since_the_last_read_or_since_it_was_opened() -> None:
    rig = Rig()
    rig.pass_seconds(3)
    assert rig.silence == 3
    rig.pass_seconds(5, reading=True)
    rig.pass_seconds(2)
    assert rig.silence == 2


def test_a_read_counts_from_its_own_moment_and_not_from_the_look_after_it() -> None:
    rig = Rig()
    rig.now += 0.25
    rig.read()
    rig.now += 0.5
    assert rig.silence == 0.5
    rig.now += 0.25
    rig.look()
    rig.now += 0.5
    assert rig.silence == 1.25


def test_what_is_read_after_a_time_of_not_running_may_have_come_long_before() -> None:
    rig = Rig()
    rig.pass_seconds(3, reading=True)
    rig.do_not_run(25)
    rig.read()
    assert rig.silence == 25
    rig = Rig()
    rig.pass_seconds(3, reading=True)
    rig.do_not_run(25)
    rig.look()
    rig.now += SETTLING / 2
    rig.read()
    rig.look()
    assert rig.silence == 25 + SETTLING / 2


def test_what_goes_on_to_send_has_lived_on() -> None:
    rig = Rig()
    rig.do_not_run(25)
    rig.pass_seconds(3, reading=True)
    rig.now += 0.5
    assert rig.silence == 0.5


def test_a_silence_counts_in_full_though_the_clock_of_reads_stood_still() -> None:
    rig = Rig()
    rig.pass_seconds(2, reading=True)
    rig.do_not_run(3600, clock_stands=True)
    rig.pass_seconds(4)
    assert rig.silence == 3604


def test_a_look_that_is_a_little_late_says_nothing() -> None:
    rig = Rig()
    rig.now += LATE - 0.5
    rig.read()
    rig.look()
    rig.now += 0.25
    assert rig.silence == 0.25
