"""Find the classifiers that a user names: by label, by name, or as they stood on a date."""

import re
from collections.abc import Sequence
from dataclasses import replace

from bench.errors import ConfigurationError, nearest_names
from bench.reports.subjects import Subject, newest, read_subjects
from bench.results import Store

DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def choose_subject(store: Store, name: str) -> Subject:
    """The row that ``name`` means.

    Args:
        store: where to look.
        name: a label of the leaderboard, or a classifier's name where only one row has it; ``NAME@2026-11-01`` is the
            newest row of that name among the cells that were begun on that date or before.

    Raises:
        ConfigurationError: there is no such row, or several; the message names them.
        DataError: the store is empty, or was empty then.
    """
    wanted, _, date = name.rpartition("@")
    if not DATE.fullmatch(date):
        return _only(read_subjects(store), name, store.root)
    found = _matches(read_subjects(store, until=date), wanted, f"{store.root} on {date}")
    latest = newest(found)
    return replace(latest, label=f"{latest.label} @ {date}")


def _only(subjects: Sequence[Subject], name: str, where: str) -> Subject:
    found = _matches(subjects, name, where)
    if len(found) > 1:
        labels = ", ".join(repr(subject.label) for subject in found)
        raise ConfigurationError(f"{name!r} is more than one row of {where}: choose one of {labels}, or {name}@DATE")
    return found[0]


def _matches(subjects: Sequence[Subject], name: str, where: str) -> list[Subject]:
    exact = [subject for subject in subjects if subject.label == name]
    found = exact or [subject for subject in subjects if subject.spec.classifier == name]
    if not found:
        names = [name for subject in subjects for name in (subject.label, subject.spec.classifier)]
        raise ConfigurationError(f"no classifier {name!r} in {where}: {nearest_names(name, names)}")
    return found
