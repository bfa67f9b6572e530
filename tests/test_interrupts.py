import os
import signal
import threading

import pytest

from rnnsent import interrupts
from rnnsent.interrupts import Terminated

BOTH = [(signal.SIGINT, KeyboardInterrupt, 130), (signal.SIGTERM, Terminated, 143)]


def send(number):
    os.kill(os.getpid(), number)


@pytest.fixture(autouse=True)
def _nothing_stays():
    before = [signal.getsignal(one) for one, *_ in BOTH]
    yield
    assert [signal.getsignal(one) for one, *_ in BOTH] == before


@pytest.mark.parametrize("number, kind, code", BOTH)
def test_a_signal_is_raised_at_once(number, kind, code):
    with pytest.raises(KeyboardInterrupt) as end, interrupts.raised():
        send(number)
    assert type(end.value) is kind and interrupts.code(end.value) == code


@pytest.mark.parametrize("number, kind, code", BOTH)
def test_a_signal_that_is_noted_is_raised_when_work_stops(number, kind, code, capfd):
    steps = []
    with pytest.raises(KeyboardInterrupt) as end, interrupts.noted() as stop:
        for step in range(5):
            stop.now()
            steps.append(step)
            if step == 1:
                send(number)
                assert stop.asked
                # The next one ends the process, whatever it is at.
                assert {signal.getsignal(one) for one, *_ in BOTH} == {signal.SIG_DFL}
    assert steps == [0, 1] and type(end.value) is kind
    assert (
        capfd.readouterr().err
        == "\nStopping after the steps under way; once more ends it at once.\n"
    )


def test_a_signal_that_work_did_not_ask_for_is_raised_as_it_ends():
    done = []
    with pytest.raises(Terminated), interrupts.noted():
        send(signal.SIGTERM)
        done.append(1)
    assert done


def test_what_fails_meanwhile_is_what_is_raised():
    with pytest.raises(ValueError, match="own"), interrupts.noted():
        send(signal.SIGTERM)
        raise ValueError("own")


def test_a_signal_that_is_ignored_stays_so():
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with interrupts.raised(), interrupts.noted() as stop:
            send(signal.SIGTERM)
            assert not stop.asked
    finally:
        signal.signal(signal.SIGTERM, before)


def test_in_a_thread_the_systems_way_stands():
    found = []

    def work():
        with interrupts.raised(), interrupts.noted() as stop:
            found.extend([signal.getsignal(signal.SIGTERM), stop.asked])

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [before, False]
