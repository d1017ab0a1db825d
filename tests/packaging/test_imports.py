"""Imports between the package's files: none goes round in a circle, all follow the table of docs/architecture.md.

Imports inside functions and those for type checkers count as well. Faces of packages that look names up when they are
first used (PEP 562) are the one exception, and they are listed here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

LAZY_FACES = {"gradcheck", "gradcheck.cases", "gradcheck.harness", "gradcheck.searching"}


def files_of(root: Path, package: str = "gradcheck") -> dict[str, Path]:
    """The package's files by module name; ``gradcheck.harness`` is ``gradcheck/harness/__init__.py``."""
    found = {}
    folders = {package: root / package, f"{package}.strategies": root / "strategies"}
    for name, folder in folders.items():
        # The link to the folder strategies is followed by some versions of Python only.
        for path in folder.rglob("*.py"):
            parts = path.relative_to(folder).with_suffix("").parts
            if name == package and parts[0] == "strategies":
                continue
            found[".".join((name, *(parts[:-1] if parts[-1] == "__init__" else parts)))] = path
    return found


def imported(path: Path, modules: Mapping[str, Path]) -> Iterator[str]:
    """The modules among these that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                if inner in modules:
                    yield inner
                elif node.module in modules:
                    yield str(node.module)


def imports_of(modules: Mapping[str, Path]) -> dict[str, set[str]]:
    """For each module what it imports of the package, itself left out."""
    return {name: set(imported(path, modules)) - {name} for name, path in modules.items()}


def circle_in(imports: Mapping[str, set[str]]) -> list[str]:
    """Modules that import each other in a circle, the first one again at the end; empty where there are none."""
    done: set[str] = set()

    def visit(module: str, way: list[str]) -> list[str]:
        if module in way:
            return [*way[way.index(module) :], module]
        if module not in done:
            for other in sorted(imports[module]):
                found = visit(other, [*way, module])
                if found:
                    return found
            done.add(module)
        return []

    return next(filter(None, (visit(module, []) for module in sorted(imports))), [])


def entries_of(page: str) -> list[str]:
    """The entries of the table of floors in their order, as module names: ``harness/`` is ``gradcheck.harness``."""
    table = page.partition("## Floors")[2].partition("\n## ")[0]
    cells = [line.split("|")[2] for line in table.splitlines() if re.match(r"\| \d+ \|", line)]
    names = [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]
    return [
        "gradcheck" if name == "__init__.py" else "gradcheck." + name.removesuffix(".py").rstrip("/").replace("/", ".")
        for name in names
    ]


def place_of(module: str, entries: list[str]) -> int | None:
    """The number of the entry that a module belongs to, the most particular one; None where it has none."""
    belongs = [e for e in entries if module == e or (module.startswith(f"{e}.") and e != "gradcheck")]
    return entries.index(max(belongs, key=len)) if belongs else None


def wrong_way(imports: Mapping[str, set[str]], entries: list[str]) -> list[str]:
    """Imports of what stands further down in the table."""
    place = {module: place_of(module, entries) for module in imports}
    return [
        f"{module} imports {other}"
        for module, others in sorted(imports.items())
        for other in sorted(others)
        if (here := place[module]) is not None and (there := place[other]) is not None and there > here
    ]


@pytest.fixture(scope="module")
def modules() -> dict[str, Path]:
    return files_of(ROOT)


@pytest.fixture(scope="module")
def imports(modules) -> dict[str, set[str]]:
    return imports_of(modules)


@pytest.fixture(scope="module")
def entries() -> list[str]:
    return entries_of((ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"))


def test_no_files_import_each_other_in_a_circle(imports) -> None:
    assert " -> ".join(circle_in(imports)) == ""


def test_every_import_follows_the_table(imports, entries) -> None:
    assert wrong_way(imports, entries) == []


def test_every_file_has_one_place_in_the_table(modules, entries) -> None:
    assert [module for module in modules if place_of(module, entries) is None] == []
    assert [entry for entry in entries if entry not in modules or entries.count(entry) > 1] == []


def test_faces_that_hand_names_on_lazily_are_listed(modules) -> None:
    """The tests above do not see what a face looks up by name."""

    def is_lazy(path: Path) -> bool:
        body = ast.parse(path.read_text(encoding="utf-8")).body
        defined = {node.name for node in body if isinstance(node, ast.FunctionDef)}
        assigned = {ast.unparse(target) for node in body if isinstance(node, ast.Assign) for target in node.targets}
        return "__getattr__" in defined | assigned

    assert {name for name, path in modules.items() if is_lazy(path)} == LAZY_FACES


@pytest.mark.parametrize(
    "back",
    [
        "from gradcheck.above import f",
        "def g():\n    import gradcheck.above",
        "if TYPE_CHECKING:\n    import gradcheck.above",
    ],
    ids=["plain", "in-a-function", "for-types"],
)
def test_the_tests_above_can_fail(tmp_path: Path, back: str) -> None:
    package = tmp_path / "gradcheck"
    (package / "below").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "below" / "__init__.py").touch()
    (package / "above.py").write_text("from gradcheck.below import part\n")
    (package / "below" / "part.py").write_text(f"{back}\n")
    imports = imports_of(files_of(tmp_path))
    assert circle_in(imports) == ["gradcheck.above", "gradcheck.below.part", "gradcheck.above"]
    page = "## Floors\n\n| | | |\n|---|---|---|\n| 1 | `below/` | |\n| 2 | `above.py`, `__init__.py` | |\n"
    assert wrong_way(imports, entries_of(page)) == ["gradcheck.below.part imports gradcheck.above"]
    (package / "below" / "part.py").write_text("")
    imports = imports_of(files_of(tmp_path))
    assert (circle_in(imports), wrong_way(imports, entries_of(page))) == ([], [])
