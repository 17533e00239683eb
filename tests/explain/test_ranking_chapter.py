"""The rankings' chapter: stars with how sure they are, whom to believe, and how far each two agree."""

from pathlib import Path
from typing import Any

import pytest
from mock_run import build_run

from anatomia.base.files import read_json, write_json, write_jsonl
from anatomia.explain.chapters.ranking import MOST, rank
from anatomia.explain.gather import gather


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return build_run(tmp_path, ("rank",))


def parts(run: Path) -> dict[str, Any]:
    return rank(gather(run).stages["rank"]).parts


def test_completions_stand_by_their_stars_with_their_intervals(run: Path) -> None:
    (ranking,) = parts(run)["rankings"]
    assert ranking["ways"] == ["davidson", "linear", "bradley_terry", "plackett_luce"]
    assert [row["letter"] for row in ranking["rows"]] == ["A", "B", "C", "D"]
    second = ranking["rows"][1]["range"]
    assert second["at"] == pytest.approx(100 * 2.7 / 5)
    assert second["left"] == pytest.approx(100 * 1.9 / 5)
    assert second["interval"].pl == "1,90\u00a0– 3,40"
    assert [star["value"].en for star in ranking["rows"][1]["stars"]] == ["2.7", "2.9", "2.6", "2.8"]


def test_intervals_of_other_stars_are_not_taken(run: Path) -> None:
    path = run / "rank" / "stars.jsonl"
    write_jsonl(path, [{"completions": ["x"], "davidson": [2.5], "davidson_interval": [[2.5, 2.5]]}])
    (ranking,) = parts(run)["rankings"]
    assert not ranking["sure"]
    path.unlink()
    assert not parts(run)["rankings"][0]["sure"]


def test_what_nobody_placed_has_no_interval(run: Path) -> None:
    path = run / "rank" / "specimens.json"
    shown = read_json(path)
    shown["rankings"][0]["davidson"][3] = None
    write_json(path, shown)
    row = {"completions": shown["rankings"][0]["completions"], "davidson": shown["rankings"][0]["davidson"]}
    write_jsonl(run / "rank" / "stars.jsonl", [row | {"davidson_interval": [[4.1, 5.0], [1.9, 3.4], [0.8, 2.9], None]}])
    rows = parts(run)["rankings"][0]["rows"]
    assert rows[3]["range"] is None
    assert rows[3]["stars"][0]["value"] == "–"
    assert rows[0]["range"] is not None


def test_who_cannot_be_believed_is_told_and_the_usual_is_on_the_axis(run: Path) -> None:
    found = parts(run)["reliability"]
    rows = {row["name"]: row for row in found["rows"]}
    assert rows["June"]["colour"] == "bad"
    assert rows["June"]["note"].pl == "na chybił trafił"
    assert rows["Halina"]["note"].en == "rankings: 1,024"
    assert rows["Halina"]["zero"] == pytest.approx(100 / (1.4 + 1.96 * 0.3)), "the line of what is usual"
    assert rows["June"]["at"] < rows["Halina"]["zero"] < rows["Anna"]["at"]
    assert found["axis"][0][0] == 0
    assert found["more"] is None


def test_a_contrary_annotator_moves_the_beginning_of_the_axis(run: Path) -> None:
    path = run / "rank" / "annotators.json"
    file = read_json(path)
    file["annotators"][0] |= {"reliability": -0.8, "reliability_error": 0.1, "contrary": True}
    file["annotators"] += [file["annotators"][1] | {"name": f"simulated:{n}"} for n in range(MOST)]
    write_json(path, file)
    found = parts(run)["reliability"]
    assert found["rows"][0]["note"].en == "contrary"
    assert found["axis"][0][0] > found["rows"][0]["at"] > 0
    assert len(found["rows"]) == MOST
    assert found["more"].en == "4"


def test_each_two_agree_the_same_either_way(run: Path) -> None:
    found = parts(run)["agreement"]
    assert found["names"] == ["Halina", "Oskar", "June", "Anna"]
    for table in found["tables"]:
        cells = [row["cells"] for row in table["rows"]]
        for one in range(4):
            assert cells[one][one]["value"] is None
            for other in range(4):
                assert cells[one][other].get("value") == cells[other][one].get("value")
    kappas = found["tables"][2]["rows"][0]["cells"]
    assert [cell["value"] and cell["value"].pl for cell in kappas] == [None, "0,50", "0,50", None], (
        "undefined with Anna"
    )
    assert kappas[1]["tip"].pl == "Halina i\u00a0Oskar, wspólne pytania: 1000"


def test_one_annotator_alone_is_not_compared(run: Path) -> None:
    file = read_json(run / "rank" / "annotators.json")
    write_json(run / "rank" / "annotators.json", {"annotators": file["annotators"][:1], "pairs": []})
    assert set(parts(run)) == {"rankings"}
    (run / "rank" / "annotators.json").unlink()
    assert set(parts(run)) == {"rankings"}
