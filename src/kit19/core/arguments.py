"""What arguments the public functions take, checked at the call.

A wrong value ends in a :class:`~kit19.core.errors.Kit19Error` that names the parameter, and not
somewhere inside in a ``TypeError`` about something else.
"""

from __future__ import annotations

import functools
import inspect
import reprlib
import typing
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar

from pydantic import ConfigDict, Field, GetCoreSchemaHandler, TypeAdapter, ValidationError
from pydantic_core import CoreSchema, core_schema

from kit19.core.errors import ArgumentError, Problem, convert_os_errors

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_MOST = 2**63 - 1  # what columns and clocks count with
Count = Annotated[int, Field(ge=1, le=_MOST)]
"""How many of something: at least one."""
Seed = Annotated[int, Field(ge=0, le=_MOST)]


class _Instance:
    def __get_pydantic_core_schema__(
        self, source: Any, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.is_instance_schema(source)


INSTANCE = _Instance()
"""In ``Annotated[Class, INSTANCE]``: any instance of the class.

pydantic's ``InstanceOf`` also looks into the class, which takes long for one with many models inside.
"""

OnProgress = Callable[[str, int, int], None]
"""Called as (what is being done, how much of it is done, how much there is); 0 where nobody knows."""

# Strict: bytes are no text, a text is no number, and True is not 1.
_STRICT = ConfigDict(strict=True, arbitrary_types_allowed=True, allow_inf_nan=False)


def silent(_what: str, _done: int, _total: int) -> None:
    """Progress that nobody wants to hear of."""


def public(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Decorate a public function: whatever it is called with, it raises a ``Kit19Error`` or works.

    Each argument must have the type that its parameter is annotated with; a path that the system
    refuses is an error too (``convert_os_errors``). A missing argument or a wrong keyword stays a
    ``TypeError``.
    """
    return convert_os_errors(_checked(function))


def one_or_more(names: str | Path | Collection[str | Path], parameter: str) -> list[str]:
    """Names or paths as texts, where one counts as a collection of one.

    Raises:
        ArgumentError: One of them is neither a text nor a path.
    """
    several = [names] if isinstance(names, str | Path) else list(names)
    for name in several:
        if not isinstance(name, str | Path):
            raise ArgumentError(Problem(f"must hold names, not {_short(name)}", parameter))
    return [str(name) for name in several]


def _checked(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    signature = inspect.signature(function)

    @functools.cache  # the first call pays for it: an import need not know the types
    def hints() -> dict[str, Any]:
        return typing.get_type_hints(function, include_extras=True)

    @functools.cache  # those of parameters that nobody uses are not needed
    def adapter(name: str) -> TypeAdapter[Any]:
        return TypeAdapter(hints()[name], config=_STRICT)

    @functools.wraps(function)
    def call(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        bound = signature.bind(*args, **kwargs)
        problems = []
        for name, value in bound.arguments.items():
            if name not in hints():  # `self`
                continue
            try:
                bound.arguments[name] = adapter(name).validate_python(value)
            except ValidationError as error:
                problems.append(_problem(name, value, error))
        if problems:
            raise ArgumentError(problems)
        return function(*bound.args, **bound.kwargs)

    return call


def _problem(parameter: str, value: object, error: ValidationError) -> Problem:
    wanted = [one["msg"].removeprefix("Input should be ") for one in error.errors()]
    return Problem(f"must be {' or '.join(dict.fromkeys(wanted))}, not {_short(value)}", parameter)


def _short(value: object) -> str:
    return f"{reprlib.repr(value)} ({type(value).__name__})"
