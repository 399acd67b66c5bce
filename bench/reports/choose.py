"""Find the entry that a user names: by label, by classifier name, or as it was on a date."""

import re
from collections.abc import Sequence
from dataclasses import replace

from bench.errors import ConfigurationError, nearest_names
from bench.reports.entries import LeaderboardEntry, newest, read_entries
from bench.results import Store

DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def choose_entry(store: Store, name: str) -> LeaderboardEntry:
    """The entry that ``name`` means.

    Args:
        store: where to look.
        name: a label of the leaderboard, or a classifier's name where only one row has it; ``NAME@2026-11-01`` is the
            newest row of that name among the cells that were begun on that date or before.

    Raises:
        ConfigurationError: there is no such row, or several; the message names them.
        DataError: the store is empty, or was empty then.
    """
    base, _, date = name.rpartition("@")
    if not DATE.fullmatch(date):
        return _only(read_entries(store), name, store.root)
    matches = _matches(read_entries(store, until=date), base, f"{store.root} on {date}")
    latest = newest(matches)
    return replace(latest, label=f"{latest.label} @ {date}")


def _only(entries: Sequence[LeaderboardEntry], name: str, where: str) -> LeaderboardEntry:
    matches = _matches(entries, name, where)
    if len(matches) > 1:
        labels = ", ".join(repr(entry.label) for entry in matches)
        raise ConfigurationError(f"{name!r} is more than one row of {where}: choose one of {labels}, or {name}@DATE")
    return matches[0]


def _matches(entries: Sequence[LeaderboardEntry], name: str, where: str) -> list[LeaderboardEntry]:
    exact = [entry for entry in entries if entry.label == name]
    matches = exact or [entry for entry in entries if entry.spec.classifier == name]
    if not matches:
        names = [name for entry in entries for name in (entry.label, entry.spec.classifier)]
        raise ConfigurationError(f"no classifier {name!r} in {where}: {nearest_names(name, names)}")
    return matches
