r"""Read an equation as the book writes it, and compute its sides.

The book's notation is small: sums over indices, products without a sign, transposes, fractions, a
few functions. `equations_in` cuts a formula into equations, an `Equation` compiles each side, and
`Equation.deviation` tells how far apart they are. What a name stands for is given under its own
spelling: "y", r"\delta_l", r"\hat Y", ``d("L", "W")`` for \frac{\partial L}{\partial W}. A range or
a tuple makes a name an index, with all values that it can have. Arrays are counted from 1, as in
formulas; dictionaries hold steps of time or layers under their numbers. Factors side by side are
multiplied as matrices where their shapes ask for it, else entry by entry.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import product
from typing import Any

import numpy as np

from backprop import activations

Node = Callable[[Mapping[str, Any]], Any]

LAYOUT = re.compile(
    r"(\\\\)|\\(?:begin|end)\{(?:aligned|gathered)\}|[\s~]"
    r"|\\(?:[,;:! ]|(?:[bB]igg?[lr]|left\.?|right|textstyle|displaystyle)(?![A-Za-z]))"
)
TOKEN = re.compile(
    r"\\text\{[^{}]*\}|\\(?:begin|end)\{[a-z]+\}|\\\\(?:\[\d+pt\])?|&&|\\[A-Za-z]+|\\."
    r"|\d+(?:\{,\}\d+)*(?:\.\d+)?|.",
    re.DOTALL,
)
SEPARATORS = {
    ",",
    ".",
    "&&",
    "\\\\",
    "\\quad",
    "\\qquad",
    "\\Longrightarrow",
    "\\Longleftrightarrow",
}
RELATIONS = {"=", "\\approx", "<", ">", "\\leftarrow"}
COMPARISONS: dict[str, Any] = {
    "=": np.equal,
    "<": np.less,
    ">": np.greater,
    "\\le": np.less_equal,
}
SIGNS: dict[str, int] = {"+": 1, "-": -1}
BRACKETS = {"(": ")", "[": "]", "\\lvert": "\\rvert", "\\lVert": "\\rVert", "\\langle": "\\rangle"}
MARKS = {"\\hat", "\\tilde", "\\Delta", "\\nabla", "\\mathbb", "\\mathrm"}  # parts of a name
KNOWN: dict[str, Any] = {
    "\\sigma": activations.sigmoid,
    "\\tanh": np.tanh,
    "\\log": np.log,
    "\\cos": np.cos,
    "\\sin": np.sin,
    "\\pi": np.pi,
    "\\operatorname{sign}": np.sign,
    "\\operatorname{mean}": np.mean,
    "\\operatorname{diag}": np.diag,
    "\\operatorname{Im}": np.imag,
}


class FormulaError(Exception):
    """The formula says something that the reader does not know."""


class Both(float):
    """A number whose name also is a function's, or that of numbers with an index."""

    def __new__(cls, value: float, other: Any) -> Both:
        """Take the number, and what the name means before a bracket or an index."""
        both = super().__new__(cls, value)
        both.other = other
        return both

    other: Any


class OneOf(tuple):
    """Values one of which is meant: cases that are told by words."""


def d(above: str, below: str) -> str:
    """Return the name of a derivative."""
    return f"d{above}/d{below}"


def after(name: str) -> str:
    """Return the name of what an arrow to the left makes."""
    return f"\\leftarrow {name}"


def tokens(latex: str) -> list[str]:
    """Return what a formula consists of, without its layout; text keeps its spaces."""
    parts = re.split(r"(\\text\{[^{}]*\})", latex)
    parts[::2] = [LAYOUT.sub(lambda m: m[1] or " ", part) for part in parts[::2]]
    found = [token for token in TOKEN.findall("".join(parts)) if not token.isspace()]
    return ["\\\\" if token.startswith("\\\\") else token for token in found]


