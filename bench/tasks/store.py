"""``task=store``: verify, quarantine, list, compact, export, merge or prune the results store; loads no classifier."""

import sys

from omegaconf import DictConfig

from bench.results import Store
from bench.sweep.store_actions import StoreOptions, act, check_action


def check(config: DictConfig) -> None:
    """Refuse what cannot be done.

    Raises:
        ConfigurationError: an unknown action, or one without an option that it needs.
    """
    check_action(str(config.action), _options(config))


def run(config: DictConfig) -> None:
    """Do it; exits 1 if the store is damaged or incomplete.

    Raises:
        DataError: there is no store, or a part that is needed is damaged.
    """
    if not act(Store(str(config.store)), str(config.action), _options(config)):
        sys.exit(1)


def _options(config: DictConfig) -> StoreOptions:
    return StoreOptions(
        source="" if config.source is None else str(config.source),
        out="" if config.out is None else str(config.out),
        prune=tuple(str(kind) for kind in config.prune),
        only_classifier=config.only.classifier,
        only_benchmark=config.only.benchmark,
        confirm=bool(config.confirm),
    )
