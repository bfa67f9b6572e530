"""Shared by all tests."""

import pytest


@pytest.fixture(params=("full", "left", "right", "interior", "empty"))
def kind(request) -> str:
    """A kind of mask, for ``reference.mask_of``."""
    return request.param
