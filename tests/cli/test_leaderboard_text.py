"""The short leaderboard at a sweep's end, against a table written by hand."""

from bench.cli.leaderboard import leaderboard_text
from bench.reports.tables import markdown_table

DASH = "\N{EN DASH}"


def test_the_first_columns_that_fit_are_shown_and_the_rest_counted(tmp_path):
    titles = [
        "Classifier",
        "Parameters (M)",
        "GMACs",
        "Images",
        "Clean accuracy",
        "mCE",
        *(f"Figure {i}" for i in range(9)),
    ]
    figures = ["85.0 [62.1, 96.8]", DASH, *["1.0 [0.5, 2.0]"] * 9]
    rows = [["lite0", "4.65", "0.39", "20", *figures], ["a|b\\c <i>", "4.65", "0.39", "20", *figures]]
    text = markdown_table(titles, rows) + "\n\n- lite0, mCE: clean was not run | never a row\n"
    (tmp_path / "leaderboard.md").write_text(text)
    said = leaderboard_text(tmp_path).splitlines()
    assert said == [
        "Classifier  Images  Clean accuracy     Figure 0        Figure 1        Figure 2",
        "lite0       20      85.0 [62.1, 96.8]  1.0 [0.5, 2.0]  1.0 [0.5, 2.0]  1.0 [0.5, 2.0]",
        "a|b\\c <i>   20      85.0 [62.1, 96.8]  1.0 [0.5, 2.0]  1.0 [0.5, 2.0]  1.0 [0.5, 2.0]",
        f"page: {tmp_path / 'leaderboard.html'} (6 more columns there)",
    ]
    assert max(map(len, said[:3])) <= 100
