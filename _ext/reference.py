"""Sphinx extension: the package's reference, from its source alone; nothing is imported.

``.. reference:: losses network`` makes a section of each module: its docstring, then whatever is
public, in the order of the source. Shapes and ranges that annotations state with ``Annotated`` are
written as in the book, and ``(eq: label)`` leads to the equation. No module may be left out.
"""

from __future__ import annotations

import ast
import copy
import functools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from docutils import nodes
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.domains.math import MathDomain
from sphinx.domains.python import PythonDomain
from sphinx.environment import BuildEnvironment
from sphinx.ext.napoleon import Config
from sphinx.ext.napoleon.docstring import NumpyDocstring
from sphinx.roles import XRefRole
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, switch_source_input
from sphinx.util.nodes import make_refnode
from sphinx.util.parsing import nested_parse_to_nodes

PACKAGE = Path(__file__).parents[1] / "code" / "backprop"
WIDTH = 72  # the value of a longer constant is not shown
NUMPY_STYLE: Any = Config(
    napoleon_use_param=False,
    napoleon_custom_sections=[
        ("Attributes", "params_style"),
        ("Raises", "params_style"),
        ("Returns", "returns_style"),
    ],
)


class Module(ast.NodeTransformer):
    """The source of one module; as a transformer it writes out what annotations mean."""

    def __init__(self, name: str) -> None:
        self.name = f"backprop.{name}"
        source = (PACKAGE / f"{name}.py").read_text(encoding="utf-8")
        self.lines, self.tree = source.splitlines(), ast.parse(source)
        self.classes = {n.name: n for n in self.tree.body if isinstance(n, ast.ClassDef)}
        self.aliases: dict[str, ast.expr] = {}  # name -> the Annotated[...] that it stands for
        self.homes: dict[str, str] = {}  # name -> its full name, if it belongs to the package
        for node in self.tree.body:
            match node:
                case ast.ImportFrom(module=str(where)) if where.startswith("backprop."):
                    other, names = read(where[9:]), {alias.name for alias in node.names}
                    self.aliases |= {n: a for n, a in other.aliases.items() if n in names}
                    self.homes |= {n: h for n, h in other.homes.items() if n in names}
                case ast.Assign([ast.Name(name)], ast.Subscript(ast.Name("Annotated")) as value):
                    self.aliases[name] = value
                case (
                    ast.ClassDef(name=name)
                    | ast.Assign([ast.Name(name)])
                    | ast.AnnAssign(ast.Name(name))
                ):
                    self.homes[name] = f"{self.name}.{name}"

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Put what an alias stands for in its place."""
        alias = copy.deepcopy(self.aliases.get(node.id))
        return cast(ast.expr, self.visit(alias)) if alias else node

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        """Turn ``Annotated[Array, "N K"]`` into ``Array (N, K)``, a range into ``float in ...``."""
        self.generic_visit(node)
        if not isinstance(node.slice, ast.Tuple) or ast.unparse(node.value) != "Annotated":
            return node
        kind, *rules = node.slice.elts
        text = ast.unparse(kind)
        for rule in rules:
            match rule:
                case ast.Constant(str(interval)) if text in ("int", "float"):
                    text += f" in {interval.replace('inf', '∞')}"
                case ast.Constant("..."):
                    text += " of any shape"
                case ast.Constant(str(axes)):
                    text += f" ({', '.join(axes.split())}{'' if ' ' in axes else ','})"
        return ast.Name(text)

    def text(self, node: ast.AST) -> str:
        """Return source text in which annotations are written out."""
        return ast.unparse(self.visit(copy.deepcopy(node)))

    def parameters(self, function: ast.FunctionDef) -> list[str]:
        """Return the parameters of a function, and of a method all but the first."""
        a = function.args
        texts = [self.text(p) for p in (*a.posonlyargs, *a.args)]
        for i, default in enumerate(reversed(a.defaults), 1):
            texts[-i] += f" = {ast.unparse(default)}"
        if a.vararg or a.kwonlyargs:
            texts.append("*" + (self.text(a.vararg) if a.vararg else ""))
        for p, value in zip(a.kwonlyargs, a.kw_defaults, strict=True):
            texts.append(self.text(p) + (f" = {ast.unparse(value)}" if value else ""))
        texts += [f"**{self.text(a.kwarg)}"] if a.kwarg else []
        return texts[1:] if texts and texts[0] in ("self", "cls") else texts

    def constructor(self, cls: ast.ClassDef) -> list[str]:
        """Return the parameters of a class: of its __init__, or its own and inherited fields."""
        fields: dict[str, str] = {}
        for base in cls.bases:
            if isinstance(base, ast.Name) and base.id in self.classes:
                inherited = self.constructor(self.classes[base.id])
                fields |= {text.split(":")[0]: text for text in inherited}
        for node in cls.body:
            match node:
                case ast.FunctionDef("__init__"):
                    return self.parameters(node)
                case ast.AnnAssign(ast.Name(name)):
                    if not re.search("ClassVar|init=False", text := self.text(node)):
                        fields[name] = text
        return list(fields.values())

    def comment_above(self, node: ast.stmt) -> str:
        """Return the comment that ends on the line before a statement."""
        first = last = node.lineno - 1
        while self.lines[first - 1].startswith("# "):
            first -= 1
        return "\n".join(line[2:] for line in self.lines[first:last])


read = functools.cache(Module)


class Reference(SphinxDirective):
    """A section for each of the modules that the arguments name."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        self.python = cast(PythonDomain, self.env.get_domain("py"))
        for path in (__file__, *PACKAGE.glob("*.py")):
            self.env.note_dependency(str(path))
        return [self.section(read(name)) for name in self.arguments[0].split()]

    def section(self, module: Module) -> nodes.Node:
        """Return what the page says about a module."""
        self.module = module
        self.python.note_module(module.name, module.name, "", "", False)
        self.python.note_object(module.name, "module", module.name)
        section = nodes.section("", ids=[module.name])
        section += nodes.title("", module.name.removeprefix("backprop."))
        section += self.prose(module.name, ast.get_docstring(module.tree))
        for node in module.tree.body:
            section += self.entry(module.name, node)
        return section

    def entry(self, owner: str, node: ast.stmt) -> list[nodes.Node]:
        """Return what the page says about one statement of a module or class: an entry, or none."""
        match node:
            case ast.ClassDef(name=name):
                kind, label, tail = "class", "class ", self.signature(self.module.constructor(node))
                text = ast.get_docstring(node)
            case ast.FunctionDef(name=name, returns=returns):
                kind, text = "function", ast.get_docstring(node)
                kinds = {ast.unparse(d) for d in node.decorator_list} & {"classmethod", "property"}
                label = "".join(f"{k} " for k in kinds)
                tail = [] if "property" in kinds else self.signature(self.module.parameters(node))
                if returns and ast.unparse(returns) != "None":
                    tail.append(
                        addnodes.desc_returns("", "", *self.linked(self.module.text(returns)))
                    )
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=ast.expr() as value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ) if f"{owner}.{name}" == self.module.homes.get(name):
                kind, label, shown = "data", "", f" = {ast.unparse(value)}"
                tail = [nodes.Text(shown)] if len(name + shown) <= WIDTH else []
                text = self.module.comment_above(node)
            case _:
                return []
        if name.startswith("_"):
            return []
        full = f"{owner}.{name}"
        content = self.prose(full, text)
        if isinstance(node, ast.ClassDef):
            for base in map(ast.unparse, node.bases):
                if base in self.module.homes:
                    content.append(nodes.paragraph("", "A kind of ", *self.linked(base)))
            content += [entry for child in node.body for entry in self.entry(full, child)]
        return [self.described(full, kind, label, tail, content)]

    def described(
        self,
        full: str,
        kind: str,
        label: str,
        tail: Sequence[nodes.Node],
        content: Sequence[nodes.Node],
    ) -> nodes.Node:
        """Return an entry: a line with the name, to which links may lead, and what is below it."""
        self.python.note_object(full, kind, full)
        *_, name = parts = full.split(".")
        line = addnodes.desc_signature("", "", ids=[full], _toc_parts=parts, _toc_name=name)
        line += [addnodes.desc_annotation("", label)] if label else []
        line += [addnodes.desc_name("", name), *tail]
        entry = addnodes.desc("", line, addnodes.desc_content("", *content))
        entry.update_all_atts({"domain": "py", "objtype": kind, "classes": ["py", kind]})
        return entry

    def signature(self, parameters: Sequence[str]) -> list[nodes.Node]:
        """Return parameters in parentheses."""
        found = addnodes.desc_parameterlist()
        for text in parameters:
            found += addnodes.desc_parameter("", "", *self.linked(text))
        return [found]

    def linked(self, text: str) -> list[nodes.Node]:
        """Return a piece of a signature in which the package's own names are links."""
        found: list[nodes.Node] = []
        for part in re.split(r"([\w.]+)", text):
            node: nodes.Node = nodes.Text(part)
            if home := self.module.homes.get(part):
                where = {"refdomain": "py", "refdoc": self.env.docname}
                node = addnodes.pending_xref("", node, reftype="obj", reftarget=home, **where)
            found.append(node)
        return found

    def prose(self, name: str, text: str | None) -> list[nodes.Node]:
        """Return the nodes of a docstring, in which names and equations are links."""
        self.env.ref_context["py:module"] = self.module.name
        text = re.sub(r"\(eq: ([^)]+)\)", r"(eq: :equation:`\1`)", text or "")
        text = re.sub(r"(?<![`:])`(\w+\.[\w.]+)`(?!`)", r":py:obj:`\1 <.\1>`", text)
        text = re.sub(r"(?<![`:])`(\w+)`(?!`)", r":py:obj:`\1`", text)
        lines = StringList(NumpyDocstring(text, NUMPY_STYLE).lines(), f"docstring of {name}")
        with switch_source_input(self.state, lines):  # or warnings would name the page
            return nested_parse_to_nodes(self.state, lines)


def resolve(
    app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, text: nodes.TextElement
) -> nodes.Node | None:
    """Find an equation by its label; leave a name in backticks that is no link as it is."""
    name = node["reftarget"]
    if node["reftype"] == "obj":
        return nodes.literal("", text.astext())
    found = cast(MathDomain, env.get_domain("math")).equations.get(name)
    if node["reftype"] == "equation" and found:
        return make_refnode(app.builder, node["refdoc"], found[0], f"equation-{name}", text)
    return None


def require_all(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of modules that no page shows."""
    shown = cast(PythonDomain, env.get_domain("py")).modules
    for path in sorted(PACKAGE.glob("[!_]*.py")):
        if f"backprop.{path.stem}" not in shown:
            logging.getLogger(__name__).warning("no page of the reference shows %s", path.stem)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.add_directive("reference", Reference)
    app.add_role("equation", XRefRole(innernodeclass=nodes.inline))
    app.connect("missing-reference", resolve)
    app.connect("env-check-consistency", require_all)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
