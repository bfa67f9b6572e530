from rnnsent.benchmark import limits
from rnnsent.benchmark.costs import Product


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
