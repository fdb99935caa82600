"""Small mistakes, made by a machine: each changes one place of a module."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from mutant import Mutant, matches, parse, replace

# Code, and what takes its place, one thing at a time. A capital letter stands for any expression.
RULES = """
A + B: A - B, A, B           A - B: A + B, A, B - A      A * B: A / B, A, B, A * B * B
A / B: A * B, A, B / A       A ** B: A * B, A            A // B: A % B      A % B: A // B, A
A @ B: B @ A, A, B           A & B: A | B, A, B          A | B: A, B        A.T: A
-A: A                        ~A: A                       not A: A           A in B: A not in B
A < B: A <= B, A >= B        A <= B: A < B, A > B        A == B: A != B     A not in B: A in B
A > B: A >= B, A <= B        A >= B: A > B, A < B        A != B: A == B     A is B: A is not B
A < B < C: A <= B < C, A < B <= C, A < B, B < C          A is not B: A is B
A <= B < C: A < B < C, A <= B <= C, A <= B, B < C        A == B == C: A == B, B == C
A <= B <= C: A < B <= C, A <= B < C, A <= B, B <= C      A == B > C: A == B >= C, A == B, B > C
A and B: A or B, A, B        A and B and C: A and B, A and C, B and C, A and B or C
A or B: A and B, A, B        A or B or C: A or B, A or C, B or C
A += B: pass, A = B, A -= B  A -= B: pass, A = B, A += B              A |= B: pass, A = B
A *= B: pass, A = B, A /= B  A /= B: pass, A *= B                     A = A + B: A += B
A if B else C: C if B else A           A = A - B: A -= B              A = A * B: A *= B
return A: pass               raise A(B): pass                         raise A(B) from C: pass
A.copy(): A                  A.astype(B): A                           A.astype(B, copy=C): A
reversed(A): A               sorted(A): A                             set(A): A
Annotated[A, B]: A           Annotated[A, B, C]: A, Annotated[A,B]
"""
SKIPPED = "array abs sqrt exp log log1p sign square sin cos tanh radians"
RULES += "".join(f"np.{f}(A): A  math.{f}(A): A\n" for f in SKIPPED.split())
OTHER = "sum mean max min maximum minimum argmax argmin any all zeros ones zeros_like ones_like"
OTHER = dict(zip(OTHER.split()[::2], OTHER.split()[1::2], strict=True))
OTHER |= {new: old for old, new in OTHER.items()} | {"sin": "cos", "cos": "sin", "floor": "ceil"}
SYMMETRIC = "max min maximum minimum isinstance getattr vdot swapaxes shares_memory"
# Without the first nothing runs, without a cache the same runs slower; keywords nobody sees.
DECORATORS = ["property", "classmethod", "staticmethod", "dataclass", "functools.cache"]
UNSEEN = ["strict", "bound", "repr", "zorder", "lw", "ms", "mew", "fontsize", "linespacing"]
RULE = [rule.split(": ") for line in RULES.splitlines() for rule in re.split(" {2,}", line) if rule]
PATTERNS = [(parse(old), old, new) for old, news in RULE for new in news.split(", ")]


def changed(node: Any, **fields: Any) -> str:
    return ast.unparse(type(node)(**dict(ast.iter_fields(node)) | fields))


def exchanged(node: Any, field: str) -> Iterator[tuple[str, Any, str]]:
    """Exchange neighbours, but not texts, which are names in messages."""
    for i, two in enumerate(pairwise(items := getattr(node, field))):
        texts = [isinstance(getattr(x, "value", x), str | ast.JoinedStr) for x in two]
        if not any(texts) and not any(isinstance(x, ast.Starred | ast.Slice) for x in two):
            new = [*items[:i], two[1], two[0], *items[i + 2 :]]
            yield "exchange", node, changed(node, **{field: new})


def of_node(node: Any, bound: set[str]) -> Iterator[tuple[str, Any, str]]:
    """Yield the name of a change, what it takes away, and what it puts there."""
    for pattern, old, new in PATTERNS:
        letters: dict[str, str] = {}
        if matches(pattern, node, letters):
            parts = re.split(r"(?<![.\w])([A-Z])\b", new)
            yield f"{old} -> {new}", node, "".join(letters.get(part, part) for part in parts)
    places: list[Any] = []
    match node:
        case ast.Constant(value=int(value) | float(value)):
            near = [value + 1, value - 1] if isinstance(value, int) else [2 * value or 1.0]
            for new in [not value] if isinstance(value, bool) else near:
                yield "constant", node, str(new)
        case ast.Constant(value=str(value)) if re.fullmatch(r"[(\[].*, .*[)\]]", value):
            for bracket, other in ("([", "[(", ")]", "])"):
                if bracket in value:
                    yield "interval", node, repr(value.replace(bracket, other))
        case ast.List(ctx=ast.Load()) | ast.Tuple(ctx=ast.Load()):
            yield from exchanged(node, "elts")
        case ast.Subscript(slice=index):
            places = getattr(index, "elts", [index])
        case ast.Slice(lower=lower, upper=upper):
            places = [lower, upper]
        case ast.Call(func=f, args=args, keywords=keywords):
            name = getattr(f, "attr", ast.unparse(f))
            places = args if name == "range" else []
            yield from exchanged(node, "args") if name not in SYMMETRIC.split() else ()
            if name in OTHER and isinstance(f, ast.Attribute):
                other = parse(changed(f, attr=OTHER[name]))
                yield "other function", node, changed(node, func=other)
            for word in (k for k in keywords if k.arg not in UNSEEN):
                others = [k for k in keywords if k is not word]
                yield "argument dropped", node, changed(node, keywords=others)
        case ast.If(test=test) | ast.While(test=test) | ast.comprehension(ifs=[test]):
            if not isinstance(test, ast.Compare | ast.UnaryOp):
                yield "negated", test, f"not ({ast.unparse(test)})"
        case ast.Expr(value=ast.Call()) | ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield "statement dropped", node, "pass"
        case ast.Assign() if bound.issuperset(ast.unparse(node.targets).strip("()").split(", ")):
            yield "statement dropped", node, "pass"
        case ast.FunctionDef(args=args, body=body, decorator_list=decorators):
            for decorator in decorators:
                if ast.unparse(getattr(decorator, "func", decorator)) not in DECORATORS:
                    yield "decorator dropped", decorator, "(lambda f: f)"
            first = body[1 if ast.get_docstring(node) and body[1:] else 0]
            optional = [*args.args[len(args.args) - len(args.defaults) :], *args.kwonlyargs]
            for a, default in zip(optional, [*args.defaults, *args.kw_defaults], strict=True):
                if default:
                    fixed = f"{a.arg} = {ast.unparse(default)}\n{ast.unparse(first)}"
                    yield "argument ignored", first, fixed
    for place in places:
        if isinstance(place, ast.Name | ast.BinOp | ast.Attribute | ast.Call):
            yield from (("off by one", place, f"({ast.unparse(place)}) {d} 1") for d in "+-")


def is_left_alone(child: Any, node: Any) -> bool:
    """Tell whether no more than a text for people, the order of a set or a look could change."""
    numbers = all(isinstance(x, ast.Constant) for x in getattr(child, "elts", [child]))
    look = getattr(child, "arg", "") in UNSEEN or (isinstance(node, ast.Dict) and numbers)
    members = isinstance(node, ast.Compare | ast.ExceptHandler) and isinstance(child, ast.Tuple)
    length = isinstance(child, ast.UnaryOp) and ast.unparse(node).split("(")[0].endswith("reshape")
    return look or members or length or isinstance(node, ast.Raise | ast.JoinedStr)


def changes(node: Any, scope: str, bound: set[str], hint: bool) -> Iterator[tuple[Any, ...]]:
    """Yield the same with the scope first, for a tree; of a type hint, only what is checked."""
    match node:
        case ast.FunctionDef(name=name, args=args):
            scope, bound = f"{scope}.{name}", {a.arg for a in [*args.args, *args.kwonlyargs]}
        case ast.ClassDef(name=name):
            scope, bound = f"{scope}.{name}", set()
    for change in of_node(node, bound):
        if not hint or change[0].startswith(("Annotated", "interval")):
            yield scope, *change
    hint |= isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript) and not scope
    for field, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not is_left_alone(child, node):
                in_hint = hint or field in ("annotation", "returns")
                yield from changes(child, scope, bound, in_hint)
    if isinstance(node, ast.stmt):
        bound |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def mutants_of(module: str, source: str) -> list[Mutant]:
    """Return all mutants of a module, each once, in the order of its lines."""
    found: dict[str, Mutant] = {source: Mutant("", "", "", "", "")}
    for scope, name, old, new in changes(ast.parse(source), "", set(), False):
        text = replace(source, old, old, new)
        found.setdefault(text, Mutant(module, scope.lstrip("."), name, source, text))
    return list(found.values())[1:]
