"""report: one self-contained page about the whole run."""

from typing import Any

from anatomia.base.settings import Settings
from anatomia.explain.report import write_report
from anatomia.stages.stage import Context, Metrics, Stage


class ReportSettings(Settings):
    """The recipe's section [report]. There is nothing to set yet: the page shows whatever the stages left."""


def run(context: Context) -> Metrics:
    """Write `report.html` from the artifacts of the stages before."""
    page = context.work / "report.html"
    write_report(context.inputs, page)
    return {"stages": len(context.inputs), "bytes": page.stat().st_size}


def _before(recipe: Any) -> tuple[str, ...]:
    """Every stage that takes part in this run."""
    from anatomia.stages import stages

    return tuple(stage.name for stage in stages() if stage.name != STAGE.name and stage.enabled(recipe))


STAGE = Stage(name="report", version=2, sections=("report",), run=run, parents=_before)
