"""What the tests share. Where torch or scikit-learn is missing, their tests are skipped and counted."""

import numpy as np
import pytest

import reckon


@pytest.fixture
def net():
    return reckon.random(16, 2, seed=1)


@pytest.fixture
def pairs():
    """Layers of numbers that have nothing in common."""
    rng = np.random.default_rng(0)
    sizes = [5, 7, 6, 3]
    return [
        (rng.normal(size=(m, n)) / np.sqrt(n), rng.normal(size=m) / 3)
        for n, m in zip(sizes, sizes[1:])
    ]