def spelling(name: str) -> str:
    """Return a name with braces around all that stands above or below it."""
    spelled, parts = "", iter(token for token in tokens(name) if token != "\\mathrm")
    for token in parts:
        following = next(parts) if token in {"_", "^"} else ""
        spelled += token + (following if following in {"", "{"} else f"{{{following}}}")
    return spelled


def cut(parts: list[str], marks: Any) -> tuple[list[list[str]], list[str]]:
    """Cut tokens at marks outside of brackets; return the pieces, and the marks between them."""
    pieces: list[list[str]] = [[]]
    found = []
    depth = 0
    for token in parts:
        depth += token in {"{", "(", "[", "\\langle"} or token.startswith("\\begin")
        depth -= token in {"}", ")", "]", "\\rangle"} or token.startswith("\\end")
        if depth == 0 and token in marks:
            pieces.append([])
            found.append(token)
        else:
            pieces[-1].append(token)
    return pieces, found


def equations_in(
    latex: str, names: Mapping[str, Any], leaves: tuple[str, ...] = ()
) -> tuple[list[list[str]], list[str]]:
    """Return the tokens of each equation that can be computed, and the text of what is left out.

    That is what states no equation, such as a shape, and what begins like one of `leaves`. If ""
    has a value, an expression without a relation is an equation, too.
    """
    parts = tokens(latex)
    words = {token for token in parts if token.startswith("\\text") and token not in names}
    found, left_out = [], []
    for piece in cut(parts, SEPARATORS | words)[0]:
        piece = [token for part in cut(piece, "&")[0] for token in part]
        text = "".join(piece)
        if piece[:1] == ["="] and found:  # a row that goes on
            found[-1] += piece
            continue
        left = any(text.startswith("".join(tokens(leave))) for leave in leaves)
        if piece and not left and (cut(piece, RELATIONS)[1] or "" in names):
            found.append(piece)
        elif piece:
            left_out.append(text)
    return found, left_out


class Equation:
    """Sides between signs of equality, compiled, with what their names stand for.

    What stands on both sides of < is compared as if it were equal: the names stand at the boundary,
    and those under "inside" where it holds.
    """

    def __init__(self, parts: list[str], names: Mapping[str, Any]):
        self.names = {spelling(name): value for name, value in names.items()}
        self.free: set[str] = set()  # the indices that no sum binds
        self.pairs: list[tuple[Node, Node]] = []
        made = {n.removeprefix("\\leftarrow"): v for n, v in self.names.items()}
        sides, relations = cut(parts, RELATIONS)
        nodes = []
        for side, relation in zip(sides, [*relations, ""], strict=True):
            known = made if relation == "\\leftarrow" else self.names
            reader = Reader(side, known, self.free)
            nodes.append(reader.whole())
            self.pairs += reader.asides
        if len(sides) == 1:
            nodes.append(lambda scope: self.value(scope))
        self.holds = all(  # what says which of two sides is larger
            COMPARISONS[relation](left(self.names), right(self.names))
            for left, relation, right in zip(nodes, relations, nodes[1:], strict=False)
            if relation in {"<", ">"}
        )
        if "inside" in self.names:
            apart = {name: value for name, value in self.names.items() if name != "inside"}
            self.holds = Equation(parts, apart | self.names["inside"]).holds
        equal = nodes[1:] if sides[0] == ["0"] else nodes  # 0 < rate < bound
        self.pairs += [(equal[0], node) for node in equal[1:]]

    def value(self, scope: Mapping[str, Any]) -> Any:
        """Return what an expression without a relation must come to, perhaps at a step."""
        known = self.names[""]
        return known[scope[min(self.free)]] if isinstance(known, Mapping) else known

    def deviation(self) -> float:
        """Return the largest difference of two sides: relative, or absolute between small ones.

        Raises
        ------
        FormulaError
            If it can't be computed.
        """
        worst = 0.0 if self.holds else float("inf")
        letters = sorted(self.free)
        for at in product(*(self.names[letter] for letter in letters)):
            scope = self.names | dict(zip(letters, at, strict=True))
            try:
                with np.errstate(all="ignore"):
                    worst = max(worst, *(difference(a(scope), b(scope)) for a, b in self.pairs), 0)
            except (ArithmeticError, IndexError, TypeError, ValueError) as error:
                raise FormulaError(str(error)) from error
        return worst


