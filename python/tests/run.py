"""Runs the tests beside this file with pytest; 77: NumPy or pytest is missing."""

import pathlib
import sys

try:
    import numpy  # noqa: F401
    import pytest
except ImportError as reason:
    print(f"skipped: {reason}")
    sys.exit(77)
folder = str(pathlib.Path(__file__).parent)
sys.exit(pytest.main(["-q", "-rs", "-p", "no:cacheprovider", *sys.argv[1:], folder]))
