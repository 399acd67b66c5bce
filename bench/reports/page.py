"""The leaderboard page: one HTML file that needs nothing but itself."""

import base64
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any

import altair as alt
import pandas as pd
import vl_convert
from jinja2 import Environment, PackageLoader, StrictUndefined

from bench.benchmarks.clean import Clean
from bench.benchmarks.words import describe_strength
from bench.reports.chance import chance_warnings
from bench.reports.columns import Column
from bench.reports.galleries.files import Gallery
from bench.reports.missing import missing_sentences
from bench.reports.protocols import describe_options, describe_variant, differences
from bench.reports.subjects import Subject
from bench.reports.tables import Gap, Leaderboard, format_estimate

VEGA_LITE = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
VEGA = "window.vegaEmbed = vegaEmbed;"
DASH = "\N{EN DASH}"
CLEAN_ACCURACY = Clean.metrics[0].name


@dataclass(frozen=True)
class Cell:
    """One figure of the table."""

    text: str
    """What is shown."""
    order: str
    """What it is sorted by."""
    interval: str = ""
    """Shown smaller, below."""
    rank: str = ""
    """Between which ranks it stands, such as 1-3: rows share a rank that no corrected test tells apart."""
    flag: str = ""
    """Why it is not to be trusted, in words; empty where nothing speaks against it."""
    images: str = ""
    """Which images it is of, where these are not the row's: ``1,280 images of cue_conflict``."""


@dataclass(frozen=True)
class Plot:
    """A chart with its heading."""

    title: str
    """Heading."""
    note: str
    """One sentence on how to read it."""
    chart: alt.TopLevelMixin
    """The chart."""

    def vega_lite(self) -> dict[str, Any]:
        """The chart with its data inside, however many rows: a hundred classifiers have more than Altair likes."""
        with alt.data_transformers.disable_max_rows():
            return self.chart.to_dict()

    def spec(self) -> str:
        """Vega-Lite JSON without any ``<``, so that no name in it can end a script element or open a comment."""
        return json.dumps(self.vega_lite()).replace("<", "\\u003c")


def render_page(
    name: str,
    board: Leaderboard,
    subjects: Sequence[Subject],
    missing: pd.DataFrame,
    checks: pd.DataFrame,
    plots: Sequence[Plot],
    galleries: Sequence[Gallery] = (),
    absent: Sequence[str] = (),
) -> str:
    """The page.

    Args:
        name: of the report.
        board: its rows.
        subjects: who they are.
        missing: cells that their protocols call for and the store lacks.
        checks: of ``self_check_table``.
        plots: in order.
        galleries: of pictures, in order.
        absent: of ``absent_plugins``.
    """
    by_label = {subject.label: subject for subject in subjects}
    flags, ranks, chance = _flags(checks), _ranks(board.ranks), chance_warnings(subjects)
    return (
        environment()
        .get_template("leaderboard.html.j2")
        .render(
            name=name,
            axes=_axes(board.columns),
            columns=board.columns,
            rows=[
                (
                    label,
                    _cells(row, board.columns, _marks(str(label), flags, chance), ranks.get(str(label), {})),
                    by_label[str(label)],
                    _stated(by_label[str(label)], board.columns),
                )
                for label, row in board.table.iterrows()
            ],
            widths=[*width_sentences(board.table), *detectable_sentences(board)],
            protocols=_protocols(subjects),
            mixed=differences([subject for subject in subjects if subject.label in board.table.index]),
            notes=list(dict.fromkeys(column.metric.note for column in board.columns if column.metric.note)),
            attacks=_headlines(board, subjects),
            checked=len(checks),
            check_names=[str(name).replace("_", " ") for name in checks["check"].unique()],
            flags=[(label, attack, message) for label, found in flags.items() for attack, message in found.items()],
            cautions=[*(f"{label}: {warning}." for label, warning in chance.items()), *_cautions(subjects)],
            absent=absent,
            missing=missing_sentences(missing),
            empty=_empty_figures(board.gaps),
            plots=plots,
            galleries=galleries,
            style=template("leaderboard.css"),
            script=template("leaderboard.js"),
            charts_script=template("charts.js"),
            classifier_script=template("classifier.js"),
            table_style=(files("itables") / "html" / "dt_bundle.css").read_text(),
            table_bundle=base64.b64encode((files("itables") / "html" / "dt_bundle.js").read_bytes()).decode(),
            vega_bundle=_vega() if plots else "",
        )
    )


