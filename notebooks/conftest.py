"""Under test the notebooks train only for a moment; see the cell that sets the budget in each."""

import os

os.environ.setdefault("NOTEBOOK_STEPS", "20")
os.environ["NOTEBOOK_LANGUAGE"] = "both"  # whatever a reader has chosen here
