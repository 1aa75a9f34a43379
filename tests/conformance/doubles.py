"""Doubles of TensorRT's objects: the real classes' names, the docstrings' arguments, and no more.

Each is a mock with `spec_set` of the real class. A method that the double does not know, an
argument that the docstring does not take, or a property that cannot be set is an error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import NonCallableMagicMock

from tests.conformance.signatures import accepts, bind, signatures


class Doubles:
    """Makes doubles of the classes of one version, and keeps what they hold.

    Args:
        real: the real bindings, over libraries that do nothing.
    """

    def __init__(self, real: Any) -> None:
        self._real = real
        self._states: dict[int, tuple[Any, dict[str, Any]]] = {}

    def double(self, cls: Any, methods: dict[str, Callable[..., Any]], **values: Any) -> Any:
        """Returns a checked stand-in of a class.

        Args:
            cls: the real class.
            methods: what its methods do; a call of any other method is an error.
            values: what its properties hold; the reading of any other property is an error.
        """
        mock = NonCallableMagicMock(spec_set=cls)
        state = dict(values)
        self._states[id(mock)] = (mock, state)  # held, so that no other gets its id
        for name in (name for name in dir(cls) if not name.startswith("_")):
            real = getattr(cls, name)
            if isinstance(real, property):
                setattr(type(mock), name, _property(cls, name, state))
            elif callable(real) and name not in methods:
                setattr(mock, name, _forbidden(cls, name))
        for name, behaviour in methods.items():
            setattr(mock, name, self.checked(cls, name, behaviour))
        return mock

    def state(self, mock: Any) -> dict[str, Any]:
        """Returns what the properties of a double hold, to read and to change."""
        return self._states[id(mock)][1]

    def checked(self, cls: Any, name: str, behaviour: Callable[..., Any]) -> Callable[..., Any]:
        """Returns a function that refuses what the docstring of `cls.name` does not take."""
        found = signatures(getattr(cls, name), name)
        if not found:
            raise AttributeError(f"{cls.__name__}.{name} says nothing of its arguments")

        def call(*args: Any, **kwargs: Any) -> Any:
            for signature, bound in bind(found, args, kwargs):
                taken = signature.parameters
                if all(accepts(self._real, taken[k].annotation, v) for k, v in bound.items()):
                    return behaviour(*bound.values())
            raise TypeError(f"{cls.__name__}.{name} is called with {args} {kwargs}, takes {found}")

        return call


def _property(cls: Any, name: str, state: dict[str, Any]) -> property:
    def read(_: Any) -> Any:
        if name not in state:
            raise NotImplementedError(f"the double of {cls.__name__} holds nothing for {name}")
        return state[name]

    def write(_: Any, value: Any) -> None:
        state[name] = value

    return property(read, None if getattr(cls, name).fset is None else write)


def _forbidden(cls: Any, name: str) -> Callable[..., Any]:
    def call(*_: Any, **__: Any) -> Any:
        raise NotImplementedError(f"the double of {cls.__name__} has no behaviour for {name}")

    return call