def render_history(name: str, dates: Sequence[str], plots: Sequence[Plot]) -> str:
    """The page of ``task=history``.

    Args:
        name: of the report.
        dates: in order, at least one.
        plots: one a figure.
    """
    return (
        environment()
        .get_template("history.html.j2")
        .render(
            name=name,
            n_dates=len(dates),
            first=dates[0],
            last=dates[-1],
            plots=plots,
            style=template("leaderboard.css"),
            charts_script=template("charts.js"),
            vega_bundle=_vega(),
        )
    )


def environment() -> Environment:
    """Templates that escape every name."""
    return Environment(loader=PackageLoader("bench.reports", "templates"), autoescape=True, undefined=StrictUndefined)


def template(name: str) -> str:
    """A file of the templates' folder, as it is."""
    return (files("bench.reports") / "templates" / name).read_text()


def _vega() -> str:
    """Vega-Embed as a script that no string in it can end."""
    return vl_convert.javascript_bundle(VEGA, vl_version=VEGA_LITE).replace("</script", "<\\/script")


def _stated(subject: Subject, columns: Sequence[Column]) -> list[str]:
    """The parameters that benchmarks declare to be stated with a row: who made the corrupted images, and how."""
    names = dict.fromkeys((column.benchmark, name) for column in columns for name in column.declared.stated_parameters)
    return [value for value in (subject.parameter(*name) for name in names) if value]


def _axes(columns: Sequence[Column]) -> list[tuple[str, int]]:
    """Headings over the columns, with how many they span."""
    names = list(dict.fromkeys(column.axis for column in columns))
    return [(name, sum(column.axis == name for column in columns)) for name in names]


