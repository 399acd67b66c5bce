"""A comparison as a page: what can be said in words, differences with their intervals, conditions and images."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from bench.reports.columns import Column
from bench.reports.comparison import Comparison
from bench.reports.page import chart_page
from bench.reports.plots import Plot
from bench.reports.sections import PageTable
from bench.reports.tables import DASH

VERDICTS = {"better": "#009E73", "undecided": "#8A949C", "worse": "#D55E00"}
"""Colour of each verdict; safe for colour-blind readers."""
MOST_IMAGES = 50
"""Most images that the page lists; the CSV file has all."""


def render_comparison(name: str, comparison: Comparison, columns: Sequence[Column], *, images: str) -> str:
    """The page of a comparison: one HTML file that needs no other file.

    Args:
        name: of the report.
        comparison: of ``compare``.
        columns: the figures that the rows have.
        images: address of the images page; empty where there is none.
    """
    by_name = {column.name: column for column in columns}
    return chart_page(
        "compare.html.j2",
        name=name,
        sentences=list(verdict_sentences(comparison.differences, by_name)),
        plots=list(_plots(comparison, by_name)),
        tables=[_figures(comparison.differences, by_name), *_images(comparison.images)],
        images=images,
    )


def verdict_sentences(differences: pd.DataFrame, by_name: Mapping[str, Column]) -> Iterator[str]:
    """For each candidate, what the corrected tests say and what they cannot say.

    Args:
        differences: of ``Comparison``.
        by_name: the figures, by name.
    """
    for (candidate, baseline), rows in differences.groupby(["candidate", "baseline"], sort=False):
        said = []
        for verdict, words in (
            ("better", f"better than {baseline} in"),
            ("worse", f"worse than {baseline} in"),
            ("undecided", f"not told apart from {baseline} in"),
        ):
            titles = [by_name[str(metric)].title for metric in rows[rows["verdict"] == verdict]["metric"]]
            if titles:
                said.append(f"{words} {', '.join(titles)}")
        tested = rows[rows["verdict"] != ""]
        if not said:
            yield f"{candidate} and {baseline} have no figure that was measured in the same way."
            continue
        yield f"{candidate} is {'; '.join(said)}."
        smallest = tested.loc[tested["verdict"] == "undecided", ["metric", "minimum_detectable_difference"]].dropna()
        if len(smallest):
            metric, size = smallest.sort_values("minimum_detectable_difference").iloc[0]
            column = by_name[str(metric)]
            points = float(str(size)) * (100 if column.percent else 1)
            yield (
                f"Not told apart does not mean alike: in {column.title} a difference below {points:.1f} points would be"
                " missed in more than 1 of 5 such experiments."
            )


def _plots(comparison: Comparison, by_name: Mapping[str, Column]) -> Iterator[Plot]:
    """Of each candidate, the differences of its figures, and the images that it wins and loses."""
    for candidate in dict.fromkeys(map(str, comparison.differences["candidate"])):
        differences = comparison.differences[comparison.differences["candidate"] == candidate]
        gains = pd.DataFrame(_gains(differences, by_name))
        if len(gains):
            yield _forest(gains, f"{candidate} against {differences['baseline'].iloc[0]}")
        conditions = comparison.conditions[comparison.conditions["candidate"] == candidate]
        if len(conditions):
            yield _flips(conditions, candidate)


def _forest(rows: pd.DataFrame, title: str) -> Plot:
    order = list(rows["figure"])
    base = alt.Chart(rows).encode(y=alt.Y("figure:N", sort=order, title=None, axis=alt.Axis(labelLimit=320)))
    scale = alt.Scale(domain=list(VERDICTS), range=list(VERDICTS.values()))
    colour = alt.Color("verdict:N", title=None, scale=scale)
    tooltip = [
        *(alt.Tooltip(f"{key}:N") for key in ("figure", "verdict")),
        *(alt.Tooltip(f"{key}:Q", format="+.2f") for key in ("gain", "low", "high")),
        alt.Tooltip("n:Q", title="images"),
    ]
    chart = alt.layer(
        alt.Chart(pd.DataFrame({"zero": [0]})).mark_rule(strokeDash=[4, 3], opacity=0.6).encode(x="zero:Q"),
        base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", title="gain in points"), x2="high:Q", color=colour),
        base.mark_point(filled=True, size=70).encode(x="gain:Q", color=colour, tooltip=tooltip),
    ).properties(width=760)
    note = (
        "The difference with its 95 % interval; to the right of 0 the candidate is better, whichever way the figure"
        " counts. Colours are the verdicts of the tests, corrected for all of them (Holm)."
    )
    return Plot(title, note, chart)


def _gains(differences: pd.DataFrame, by_name: Mapping[str, Column]) -> Iterator[dict[str, Any]]:
    """Differences in points, turned so that more is better."""
    for row in differences.to_dict("records"):
        if math.isnan(float(row["difference"])) or not row["verdict"]:
            continue
        column = by_name[str(row["metric"])]
        scale = (100 if column.percent else 1) * (1 if row["better"] == "higher" else -1)
        ends = sorted(float(row[f"difference_{end}"]) * scale for end in ("low", "high"))
        yield {
            "figure": column.title,
            "gain": float(row["difference"]) * scale,
            "low": ends[0],
            "high": ends[1],
            "verdict": str(row["verdict"]),
            "n": row["n"],
        }


def _flips(conditions: pd.DataFrame, candidate: str) -> Plot:
    """Images won and lost by a candidate under each condition, those with the largest gain first."""
    benchmarks, words = (conditions[name].str.replace("_", " ") for name in ("benchmark", "condition"))
    strengths = conditions["strength"].map(lambda strength: f" {strength:.4g}" if strength else "")
    rows = pd.DataFrame(
        {
            "label": benchmarks.where(benchmarks == words, benchmarks + " · " + words) + strengths,
            "lost": -conditions["regressed"],
            "won": conditions["fixed"],
            "net": conditions["fixed"] - conditions["regressed"],
            "p": conditions["p_corrected"],
        }
    ).sort_values("net", ascending=False, kind="stable")
    long = rows.melt(["label", "net", "p"], ["won", "lost"], var_name="which", value_name="images")
    scale = alt.Scale(domain=["won", "lost"], range=[VERDICTS["better"], VERDICTS["worse"]])
    chart = (
        alt.Chart(long)
        .mark_bar()
        .encode(
            x=alt.X("images:Q", title="images that the candidate alone has wrong (left) or right (right)"),
            y=alt.Y("label:N", sort=list(dict.fromkeys(rows["label"])), title=None, axis=alt.Axis(labelLimit=320)),
            color=alt.Color("which:N", title=None, scale=scale),
            tooltip=["label:N", "images:Q", "net:Q", alt.Tooltip("p:Q", title="p (Holm)", format=".2g")],
        )
        .properties(width=760, height=alt.Step(15))
    )
    note = "Of the images that both were shown. Conditions in which the candidate gains most come first."
    return Plot(f"Images won and lost by {candidate}", note, chart)


def _figures(differences: pd.DataFrame, by_name: Mapping[str, Column]) -> PageTable:
    rows = []
    for row in differences.to_dict("records"):
        column = by_name[str(row["metric"])]
        scale = 100 if column.percent else 1
        if math.isnan(float(row["difference"])):
            rows.append([str(row["candidate"]), column.title, DASH, DASH, DASH, DASH, DASH, str(row["note"])])
            continue
        low, high = (float(row[f"difference_{end}"]) * scale for end in ("low", "high"))
        rows.append(
            [
                *[str(row["candidate"]), column.title],
                *[f"{float(row[key]) * scale:.2f}" for key in ("baseline_value", "candidate_value")],
                *[f"{float(row['difference']) * scale:+.2f} [{low:+.2f}, {high:+.2f}]", f"{row['p_corrected']:.2g}"],
                *[f"{int(row['n'])}", str(row["verdict"])],
            ]
        )
    heads = ["Candidate", "Figure", "Baseline", "Candidate's", "Difference", "p (Holm)", "Images", "Verdict"]
    note = "Candidate minus baseline, image by image. All tables are also CSV files beside this page."
    return PageTable("Figures", note, heads, rows)


def _images(images: pd.DataFrame) -> list[PageTable]:
    if images.empty:
        return []
    flips = (images["regressed"] + images["fixed"]).sort_values(ascending=False, kind="stable")
    shown = images.loc[flips.index[:MOST_IMAGES], ["image_id", "candidate", "clean", "regressed", "fixed"]]
    rows = shown.astype(str).to_numpy().tolist()
    left = len(images) - len(rows)
    note = "Under how many conditions the candidate alone has the image wrong (regressed) or right (fixed)."
    more = f" {left} more are in images.csv." if left else ""
    heads = ["Image", "Candidate", "As it is", "Regressed", "Fixed"]
    return [PageTable("Images that flipped", note + more, heads, rows)]