def difference(a: Any, b: Any) -> float:
    """Return the largest difference of two values, relative to the largest number or to 1."""
    if isinstance(b, OneOf):
        return min(difference(a, value) for value in b)
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape and a.shape and b.shape:
        raise FormulaError(f"shapes {a.shape} and {b.shape}")
    gap = np.max(np.abs(a - b)) / max(1, np.max(np.abs(a)), np.max(np.abs(b)))
    return float("inf" if np.isnan(gap) else gap)


class Reader:
    """A descent through the tokens of one side, which makes a function of a scope."""

    def __init__(self, parts: list[str], names: Mapping[str, Any], free: set[str]):
        self.tokens, self.at = parts, 0
        self.names, self.free = names, free
        self.indices = {name for name, value in names.items() if type(value) in (range, tuple)}
        self.bound: list[str] = []
        self.bars = 0  # how many |...| are open
        self.asides: list[tuple[Node, Node]] = []  # what a brace below says that something is

    def peek(self, ahead: int = 0) -> str:
        return self.tokens[self.at + ahead] if self.at + ahead < len(self.tokens) else ""

    def take(self, expected: str = "") -> str:
        token = self.peek()
        if not token or (expected and token != expected):
            raise FormulaError(f"expected {expected or 'more'}, got {token or 'the end'}")
        self.at += 1
        return token

    def group(self) -> list[str]:
        """Take what stands in braces, or one character, as TeX does."""
        if self.peek() == "{":
            self.take()
            start, depth = self.at, 1
            while depth:
                depth += {"{": 1, "}": -1}.get(self.take(), 0)
            return self.tokens[start : self.at - 1]
        token = self.take()
        if len(token) > 1 and token[0].isdigit():
            self.tokens = [
                *self.tokens[: self.at - 1],
                token[0],
                token[1:],
                *self.tokens[self.at :],
            ]
        return [self.peek(-1)]

    @contextmanager
    def within(self, parts: list[str]) -> Iterator[None]:
        """Read a part of the formula by itself, to its end."""
        outside = self.tokens, self.at, self.bars
        self.tokens, self.at, self.bars = parts, 0, 0
        yield
        if self.peek():
            raise FormulaError(f"{self.peek()} is left over")
        self.tokens, self.at, self.bars = outside

    def inside(self, parts: list[str]) -> Node:
        with self.within(parts):
            return self.sum()

    def whole(self) -> Node:
        return self.inside(self.tokens)

    def sum(self) -> Node:
        result: Node | None = None
        while result is None or self.peek() in {*SIGNS, "\\pm"}:
            sign = self.take() if self.peek() in {*SIGNS, "\\pm"} else "+"
            self.free |= {sign} & self.indices
            if self.peek() == "\\dots":  # smaller terms, which are left out
                self.take()
                continue
            term = self.term()
            term = term if sign == "+" else joined(np.multiply, signed(sign), term)
            result = joined(np.add, result, term) if result else term
        return result

    def term(self) -> Node:
        node = self.factor()
        while self.peek() and not self.ends():
            function: Any = {"/": np.divide, "\\cdot": np.multiply, "\\odot": np.multiply}.get(
                self.peek(), times
            )
            if function is not times:
                self.take()
            node = joined(function, node, self.factor())
        return node

    def ends(self) -> bool:
        """Tell whether the next token ends a product."""
        token = self.peek()
        return (
            token
            in {*SIGNS, "\\pm", ",", "\\mid", "&", "\\\\", "}", *BRACKETS.values(), *COMPARISONS}
            or token.startswith("\\end")
            or (token == "|" and self.bars > 0)
        )

    def factor(self) -> Node:
        node = self.atom()
        while self.peek() in {"^", "_"}:
            if self.take() == "_":
                node = picked(node, self.places(self.group()))
            elif (exponent := self.group()) == ["\\mathsf", "T"]:
                node = joined(np.transpose, node)
            else:
                node = joined(power, node, self.inside(exponent))
        return node

    def atom(self) -> Node:
        token = self.peek()
        special: dict[str, Callable[[], Node]] = {
            "\\frac": self.fraction,
            "\\tfrac": self.fraction,
            "\\dfrac": self.fraction,
            "\\sqrt": self.root,
            "\\sum": lambda: self.over(np.add),
            "\\prod": lambda: self.over(np.multiply),
            "\\max": lambda: self.extreme(np.maximum),
            "\\min": lambda: self.extreme(np.minimum),
            "\\underbrace": self.underbrace,
            "\\underset": self.underset,
            "\\begin{cases}": self.cases,
            "\\begin{pmatrix}": self.matrix,
            "\\cdots": lambda: number("1"),  # factors that are not there: give only the others
            "|": lambda: self.bracket("|"),
            **{opening: lambda: self.bracket(token) for opening in BRACKETS},
        }
        if token in special:
            self.take()
            return special[token]()
        if token == "{":
            return self.inside(self.group())
        if token[:1].isdigit():
            if self.peek(1)[:1].isdigit():
                raise FormulaError(f"{token} beside {self.peek(1)}")
            return number(self.take())
        if token == "e" and self.peek(1) == "^" and "e" not in self.names:
            self.at += 2
            return joined(np.exp, self.inside(self.group()))
        return self.named("")

    def bracket(self, opening: str) -> Node:
        self.bars += opening == "|"
        node = self.sum()
        if opening == "\\langle":
            self.take(",")
            node = joined(lambda a, b: np.sum(a * b), node, self.sum())
        entries = [node]
        while opening == "(" and self.peek() == ",":
            self.take()
            entries.append(self.sum())
        if entries[1:]:
            node = joined(lambda *values: np.stack(values), *entries)
        self.take(BRACKETS.get(opening, "|"))
        self.bars -= opening == "|"
        sizes: dict[str, Any] = {"|": np.abs, "\\lvert": np.abs, "\\lVert": np.linalg.norm}
        return joined(sizes[opening], node) if opening in sizes else node

    def fraction(self) -> Node:
        above, below = self.group(), self.group()
        if above[:1] != ["\\partial"]:
            return joined(np.divide, self.inside(above), self.inside(below))
        with self.within(above[1:]):
            kind = f"d^{{{''.join(self.group())}}}" if self.peek() == "^" and self.take() else "d"
            name = kind + self.spelled(kind)
            places = self.places(self.group()) if self.peek() == "_" and self.take() else []
        with self.within(below[1:] if below[:1] == ["\\partial"] else below):
            return self.named(f"{name}/d", places)

    def root(self) -> Node:
        degree = number("2")
        if self.peek() == "[":
            start = self.at + 1
            while self.take() != "]":
                pass
            degree = self.inside(self.tokens[start : self.at - 1])
        return joined(lambda value, n: value ** (1 / n), self.inside(self.group()), degree)

    def underbrace(self) -> Node:
        node = self.inside(self.group())
        self.take("_")
        below = self.group()
        if not below[0].startswith("\\text"):
            self.asides.append((node, self.inside(below)))
        return node

    def underset(self) -> Node:
        self.group()
        return self.inside(self.group()) if self.peek() == "{" else self.atom()

    def over(self, function: Any) -> Node:
        """Compile a sum or the like over indices: over all that they can be, or from ... to ..."""
        self.take("_")
        below, condition = [*cut(self.group(), ":")[0], []][:2]
        upper = self.group() if self.peek() == "^" and self.take() else []
        below, within = [*cut(below, {"\\in"})[0], []][:2]
        which, lower = [*cut(below, "=")[0], []][:2]
        letters = ["".join(x) for x in primed(which)]
        letters = [letter for letter in letters if letter in self.indices]
        if "\\to" in which:  # over those who go to what is given, or to whom it goes
            letters = [letter for letter in letters if letter not in self.free]
        if not letters or bool(lower) != bool(upper) or (upper and len(letters) > 1):
            raise FormulaError(f"expected indices below a sum, got {''.join(below)}")
        ends = [self.inside(lower), self.inside(upper)] if upper else []
        members = self.inside(within) if within else None
        self.bound += letters
        holds = self.condition(condition) if condition else None
        node = self.term()
        del self.bound[-len(letters) :]

        def compute(scope: Mapping[str, Any]) -> Any:
            ranges = [self.names[letter] for letter in letters]
            if ends:
                first, last = (int(end(scope)) for end in ends)
                ranges = [range(first, last + 1)]
            elif members:
                ranges = [members(scope)]
            scopes = [{**scope, **dict(zip(letters, at, strict=True))} for at in product(*ranges)]
            values = [node(inner) for inner in scopes if holds is None or holds(inner)]
            result = values[0] if values else 0.0
            for value in values[1:]:
                result = function(result, value)
            return result

        return compute

    def condition(self, parts: list[str]) -> Node:
        """Compile a comparison of two sides."""
        pieces, marks = cut(parts, COMPARISONS)
        if len(pieces) != 2:
            raise FormulaError(f"expected a comparison, got {''.join(parts)}")
        return joined(COMPARISONS[marks[0]], *map(self.inside, pieces))

    def extreme(self, function: Any) -> Node:
        if self.peek() == "_":
            return self.over(function)
        return joined(lambda *values: function.reduce(values), *self.arguments())

    def arguments(self) -> list[Node]:
        """Take what stands between brackets, with commas."""
        self.take("(")
        nodes = [self.sum()]
        while self.peek() in {",", "\\mid"}:
            self.take()
            nodes.append(self.sum())
        self.take(")")
        return nodes

    def rows(self, end: str) -> list[list[list[str]]]:
        """Take the rows of an environment, each in columns."""
        start = self.at
        while self.take() != end:
            pass
        return [cut(row, "&")[0] for row in cut(self.tokens[start : self.at - 1], {"\\\\"})[0]]

    def cases(self) -> Node:
        rows = self.rows("\\end{cases}")
        nodes = [self.inside(row[0]) for row in rows]
        if any(row[1][0].startswith("\\text") for row in rows):
            return lambda scope: OneOf(node(scope) for node in nodes)
        tests = [self.condition(row[1]) for row in rows]

        def compute(scope: Mapping[str, Any]) -> Any:
            holding = [node for node, test in zip(nodes, tests, strict=True) if test(scope)]
            if len(holding) != 1:
                raise FormulaError(f"{len(holding)} cases hold at once")
            return holding[0](scope)

        return compute

    def matrix(self) -> Node:
        rows = [[self.inside(entry) for entry in row] for row in self.rows("\\end{pmatrix}")]

        def compute(scope: Mapping[str, Any]) -> Any:
            whole = np.stack(
                [np.stack([node(scope) for node in row], axis=-1) for row in rows], axis=-2
            )
            return whole[..., 0] if len(rows[0]) == 1 else whole  # a column is a vector

        return compute

    def spelled(self, prefix: str) -> str:
        """Take a name: with marks before it, primes, and such indices as belong to it."""
        name = self.take()
        if name == "\\operatorname":
            name += "{" + "".join(self.group()) + "}"
        elif name in MARKS and self.peek() != "_":
            name += "".join(self.group())
            name = "d" + self.take() if name == "\\mathrmd" else name
        while self.peek() == "'":
            name += self.take()
        while self.peek() in {"_", "^"}:
            before = self.tokens, self.at
            longer = f"{name}{self.take()}{{{''.join(self.group())}}}"
            if not any(re.match(re.escape(prefix + longer) + "($|[_^/])", n) for n in self.names):
                self.tokens, self.at = before
                break
            name = longer
        return name

    def named(self, prefix: str, places: list[Node] | None = None) -> Node:
        """Compile a name with its indices, after those given, or with its arguments."""
        name = prefix + self.spelled(prefix)
        places = places or []
        if name in self.indices:
            self.free |= {name} - {*self.bound}
            return lambda scope: scope[name]
        if name not in self.names and name not in KNOWN:
            raise FormulaError(f"nothing is named {name}")
        known = self.names.get(name, KNOWN.get(name))
        if isinstance(known, Both) and self.peek() in {"_", "("}:
            known = known.other
        if callable(known):
            exponent = self.inside(self.group()) if self.peek() == "^" and self.take() else None
            nodes = self.arguments() if self.peek() == "(" else [self.factor()]
            node = joined(known, *nodes)
            return joined(power, node, exponent) if exponent else node
        if self.peek() == "_":
            self.take()
            places = places + self.places(self.group())
        if isinstance(known, Mapping) and not places:
            raise FormulaError(f"{name} has no index")
        return picked(lambda _: known, places) if places else lambda _: known

    def places(self, parts: list[str]) -> list[Node]:
        """Compile indices: letters and digits side by side, or with commas between them."""
        nodes: list[Node] = []
        for piece in cut(parts, ",")[0]:
            found = primed(piece)
            if piece == [":"]:
                nodes.append(lambda _: slice(None))
            elif all("".join(x) in self.indices or x[0].isdigit() for x in found):
                digits = [[[y] for y in x[0]] if x[0].isdigit() else [x] for x in found]
                nodes += [self.inside(x) for group in digits for x in group]
            else:
                nodes.append(self.inside(piece))
        return nodes


