"""What is said beside the first table of figures that mean nothing."""

import msgspec
import pytest
from compare import made

from rnnsent.report import compare, doubts
from rnnsent.report.blocks import Paragraph, plain


def said(record) -> list[str]:
    return [plain(block.text) for block in doubts.of(record)]


def with_loss(loss: float):
    entrant = made.entrant("mine", [0.9, 0.8])
    first, second = entrant.trainings
    measured = msgspec.structs.replace(second.measured, train_loss=loss)
    second = msgspec.structs.replace(second, measured=measured)
    return made.of(msgspec.structs.replace(entrant, trainings=(first, second)))


@pytest.mark.parametrize("loss, named", [(0.69, False), (0.6934, False), (0.7, True), (3e9, True)])
def test_a_loss_above_that_of_a_guess_is_named(loss, named):
    found = said(with_loss(loss))
    assert len(found) == named
    if named:
        assert found[0].startswith(f"Worse than a guess: mine seed 1 ({loss:.4g}).")
        assert "0.693 nats" in found[0]


def test_a_quick_run_says_so_on_its_page():
    record = made.default()
    assert said(record) == []
    origin = msgspec.structs.replace(record.origin, command="compare.py --quick --data 'toy")
    quick = msgspec.structs.replace(record, origin=origin)
    (paragraph,) = said(quick)
    assert paragraph.startswith("A quick run:")
    assert paragraph in [plain(b.text) for b in compare.blocks(quick) if isinstance(b, Paragraph)]
