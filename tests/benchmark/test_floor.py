from rnnsent.benchmark.case import Case
from rnnsent.benchmark.floor import floor
from rnnsent.benchmark.record import Machine, Sample
from rnnsent.model import SentimentClassifier


def test_the_floor_is_the_best_sample_or_the_memory():
    case = Case(SentimentClassifier(cell="simple_rnn"), batch=512, steps=132)
    samples = [Sample(3.0, 1.0), Sample(2.0, 1.5)]
    machine = Machine(cores=2, rows=256, steps=100.0, bytes_per_second=1e9)
    found = floor(case, "infer", samples, machine)
    assert found.seconds == 3.0 and (found.products, found.elements) == (2.0, 1.0)
    assert found.flops == 2 * 512 * 100 * 32_768 and found.flops_per_second == found.flops / 2
    machine.bytes_per_second = 1e3
    assert floor(case, "infer", samples, machine).seconds == 512 * 100 * 32 * 4 / 1e3
