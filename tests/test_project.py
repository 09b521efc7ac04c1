"""The project's own files agree with each other."""

import re
import tomllib

from notebook_tools import NOTEBOOKS, ROOT


def named(lines):
    """``{package: range}`` of requirement lines."""
    found = {}
    for line in lines:
        match = re.match(r"([A-Za-z0-9_-]+)([<>=!~][^#\s]*)?", line)
        if match and not line.startswith("-"):
            found[match[1].lower()] = match[2]
    return found


def test_requirements_hold_what_the_package_needs():
    requirements = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    everything, library = named(requirements), named(project["dependencies"])
    assert library.items() <= everything.items()
    assert all(span and "<" in span for span in everything.values()), "each package has a range"
    assert "-e ." in requirements


def test_readme_commands_are_those_that_ci_runs():
    readme = (ROOT / "README.md").read_text("utf-8")
    ci = (ROOT / ".ci" / "run").read_text("utf-8")
    setup, train, test = (
        "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt",
        ".venv/bin/dcgan --mode train",
        ".venv/bin/pytest --nbval",
    )
    for command in (train, test):
        assert f"\n{setup} && {command}\n" in readme
    assert f"\n{setup} && {test}\n" in ci


def test_readme_leads_to_every_notebook():
    readme = (ROOT / "README.md").read_text("utf-8")
    for path in NOTEBOOKS:
        assert f"](notebooks/{path.name})" in readme, path.name


def test_library_has_no_module_that_imports_from_one_below_it():
    order = ["backend", "files", "data", "models", "training", "generating", "metrics", "callbacks", "__main__"]
    for position, name in enumerate(order):
        text = (ROOT / "dcgan_lib" / f"{name}.py").read_text("utf-8")
        imported = re.findall(r"^\s*from \.(\w+) import", text, re.M)
        for line in re.findall(r"^\s*from \. import (.+)", text, re.M):
            imported += line.split(", ")
        assert (imported or position < 2) and set(imported) <= set(order[:position]), name
    assert re.findall(r"^\s*from \.(\w+) import", (ROOT / "dcgan_lib" / "animations.py").read_text("utf-8"), re.M) == [
        "files"
    ]
