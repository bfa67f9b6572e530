from rnnsent.benchmark import limits
from rnnsent.benchmark.case import Case
from rnnsent.benchmark.costs import Product
from rnnsent.benchmark.record import Machine, Sample
from rnnsent.model import SentimentClassifier


def test_limit_counts_every_product_and_element():
    products = [Product(8, 4, 16, 10), Product(8, 16, 4, 10)]
    assert sum(product.flops for product in products) == 2 * 2 * 8 * 4 * 16 * 10
    sample = limits.Limit(products, elements=1000, repeats=4).sample()
    assert sorted(sample) == ["elements", "products"]
    assert all(seconds > 0 for seconds in sample.values())


def test_work_without_products_takes_no_time_for_them():
    assert limits.Limit([], elements=0, repeats=4).sample() == {"products": 0, "elements": 0}


def test_copy_rate_is_positive():
    assert limits.copy_bytes_per_second(1 << 16) > 0


def test_the_floor_is_the_best_sample_or_the_memory():
    case = Case(SentimentClassifier(cell="simple_rnn"), batch=512, steps=132)
    samples = [Sample(3.0, 1.0), Sample(2.0, 1.5)]
    machine = Machine(cores=2, rows=256, steps=100.0, bytes_per_second=1e9)
    floor = limits.floor(case, "infer", samples, machine)
    assert floor.seconds == 3.0 and (floor.products, floor.elements) == (2.0, 1.0)
    assert floor.flops == 2 * 512 * 100 * 32_768 and floor.flops_per_second == floor.flops / 2
    machine.bytes_per_second = 1e3
    assert limits.floor(case, "infer", samples, machine).seconds == 512 * 100 * 32 * 4 / 1e3