def _flags(checks: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Label -> attack -> what its failed self-checks say."""
    flags: dict[str, dict[str, str]] = {}
    for row in checks[~checks["passed"].astype(bool)].to_dict("records"):
        where = f"{row['condition']}: " if row["condition"] else ""
        told = flags.setdefault(str(row["label"]), {}).setdefault(str(row["attack"]), "")
        flags[str(row["label"])][str(row["attack"])] = f"{told}; {where}{row['message']}".removeprefix("; ")
    return flags


def _marks(label: str, flags: Mapping[str, Mapping[str, str]], chance: Mapping[str, str]) -> dict[str, str]:
    """Benchmark -> why a row's figure under it is not to be trusted."""
    return {**flags.get(label, {}), **({Clean.name: chance[label]} if label in chance else {})}


def _ranks(ranks: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Label -> column -> ranks it may have, where there is more than one row to rank."""
    told: dict[str, dict[str, str]] = {}
    for row in ranks[ranks["ranked"] > 1].to_dict("records"):
        first, last = row["rank"], row["last_rank"]
        words = f"{first}" if first == last else f"{first}\N{EN DASH}{last}"
        told.setdefault(str(row["label"]), {})[str(row["metric"])] = words
    return told


def _cells(
    row: "pd.Series[Any]", columns: Sequence[Column], flags: Mapping[str, str], ranks: Mapping[str, str]
) -> list[Cell]:
    return [
        Cell(f"{float(str(row['parameters'])) / 1e6:.2f}", str(row["parameters"])),
        Cell(f"{float(str(row['gmacs'])):.2f}", str(row["gmacs"])),
        Cell(str(row["n_images"]), str(row["n_images"])),
        *(
            replace(
                _estimate_cell(row, column, ranks.get(column.name, ""), flags.get(column.benchmark, "")),
                images=_images(row, column),
            )
            for column in columns
        ),
    ]


def _estimate_cell(row: "pd.Series[Any]", column: Column, rank: str, flag: str) -> Cell:
    value = float(str(row[column.name]))
    if math.isnan(value):
        return Cell(DASH, "1e9" if column.better == "lower" else "-1e9")
    text, _, interval = format_estimate(row, column.name, percent=column.percent).partition(" ")
    return Cell(text, repr(value), interval, rank, flag)


def _images(row: "pd.Series[Any]", column: Column) -> str:
    n, dataset = row.get(f"{column.benchmark}_images", math.nan), row.get(f"{column.benchmark}_dataset", "")
    return "" if pd.isna(n) or not dataset else f"{int(n):,} images of {dataset}"


def width_sentences(table: pd.DataFrame) -> list[str]:
    """Plain words on how much the number of images leaves open, one a dataset, where it is a lot."""
    sentences = []
    for (dataset, n), rows in table.groupby(["dataset", "n_images"]):
        known = rows.dropna(subset=[CLEAN_ACCURACY])
        if known.empty:
            continue
        row = known.iloc[0]
        low_end, high_end = row[f"{CLEAN_ACCURACY}_low"], row[f"{CLEAN_ACCURACY}_high"]
        if high_end - low_end > 0.05:
            low, high = f"{low_end:.0%}", f"{high_end:.0%}"
            sentences.append(
                f"{dataset} has {n} images: the {row[CLEAN_ACCURACY]:.0%} clean accuracy of {row['classifier']} could"
                f" be anything between {low} and {high} (95 % interval)."
                " Do not rank classifiers whose intervals overlap."
            )
    return sentences


def detectable_sentences(board: Leaderboard) -> list[str]:
    """How far two classifiers must be apart to be told apart, one a dataset, where that is over a point."""
    clean = board.ranks[(board.ranks["metric"] == CLEAN_ACCURACY) & (board.ranks["ranked"] > 1)]
    smallest = clean.groupby("protocol")["minimum_detectable_difference"].min()
    sentences = []
    for protocol, difference in smallest.items():
        if difference > 0.01:
            which = f" of protocol {protocol}" if len(smallest) > 1 else ""
            sentences.append(
                f"Two classifiers{which} must differ by about {difference * 100:.1f} points of clean accuracy to be"
                " told apart (in 4 of 5 experiments, before correction for many pairs)."
            )
    return sentences


def _protocols(subjects: Sequence[Subject]) -> list[tuple[str, str]]:
    """What made the figures: each distinct setting, in words."""
    facts: dict[str, set[str]] = {}
    for subject in subjects:
        spec = subject.spec
        facts.setdefault("Dataset", set()).add(f"{spec.dataset}, {spec.n_images} images, digest {spec.dataset_digest}")
        facts.setdefault("Crop", set()).add(spec.crop)
        facts.setdefault("Precision", set()).add(spec.precision)
        for benchmark, variant in subject.benchmarks.items():
            facts.setdefault(benchmark, set()).add(describe_variant(variant))
    return [(name, "; ".join(sorted(values))) for name, values in facts.items()]


def _headlines(board: Leaderboard, subjects: Sequence[Subject]) -> list[str]:
    """At which strength and with which options each figure of one strength is summarised, in words."""
    headlines = []
    for column in board.columns:
        if column.strength_column:
            strengths = sorted(set(board.table[column.strength_column].dropna()))
            found = [subject.benchmarks.get(column.benchmark) for subject in subjects]
            variants = [variant for variant in found if variant is not None]
            words = " or ".join(describe_strength(strength, variants[0].unit) for strength in strengths)
            budgets = {describe_options(variant) for variant in variants} - {""}
            budget = f" ({' or '.join(sorted(budgets))})" if budgets else ""
            headlines += [f"{column.entry_title} at {words}{budget}"] if strengths else []
    return headlines


def _cautions(subjects: Sequence[Subject]) -> list[str]:
    """What keeps the figures from being compared with published ones, each sentence once."""
    variants = [variant for subject in subjects for variant in subject.benchmarks.values()]
    return list(
        dict.fromkeys(sentence for variant in variants for sentence in variant.declared.cautions(variant.parameters))
    )


def _empty_figures(gaps: Sequence[Gap]) -> list[tuple[str, str, str]]:
    """Label, columns and reason: figures left empty for the same reason in one line."""
    lines: dict[tuple[str, str], list[str]] = {}
    for gap in gaps:
        lines.setdefault((gap.subject, gap.reason), []).append(gap.column)
    return [(label, ", ".join(columns), reason) for (label, reason), columns in lines.items()]
