"""The project's own files agree with each other."""

import ast
import re
import subprocess
import sys
import tomllib

from packaging.specifiers import SpecifierSet

from notebook_tools import NOTEBOOKS, ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
MODULES = [
    "errors", "backend", "files", "reading", "data", "own_images", "models", "noise", "training", "steps",
    "devices", "generating", "pictures", "runs", "metrics", "callbacks", "help_texts", "command_line", "benchmark",
    "__main__",
]
ENGINES = ["engines.on_tensorflow", "engines.on_jax", "engines.on_torch"]  # of which `backend` loads one


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
    everything, library = named(requirements), named(PYPROJECT["project"]["dependencies"])
    assert library.items() <= everything.items()
    assert all(span and "<" in span for span in everything.values()), "each package has a range"
    assert "-e ." in requirements


def test_readme_commands_are_those_that_ci_runs():
    readme = (ROOT / "README.md").read_text("utf-8")
    ci = (ROOT / ".ci" / "run").read_text("utf-8")
    setup = "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt"
    test = f"{setup} -e '.[jax,torch]' && .venv/bin/pytest"
    for command in (f"{setup} && .venv/bin/dcgan --mode train", test):
        assert f"\n{command}\n" in readme
    assert f"\n{test}\n" in ci


def test_readme_leads_to_every_notebook():
    readme = (ROOT / "README.md").read_text("utf-8")
    for path in NOTEBOOKS:
        assert f"](notebooks/{path.name})" in readme, path.name


def test_readme_asks_for_the_tensorflow_of_the_requirements():
    span = named(PYPROJECT["project"]["dependencies"])["tensorflow"]
    assert f'"tensorflow[and-cuda]{span}"' in (ROOT / "README.md").read_text("utf-8")


def imported(path):
    """The modules of the package that the one at ``path`` imports, by their names inside the package."""
    package = ("dcgan_lib", *path.relative_to(ROOT / "dcgan_lib").parts[:-1])
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else ()
            origin = ".".join([*above, *([node.module] if node.module else [])])
            names_modules = (ROOT / origin.replace(".", "/")).is_dir()
            found |= {f"{origin}.{alias.name}" for alias in node.names} if names_modules else {origin}
    return {name.removeprefix("dcgan_lib.") for name in found if name.startswith("dcgan_lib")}


def test_library_has_no_module_that_imports_from_one_below_it():
    folder = ROOT / "dcgan_lib"
    assert {path.stem for path in folder.glob("*.py")} == {"__init__", *MODULES}
    for position, name in enumerate(MODULES):
        free = {name, *ENGINES}  # a module that is also a program imports itself
        assert imported(folder / f"{name}.py") - free <= set(MODULES[:position]), name
    assert imported(folder / "command_line.py"), "what is imported is found"


def test_each_engine_stands_alone():
    assert {f"engines.{path.stem}" for path in (ROOT / "dcgan_lib" / "engines").glob("on_*.py")} == set(ENGINES)
    parts = {}
    for name in ENGINES:
        path = ROOT / "dcgan_lib" / f"{name.replace('.', '/')}.py"
        assert not imported(path), name
        parts[name] = {node.name for node in ast.parse(path.read_text("utf-8")).body
                       if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")}
    assert parts[ENGINES[0]] == parts[ENGINES[1]] == parts[ENGINES[2]], "each does the same things"


def test_animations_need_nothing_of_the_networks():
    for path in (ROOT / "dcgan_lib" / "animations").glob("*.py"):
        others = {name for name in imported(path) if not name.startswith("animations.")}
        assert others <= {"errors", "files"}, path.name


def test_every_package_is_installed_and_so_are_the_weights():
    folders = {path.parent for path in (ROOT / "dcgan_lib").rglob("*.py")}
    packages = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    tools = PYPROJECT["tool"]["setuptools"]
    assert packages | {"dcgan_lib.assets"} == set(tools["packages"])
    assets = ROOT / tools["package-dir"]["dcgan_lib.assets"]
    installed = {path.name for kind in tools["package-data"]["dcgan_lib.assets"] for path in assets.glob(kind)}
    assert installed == {f"{name}.weights.h5" for name in ("discriminator", "generator", "judge")} | {"run.json"}


def test_citation_has_the_version_and_the_licence_of_the_package():
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    for key in ("version", "license"):
        assert re.findall(rf"^{key}: (.+)$", citation, re.M) == [PYPROJECT["project"][key]]


def test_workflows_use_every_python_that_the_package_allows():
    allowed = SpecifierSet(PYPROJECT["project"]["requires-python"])
    texts = [path.read_text("utf-8") for path in (ROOT / ".github" / "workflows").glob("*.yml")]
    used = set(re.findall(r"python(?:-version)?: \"?([\d.]+)", " ".join(texts)))
    assert used == {f"3.{minor}" for minor in range(30) if f"3.{minor}" in allowed}


def test_the_marker_of_slow_tests_is_registered(pytestconfig):
    assert any(line.startswith("slow:") for line in pytestconfig.getini("markers"))
    assert pytestconfig.getoption("strict_markers")


def test_ruff_finds_nothing():
    ruff = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format=concise", "."],
        cwd=ROOT, capture_output=True, text=True, encoding="utf-8",
    )
    assert ruff.returncode == 0, ruff.stdout + ruff.stderr
