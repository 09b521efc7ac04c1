"""Under test the notebooks train only for a moment; see the cell that sets the budget in each."""

import os
from importlib.util import find_spec

import pytest

os.environ.setdefault("NOTEBOOK_STEPS", "20")
os.environ["NOTEBOOK_LANGUAGE"] = "both"  # whatever a reader has chosen here


def pytest_collection_modifyitems(items):
    if not (find_spec("jax") and find_spec("torch")):
        for item in items:
            if item.path.name == "19_three_engines.ipynb":
                item.add_marker(pytest.mark.skip(reason="JAX or PyTorch is missing: pip install '.[jax,torch]'"))
