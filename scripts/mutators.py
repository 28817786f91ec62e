"""Mutants of one Python source: what small mistakes it could hold, each as a change of a few characters."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

_COMPARED: dict[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_ARITHMETIC: dict[type, type] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.MatMult: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "minimum": "maximum", "maximum": "minimum"}
_UNHEARD = ("explain", "say", "_say", "warn", "log", "debug", "info", "warning")
"""Calls whose arguments are words for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One mistake.

    Attributes:
        identity: Digest of the function and of the lines before and after; other lines may move.
        line: First line that differs, from 1.
        last: Last line of the place.
        inside: Whether it is in the body of a function, so that only tests that run its lines can see it.
        was: The lines before, without indent.
        now: The lines after.
        source: The whole source, mutated.
    """

    identity: str
    line: int
    last: int
    inside: bool
    was: str
    now: str
    source: str


@dataclass(frozen=True, slots=True)
class _Site:
    node: ast.expr
    text: str
    function: str


def mutants(source: str) -> list[Mutant]:
    """Return all mutants of a source, in its order; those that do not compile are left out."""
    found, times = [], {}
    for site in _sites(ast.parse(source), ""):
        mutant = _mutant(source, site, times)
        try:
            compile(mutant.source, "mutant", "exec")
        except SyntaxError:
            continue
        found.append(mutant)
    return found


def _mutant(source: str, site: _Site, times: dict[str, int]) -> Mutant:
    data, node = source.encode(), site.node
    starts = [0]
    for row in data.splitlines(keepends=True):
        starts.append(starts[-1] + len(row))
    first, last = node.lineno, node.end_lineno or node.lineno
    begin, end = starts[first - 1] + node.col_offset, starts[last - 1] + (node.end_col_offset or 0)
    mutated = (data[:begin] + site.text.encode() + data[end:]).decode()
    was = data[starts[first - 1] : starts[last]].decode().strip()
    now = (data[starts[first - 1] : begin] + site.text.encode() + data[end : starts[last]]).decode().strip()
    key = f"{site.function}\n{was}\n{now}"
    times[key] = times.get(key, 0) + 1
    identity = hashlib.sha256(f"{key}\n{times[key]}".encode()).hexdigest()[:10]
    return Mutant(
        identity=identity, line=first, last=last, inside=bool(site.function), was=was, now=now, source=mutated
    )


def _sites(node: ast.AST, function: str) -> Iterator[_Site]:
    for child, inside in _children(node, function):
        if isinstance(child, ast.expr):
            yield from (_Site(place, f"({text})", inside) for place, text in _changes(child))
        if isinstance(child, ast.If | ast.While | ast.IfExp) and not isinstance(child.test, ast.Compare | ast.UnaryOp):
            yield _Site(child.test, f"(not ({ast.unparse(child.test)}))", inside)
        if isinstance(child, ast.Return) and child.value is not None and not _is(child.value, None):
            yield _Site(child.value, "(None)", inside)
        yield from _sites(child, inside)


def _children(node: ast.AST, function: str) -> Iterator[tuple[ast.AST, str]]:
    """Children worth a look: no annotations, decorators, texts, assertions or what an error says."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list") or (name == "exc" and isinstance(node, ast.Raise)):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or _is_skipped(child):
                continue
            entered = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and name == "body"
            yield child, f"{function}.{node.name}" if entered else function  # type: ignore[attr-defined]


def _is_skipped(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert | ast.JoinedStr | ast.Import | ast.ImportFrom):
        return True
    if isinstance(node, ast.keyword):
        return node.arg in ("strict", "flush", "indent")
    if isinstance(node, ast.Assign):
        return any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets)
    if isinstance(node, ast.If):
        return ast.unparse(node.test).endswith("TYPE_CHECKING")
    called = node.func if isinstance(node, ast.Call) else None
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    return name in _UNHEARD


def _is(node: ast.expr, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _changes(node: ast.expr) -> Iterator[tuple[ast.expr, str]]:
    """(expression, what stands in its place) of each mistake at one expression."""
    if isinstance(node, ast.Compare):
        for position, operator in enumerate(node.ops):
            for other in _COMPARED[type(operator)]:
                ops = [*node.ops[:position], other(), *node.ops[position + 1 :]]
                yield node, ast.unparse(ast.Compare(left=node.left, ops=ops, comparators=node.comparators))
    elif isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC and not _is_text(node):
        yield node, ast.unparse(ast.BinOp(left=node.left, op=_ARITHMETIC[type(node.op)](), right=node.right))
    elif isinstance(node, ast.BoolOp):
        other_op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield node, ast.unparse(ast.BoolOp(op=other_op, values=node.values))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub | ast.Invert):
        yield node, ast.unparse(node.operand)
    elif isinstance(node, ast.Constant):
        yield from ((node, text) for text in _other_constants(node.value))
    elif isinstance(node, ast.Name) and node.id in _NAMES and isinstance(node.ctx, ast.Load):
        yield node, _NAMES[node.id]
    elif isinstance(node, ast.Attribute) and node.attr in _NAMES:
        yield node, f"{ast.unparse(node.value)}.{_NAMES[node.attr]}"


def _other_constants(value: object) -> tuple[str, ...]:
    if isinstance(value, bool):
        return (repr(not value),)
    if isinstance(value, int):
        return (repr(value + 1), repr(value - 1))
    if isinstance(value, float):
        return (repr(value * 2 + 1), repr(-value)) if value else ("1.0",)
    return ()


def _is_text(node: ast.BinOp) -> bool:
    """Whether texts are joined: a difference of texts is no mistake that anyone makes."""
    return any(isinstance(side, ast.Constant) and isinstance(side.value, str) for side in (node.left, node.right))
