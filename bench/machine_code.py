"""Functions as machine code, by numba."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])


def inner(function: AnyFunction) -> AnyFunction:
    """``function`` to be compiled into those that call it."""
    return cast(AnyFunction, njit(nogil=True)(function))


def kept(function: AnyFunction) -> AnyFunction:
    """``function`` as machine code that is kept on disk, where later processes find it."""
    try:
        return cast(AnyFunction, njit(nogil=True, cache=True)(function))
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return inner(function)
