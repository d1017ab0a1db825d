"""Where the names of a piece of source come from: which it needs from outside, and giving them other names."""

from __future__ import annotations

import ast
import symtable

__all__ = ["attributes_used", "needed", "renamed", "without_nonlocal"]


def needed(source: str) -> list[str]:
    """Names that the source reads and does not bind itself, in the order in which they stand.

    Annotations do not count: with ``from __future__ import annotations`` they are never evaluated.
    """
    tree = _WithoutAnnotations().visit(ast.parse(source))
    plain = ast.unparse(ast.fix_missing_locations(tree))
    wanted: set[str] = set()

    def collect(table: symtable.SymbolTable) -> None:
        for symbol in table.get_symbols():
            outside = symbol.is_global() or (table.get_type() == "module" and not symbol.is_assigned())
            bound_here = table.get_type() == "module" and (symbol.is_assigned() or symbol.is_imported())
            if symbol.is_referenced() and outside and not bound_here:
                wanted.add(symbol.get_name())
        for child in table.get_children():
            collect(child)

    top = symtable.symtable(plain, "<subject>", "exec")
    collect(top)
    # A function may name itself, or a sibling in the same piece of source: those are bound by it.
    bound = {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported() or s.is_namespace()}
    order = {node.id: None for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return [name for name in order if name in wanted and name not in bound]


class _WithoutAnnotations(ast.NodeTransformer):
    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.returns = None
        self.generic_visit(node)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        node.annotation = ast.Constant("annotation")
        return node


def attributes_used(source: str, name: str) -> list[str]:
    """The attributes that the source takes of a name: ``["f"]`` for ``helpers.f(x)``."""
    return list(
        dict.fromkeys(
            node.attr
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == name
        )
    )


def renamed(source: str, names: dict[str, str]) -> str:
    """The source with names replaced wherever they stand as names, text and comments untouched."""
    if not names:
        return source
    lines = [line.encode() for line in source.splitlines(keepends=True)]
    places: list[tuple[int, int, str]] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name) and node.id in names:
            places.append((node.lineno, node.col_offset, node.id))
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name in names:
            line = lines[node.lineno - 1]
            start = line.index(node.name.encode(), node.col_offset + len("def "))
            places.append((node.lineno, start, node.name))
        elif isinstance(node, ast.Global):
            for name in node.names:
                if name in names:
                    start = lines[node.lineno - 1].index(name.encode(), node.col_offset + len("global "))
                    places.append((node.lineno, start, name))
    for row, column, name in sorted(places, reverse=True):
        line = lines[row - 1]
        lines[row - 1] = line[:column] + names[name].encode() + line[column + len(name.encode()) :]
    return b"".join(lines).decode()


def without_nonlocal(source: str, outer: set[str]) -> str:
    """The source of a function taken out of another one: what was a variable of that is a global here."""
    lines = source.splitlines(keepends=True)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Nonlocal) and set(node.names) & outer:
            lines[node.lineno - 1] = lines[node.lineno - 1].replace("nonlocal", "global", 1)
    return "".join(lines)
