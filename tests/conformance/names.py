"""Finds every name of TensorRT that code uses, and holds each to the bindings of one version.

Run with folders of source: prints, for each, the uses that were found and the faults. It follows
`trt.X`, annotations such as `x: trt.Builder`, and what calls return by their docstrings.
"""

from __future__ import annotations

import ast
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conformance.signatures import accepts, bind, class_named, signatures

SOURCES = ("tensorrt", "runners/tensorrt.py")


@dataclass(frozen=True)
class Instance:
    """An object of a class of the bindings."""

    cls: type


@dataclass(frozen=True)
class Method:
    """A method of such an object."""

    cls: type
    name: str


@dataclass
class Findings:
    """What one folder uses."""

    uses: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)


class Checker(ast.NodeVisitor):
    """Walks one module."""

    def __init__(self, trt: Any, path: Path, findings: Findings) -> None:
        self._trt, self._path, self._findings = trt, path, findings
        self._scopes: list[dict[str, Any]] = [{}]
        self._returns: list[dict[str, Any]] = [{}]

    def fault(self, node: ast.AST, text: str) -> None:
        self._findings.faults.append(f"{self._path.name}:{getattr(node, 'lineno', 0)}: {text}")

    def annotated(self, node: ast.expr | None) -> Any:
        """Returns the instance that an annotation promises; `X | None` promises X."""
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return self.annotated(node.left)
        found = self.infer(node) if isinstance(node, ast.Attribute) else None
        return Instance(found) if isinstance(found, type) else None

    def infer(self, node: ast.expr | None) -> Any:
        """Returns what an expression is, as far as it is the bindings'; None is unknown."""
        if isinstance(node, ast.Name):
            return self._trt if node.id == "trt" else self.look_up(node.id)
        if isinstance(node, ast.Attribute):
            return self.attribute(node)
        if isinstance(node, ast.Call):
            return self.call(node)
        if isinstance(node, ast.Constant) and isinstance(node.value, (int, str, bool, bytes)):
            return Instance(type(node.value))
        if isinstance(node, ast.BoolOp):
            return self.infer(node.values[0])
        if node is not None:
            self.generic_visit(node)
        return None

    def look_up(self, name: str) -> Any:
        return next((scope[name] for scope in reversed(self._scopes) if name in scope), None)

    def attribute(self, node: ast.Attribute) -> Any:
        if isinstance(node.value, ast.Name) and node.value.id == "self":
            return self.look_up(f"self.{node.attr}")
        owner = self.infer(node.value)
        if owner is self._trt:
            return self.member(node, owner, node.attr)
        if isinstance(owner, type) and owner.__module__.startswith("tensorrt"):
            return self.member(node, owner, f"{owner.__qualname__}.{node.attr}")
        if isinstance(owner, Instance) and owner.cls.__module__.startswith("tensorrt"):
            self.member(node, owner.cls, f"{owner.cls.__qualname__}.{node.attr}")
            found = getattr(owner.cls, node.attr, None)
            return Method(owner.cls, node.attr) if callable(found) else None
        return None

    def member(self, node: ast.Attribute, owner: Any, label: str) -> Any:
        self._findings.uses.add(label)
        if not hasattr(owner, node.attr):
            self.fault(node, f"TensorRT {self._trt.__version__} has no {label}")
            return None
        found = getattr(owner, node.attr)
        return found if isinstance(found, type) else Instance(type(found))

    def call(self, node: ast.Call) -> Any:
        function = self.infer(node.func)
        if function is None and isinstance(node.func, ast.Attribute):
            function = self._returns[-1].get(node.func.attr)
            if function is not None:
                self.arguments(node)
                return function
        args, kwargs = self.arguments(node)
        if isinstance(function, type) and function.__module__.startswith("tensorrt"):
            self.check(node, function, "__init__", args, kwargs)
            return Instance(function)
        if isinstance(function, Method):
            return self.check(node, function.cls, function.name, args, kwargs)
        return None

    def arguments(self, node: ast.Call) -> tuple[tuple[Any, ...], dict[str, Any]]:
        args = tuple(self.infer(argument) for argument in node.args)
        return args, {k.arg or "**": self.infer(k.value) for k in node.keywords}

    def check(
        self, node: ast.Call, cls: type, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Holds a call to the docstring and returns what it gives."""
        label = f"{cls.__qualname__}.{name}"
        found = signatures(getattr(cls, name), name)
        fitting = [
            signature
            for signature, bound in bind(found, args, kwargs)
            if all(self.fits(signature.parameters[k].annotation, v) for k, v in bound.items())
        ]
        if found and not fitting:
            takes = " or ".join(f"({', '.join(map(str, s.parameters))})" for s in found)
            self.fault(node, f"{label} takes {takes}, is called otherwise")
            return None
        wanted = class_named(self._trt, fitting[0].return_annotation) if fitting else None
        return Instance(wanted) if wanted is not None else None

    def fits(self, annotation: str, value: Any) -> bool:
        if not isinstance(value, Instance):
            return True
        wanted = class_named(self._trt, annotation)
        if wanted is not None:
            return issubclass(value.cls, wanted)
        return value.cls.__module__ != "builtins" or accepts(self._trt, annotation, value.cls())

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.infer(node)

    def visit_Call(self, node: ast.Call) -> None:
        self.infer(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        value = self.infer(node.value)
        for target in node.targets:
            if isinstance(target, ast.Name):
                self._scopes[-1][target.id] = value
            else:
                self.visit(target)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        promised = self.annotated(node.annotation)
        self.infer(node.value)
        if isinstance(node.target, ast.Name):
            self._scopes[-1][node.target.id] = promised
        elif isinstance(node.target, ast.Attribute):
            self._scopes[1 if len(self._scopes) > 1 else 0][f"self.{node.target.attr}"] = promised

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for base in node.bases:
            found = self.infer(base)
            if isinstance(found, type) and found.__module__.startswith("tensorrt"):
                self.overrides(node, found)
        self._scopes.append({})
        self._returns.append(
            {
                item.name: self.annotated(item.returns)
                for item in node.body
                if isinstance(item, ast.FunctionDef)
            }
        )
        # attributes are known before the methods that use them, wherever they are assigned
        for item in sorted(node.body, key=lambda part: getattr(part, "name", "") != "__init__"):
            self.visit(item)
        self._scopes.pop()
        self._returns.pop()

    def overrides(self, node: ast.ClassDef, base: type) -> None:
        """Holds a subclass to what TensorRT calls on it: every method, by its own arguments."""
        ours = {item.name: item for item in node.body if isinstance(item, ast.FunctionDef)}
        for name in (n for n in dir(base) if not n.startswith("_") and callable(getattr(base, n))):
            wanted = signatures(getattr(base, name), name)
            if not wanted:
                continue  # an enum or a nested class
            label = f"{base.__qualname__}.{name}"
            self._findings.uses.add(label)
            got = [a.arg for a in ours[name].args.args[1:]] if name in ours else None
            if got != list(wanted[0].parameters):
                self.fault(node, f"{label} must take {list(wanted[0].parameters)}, takes {got}")

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        arguments = (*node.args.args, *node.args.kwonlyargs)
        self._scopes.append({a.arg: self.annotated(a.annotation) for a in arguments})
        self.annotated(node.returns)
        for part in node.body:
            self.visit(part)
        self._scopes.pop()


def check(trt: Any, package: Path) -> Findings:
    """Checks the TensorRT side of a package folder."""
    findings = Findings()
    for source in SOURCES:
        place = package / source
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            Checker(trt, path, findings).visit(ast.parse(path.read_text()))
    return findings


def main(folders: list[str]) -> None:
    import tensorrt_bindings

    found = [check(tensorrt_bindings, Path(folder)) for folder in folders]
    json.dump([{"uses": sorted(f.uses), "faults": f.faults} for f in found], sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