def primed(parts: list[str]) -> list[list[str]]:
    """Return tokens, each with its primes."""
    found: list[list[str]] = []
    for token in parts:
        if token == "'" and found:
            found[-1].append(token)
        else:
            found.append([token])
    return found


def number(text: str) -> Node:
    value = float(text.replace("{,}", ""))
    return lambda _: value


def signed(sign: str) -> Node:
    return lambda scope: SIGNS.get(sign) or scope[sign]


def joined(function: Any, *nodes: Node) -> Node:
    """Return the function that applies another to the values of some."""
    return lambda scope: function(*(node(scope) for node in nodes))


def times(a: Any, b: Any) -> Any:
    """Multiply what stands side by side."""
    a, b = np.asarray(a), np.asarray(b)
    if max(a.ndim, b.ndim) == 2 and min(a.ndim, b.ndim) and a.shape[-1] == b.shape[0]:
        return a @ b
    return a * b


def power(base: Any, exponent: Any) -> Any:
    """Raise to a power: a matrix to -1 is inverted, all else goes entry by entry."""
    return np.linalg.inv(base) if np.ndim(base) == 2 and exponent == -1 else base**exponent


def picked(node: Node, places: list[Node]) -> Node:
    """Return the function that picks entries, counted from 1, or from dictionaries by key."""

    def compute(scope: Mapping[str, Any]) -> Any:
        value, at = node(scope), [place(scope) for place in places]
        while at and isinstance(value, Mapping):
            if (key := int(at.pop(0))) not in value:
                raise FormulaError(f"there is no number {key}")
            value = value[key]
        column = any(isinstance(place, slice) for place in at)  # X_{:,i} stays a matrix
        entries: list[Any] = []
        for place in at:
            if isinstance(place, slice):
                entries.append(place)
                continue
            entry = np.asarray(place).astype(int) - 1
            if np.any(entry < 0):
                raise FormulaError(f"there is no entry number {place}")
            entries.append(
                slice(int(entry), int(entry) + 1) if column and not entry.ndim else entry
            )
        return np.asarray(value)[tuple(entries)]

    return compute
