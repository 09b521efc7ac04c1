"""Under test the notebooks train only for a moment; see the cell that sets the budget in each."""

import os

os.environ.setdefault("NOTEBOOK_STEPS", "20")
