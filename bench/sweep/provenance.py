"""Where a result comes from: code, packages, machine and command, with nothing secret in them."""

import platform
import re
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from bench import __version__
from bench.plugins import loaded_plugins
from bench.records import Parameter, Provenance

PACKAGES = ("torch", "torchvision", "timm", "numpy", "pillow", "imagecorruptions-imaug", "foolbox")


def describe_run(
    device: torch.device,
    command: str,
    *,
    settings: Mapping[str, Parameter],
    cost: Mapping[str, float],
    published: str = "",
) -> Provenance:
    """The provenance of a job; ``started`` and ``seconds`` are filled in by each part.

    Args:
        device: where it runs.
        command: what was called, without secrets.
        settings: what may not change an outcome beyond rounding.
        cost: of the classifier.
        published: what tables of published figures call it.
    """
    commit, dirty = _code_version()
    return Provenance(
        commit=commit,
        dirty=dirty,
        packages={name: _installed(name) for name in PACKAGES},
        device=describe_device(device),
        host=platform.node(),
        settings=settings,
        cost=cost,
        command=command,
        started="",
        seconds=0.0,
        published=published,
        plugins=loaded_plugins(),
    )


def describe_device(device: torch.device) -> str:
    """The device in words: the GPU's name, or the processor's."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"{device.type} ({_processor()})"


def _code_version() -> tuple[str, bool]:
    folder = Path(__file__).resolve().parents[2]
    if not (folder / ".git").exists():
        return __version__, False

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603

    try:
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.CalledProcessError):  # no git, or one that does not trust the folder
        return __version__, True


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        match = re.search(r"^model name\s*:\s*(.+)$", info.read_text(), re.MULTILINE)
        if match:
            return match[1]
    return platform.processor() or platform.machine()
