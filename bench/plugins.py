"""Plug-ins: modules outside the project that register benchmarks, attacks, corruptions, models and data sources.

They may also register sections of the report (``bench.reports.register_section``).

An installed package names its module in the entry point group ``snowwolf.plugins``; a single file is named by its path
(``plugins=[FILE]``). Importing the module registers what it holds, with ``bench.benchmarks.register_benchmark`` and its
like.
"""

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from bench.errors import ConfigurationError

GROUP = "snowwolf.plugins"

_loaded: dict[str, str] = {}


def load_plugins(files: Sequence[str] = ()) -> None:
    """Import every installed plug-in and every plug-in of ``files``; each once, however often it is asked for.

    A file's folder joins ``sys.path``, so that worker processes find its module by name.

    Args:
        files: paths of Python files.

    Raises:
        ConfigurationError: a file that is not there or has the name of another module, or a plug-in that cannot be
            imported; the message names it.
    """
    for point in entry_points(group=GROUP):
        name = point.dist.name if point.dist is not None else point.name
        if name not in _loaded:
            _import(point.module, f"plug-in {name}")
            _loaded[name] = _version(point)
    for file in files:
        _load_file(Path(file).resolve())


def loaded_plugins() -> Mapping[str, str]:
    """Name -> version of every plug-in that was loaded; of a file, its name and a digest of its text."""
    return dict(_loaded)


def _version(point: EntryPoint) -> str:
    return point.dist.version if point.dist is not None else "unknown"


def _load_file(path: Path) -> None:
    if not path.is_file() or path.suffix != ".py":
        raise ConfigurationError(f"plugins: {path} is no Python file: give the path of a plug-in's .py file")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    if _loaded.get(path.name) == digest:
        return
    module = sys.modules.get(path.stem) or importlib.util.find_spec(path.stem)
    where = getattr(module, "__file__", None) or getattr(module, "origin", None)
    if module is not None and (where is None or Path(where).resolve() != path):
        raise ConfigurationError(f"plugins: {path} has the name of the module {path.stem} ({where}): rename the file")
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
        importlib.invalidate_caches()
    _import(path.stem, f"plug-in {path}")
    _loaded[path.name] = digest


def _import(module: str, what: str) -> None:
    try:
        importlib.import_module(module)
    except ConfigurationError:
        raise
    except Exception as error:  # whatever the plug-in's own code raises
        raise ConfigurationError(f"{what} cannot be imported: {type(error).__name__}: {error}") from error
