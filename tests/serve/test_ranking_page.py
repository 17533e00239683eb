"""The page that people rank on, in a real browser."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from anatomia.feedback.desk import Desk
from anatomia.feedback.ranking import Candidates
from anatomia.feedback.store import RankingStore
from anatomia.serve.ranking import RankingServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RankingServer]:
    long = "Bardzo długa odpowiedź. " * 60
    several = [
        Candidates("p1", ({"role": "user", "content": "Gdzie?"},), ("<b>tu</b>", long, "", "w" * 400)),
        Candidates("p2", ({"role": "user", "content": "Kto?"},), ("Ala", "Ola")),
    ]
    with RankingServer(Desk(several, RankingStore(tmp_path / "rankings.sqlite")), "runs/świat", name="root") as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def visit(browser: Any, server: RankingServer, width: int) -> tuple[Any, list[str]]:
    page = browser.new_context(viewport={"width": width, "height": 800}).new_page()
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: request.url.startswith((server.url, "data:")) or troubles.append(request.url))
    page.goto(server.url, timeout=120_000)  # a busy machine may take its time
    page.wait_for_selector("form")
    return page, troubles


def sideways(page: Any) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@pytest.mark.parametrize("width", [1280, 320])
def test_a_person_ranks_with_the_mouse_and_in_polish(browser: Any, server: RankingServer, width: int) -> None:
    page, troubles = visit(browser, server, width)
    assert page.input_value("input") == "root"
    page.click("#language")
    page.get_by_role("heading", name="Kto ocenia?").wait_for()
    page.fill("input", "Żaneta <i>")
    page.get_by_role("button", name="Zacznij").click()
    page.wait_for_selector(".card")
    assert page.locator(".card").count() == 4
    assert page.get_by_text("<b>tu</b>").count() == 1
    assert page.get_by_text("(pusta odpowiedź)").count() == 1
    assert page.locator("#save").is_disabled()
    for letter, place in zip("ABCD", (2, 1, 2, 4)):
        page.get_by_role("group", name=f"Miejsce odpowiedzi {letter}").get_by_role("button", name=str(place)).click()
    assert page.inner_text("#order") == "B > A = C > D"
    assert sideways(page) == 0
    page.click("#save")
    page.get_by_text("Zapisano.").wait_for()
    assert "Ocenione: 1 · Zostało: 1" in page.inner_text("#me")
    (ranking,) = server.desk.store.rankings()
    assert ranking.annotator == "Żaneta <i>"
    assert [len(group) for group in ranking.groups] == [1, 2, 1]
    page.click("#show-progress")
    page.wait_for_selector("table")
    assert sideways(page) == 0
    assert "Żaneta <i>" in page.inner_text("tbody")
    assert troubles == []
    page.context.close()


def test_a_person_ranks_with_the_keyboard_takes_back_skips_and_comes_back(browser: Any, server: RankingServer) -> None:
    page, troubles = visit(browser, server, 800)
    page.fill("input", "Ala")
    page.keyboard.press("Enter")
    page.wait_for_selector(".card")
    page.keyboard.type("ba=d")
    assert page.inner_text("#order").split("·")[0].strip() == "B > A = D"
    page.keyboard.press("Enter")  # one is missing
    page.keyboard.press("Backspace")
    page.keyboard.type("ca=d")
    assert page.inner_text("#order") == "B > C > A = D"
    page.keyboard.press("Enter")
    page.get_by_text("Saved.").wait_for()
    page.click("#take-back")
    page.get_by_text("Taken back; rank it again.").wait_for()
    assert server.desk.store.rankings() == []
    page.keyboard.type("abcd")
    page.keyboard.press("Enter")
    page.get_by_text("Saved.").wait_for()
    page.reload()
    page.wait_for_selector("form")
    assert page.input_value("input") == "Ala"
    page.get_by_role("button", name="Ala").click()
    page.wait_for_selector(".card")
    assert page.locator(".card").count() == 2
    page.click("#skip")
    page.get_by_text("You have ranked everything but what you skipped.").wait_for()
    page.get_by_role("button", name="Show skipped ones").click()
    page.wait_for_selector(".card")
    page.keyboard.type("ab")
    page.keyboard.press("Enter")
    page.get_by_text("Nothing is left for you to rank.").wait_for()
    assert [one.prompt_id for one in server.desk.store.rankings("Ala")] == ["p1", "p2"]
    page.click("#change")
    page.fill("input", "  ")
    page.keyboard.press("Enter")
    page.get_by_text("has no letter or digit").wait_for()
    assert [trouble for trouble in troubles if "409" not in trouble] == []
    page.context.close()


def test_what_cannot_be_saved_stays_before_the_person(browser: Any, server: RankingServer) -> None:
    page, _ = visit(browser, server, 800)
    page.fill("input", "Ala")
    page.keyboard.press("Enter")
    page.wait_for_selector(".card")
    page.keyboard.type("ab=cd")
    page.context.set_offline(True)
    page.keyboard.press("Enter")
    page.get_by_text("The program does not answer.").wait_for()
    assert page.inner_text("#order") == "A > B = C > D"
    page.context.set_offline(False)
    page.keyboard.press("Enter")
    page.get_by_text("Saved.").wait_for()
    assert len(server.desk.store.rankings()) == 1
    page.context.close()
