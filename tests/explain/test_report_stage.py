"""The report as a stage of a run."""

from pathlib import Path

from mock_run import STAGES, build_run

from anatomia.base.artifact import read_artifact
from anatomia.base.events import Ledger
from anatomia.stages.report import STAGE, ReportSettings
from anatomia.stages.stage import Context


def test_writes_the_page_from_its_inputs(tmp_path: Path) -> None:
    run = build_run(tmp_path)
    inputs = {name: read_artifact(run / name) for name in STAGES}
    work = tmp_path / "work"
    work.mkdir()
    metrics = STAGE.run(Context({"report": ReportSettings()}, inputs, work, Ledger(), 0, tmp_path))
    page = (work / "report.html").read_text(encoding="utf-8")
    assert metrics == {"stages": len(STAGES), "bytes": len(page.encode())}
    assert "<b>world</b>" in page


def test_reads_every_stage_that_takes_part() -> None:
    from anatomia import recipe, stages

    typed = recipe.read(recipe.find("world"), recipe.section_classes(stages.modules()))
    expected = [s.name for s in stages.stages() if s.name != "report" and s.enabled(typed)]
    assert list(STAGE.parents(typed)) == expected
