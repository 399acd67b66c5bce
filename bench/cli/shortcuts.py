"""What a short command stands for: the quickstart, and images given by their folder alone."""

from collections.abc import Sequence

from bench.cli.compose import compose, expand_jobs, group_choices, opened_hydra, parse_overrides

QUICKSTART = ("model=lite0,lite1,lite2", "suite=quickstart", "data=samples")
"""The sweep of a command that does not say what to run."""
QUICKSTART_BUDGET = "budget=3000"
"""Forward passes of each of its classifiers, unless the command has a budget of its own: a first look, with at least 5
of the 20 images under each condition. A full run costs 11,360."""
_SUBJECTS = {"task", "model", "models", "data", "suite", "benchmark"}
_SUBJECT_KEYS = {"model.name", "model.checkpoint", "data.root", "data.source", "data.dataset"}


def is_quickstart(overrides: Sequence[str]) -> bool:
    """Whether no override names a task, model, data, suite or benchmark; settings such as ``store=X`` name none."""
    keys = {item.key_or_group for item in parse_overrides(overrides)}
    return not keys & (_SUBJECTS | _SUBJECT_KEYS) and not any(key.startswith("benchmark.") for key in keys)


def as_quickstart(overrides: Sequence[str]) -> list[str]:
    """The quickstart sweep with the settings that the command gives.

    Args:
        overrides: of a command that ``is_quickstart``.
    """
    keys = {item.key_or_group.partition(".")[0] for item in parse_overrides(overrides)}
    return [*QUICKSTART, *(() if "budget" in keys else (QUICKSTART_BUDGET,)), *overrides]


def with_inferred_data(overrides: Sequence[str], config_dir: str | None = None) -> list[str]:
    """Add ``data=auto`` where ``data.root`` is given and nothing else chooses the images.

    Args:
        overrides: of the command.
        config_dir: a folder of yaml files beside the project's own.

    Raises:
        ConfigurationError: a choice that does not exist.
    """
    keys = {item.key_or_group for item in parse_overrides(overrides)}
    if "data.root" not in keys or "data" in keys:
        return list(overrides)
    with opened_hydra(config_dir):
        job = next(expand_jobs(overrides))
        search_path = [item for item in overrides if item.startswith("hydra.searchpath=")]
        source = compose([*group_choices(job), *search_path]).data.source
    return ["data=auto", *overrides] if source == "samples" else list(overrides)  # else a yaml file has chosen
