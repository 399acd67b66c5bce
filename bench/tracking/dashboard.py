"""A W&B workspace for a project of sweeps, defined in code: progress, the leaderboard's figures, and the report."""

from collections.abc import Mapping, Sequence

import wandb_workspaces.reports.v2 as panels
import wandb_workspaces.workspaces as workspaces


def dashboard(project: str, entity: str, figures: Mapping[str, Sequence[str]]) -> workspaces.Workspace:
    """The workspace; nothing is sent before its ``save()``.

    Args:
        project: W&B project.
        entity: user or team.
        figures: axis of the leaderboard -> names of its figures, as the runs' summaries have them.
    """
    progress = workspaces.Section(
        name="Progress",
        panels=[
            panels.LinePlot(title="Images a second", x="Step", y=["images_per_second"]),
            panels.LinePlot(title="Seconds left", x="Step", y=["seconds_left"]),
            panels.LinePlot(title="Cells left", x="Step", y=["cells_left"]),
        ],
        is_open=True,
    )
    axes = [
        workspaces.Section(name=axis, panels=[panels.BarPlot(title=name, metrics=[name]) for name in names])
        for axis, names in figures.items()
    ]
    across = workspaces.Section(
        name="Accuracy and robustness",
        panels=[
            panels.ScatterPlot(title="mCE against clean accuracy", x="clean_accuracy", y="mean_corruption_error"),
            panels.ScatterPlot(title="PGD against clean accuracy", x="clean_accuracy", y="pgd_robust_accuracy"),
        ],
        is_open=True,
    )
    report = workspaces.Section(
        name="Report", panels=[panels.MediaBrowser(media_keys=["leaderboard_page"])], is_open=True
    )
    return workspaces.Workspace(
        entity=entity, project=project, name="Snowwolf", sections=[progress, *axes, across, report]
    )
