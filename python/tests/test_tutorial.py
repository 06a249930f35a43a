"""docs/tutorial.ipynb: its cells run, one after another, and show what they should."""

import json
import pathlib

import pytest

pytest.importorskip("torch")
NOTEBOOK = pathlib.Path(__file__).parents[2] / "docs" / "tutorial.ipynb"


@pytest.mark.skipif(not NOTEBOOK.exists(), reason="no notebook here")
def test_the_tutorial_runs(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    names = {}
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    for i, cell in enumerate(c for c in cells if c["cell_type"] == "code"):
        exec(compile("".join(cell["source"]), f"cell {i}", "exec"), names)
    assert names["answer"].receipt_verdict == "agrees"
    assert (names["tail"].p > 0).all()
