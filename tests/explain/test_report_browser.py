"""The report in a real browser: no errors, no sideways scrolling, languages that switch, players that play."""

from pathlib import Path
from typing import Any

import pytest
from mock_run import build_run

from anatomia.explain.report import write_report


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    directory: Path = tmp_path_factory.mktemp("page")
    write_report(build_run(directory), directory / "report.html")
    return (directory / "report.html").as_uri()


def visit(
    browser: Any, address: str, width: int = 1280, locale: str = "en-GB", **options: Any
) -> tuple[Any, list[str]]:
    context = browser.new_context(viewport={"width": width, "height": 800}, locale=locale, **options)
    page = context.new_page()
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: request.url == address or troubles.append(request.url))
    page.goto(address, timeout=120_000)  # a busy machine may take its time
    return page, troubles


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (768, "dark"), (390, "light"), (320, "dark")])
def test_fits_every_screen_without_errors_or_requests(browser: Any, address: str, width: int, scheme: str) -> None:
    page, troubles = visit(browser, address, width, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    outside = """[...document.querySelectorAll('main *')].filter((e) => !e.closest('svg')).filter((e) => {
        const box = e.getBoundingClientRect();
        return box.width > 1 && box.right > innerWidth + 1;
    }).map((e) => e.className)"""
    assert page.evaluate(outside) == []
    assert troubles == []


@pytest.mark.parametrize(("locale", "expected"), [("pl-PL", "Korpus"), ("en-GB", "Corpus"), ("de-DE", "Corpus")])
def test_opens_in_the_browsers_language(browser: Any, address: str, locale: str, expected: str) -> None:
    page, _ = visit(browser, address, locale=locale)
    assert page.locator("#corpus h2").inner_text() == expected


def test_language_switches_at_once_and_is_remembered(browser: Any, address: str) -> None:
    page, _ = visit(browser, address)
    page.locator("label[for=set-pl]").click()
    assert page.locator("h1").inner_text().startswith("Anatomia modelu")
    assert page.evaluate("document.documentElement.lang") == "pl"
    assert page.evaluate("[...document.querySelectorAll('.en')].every((e) => getComputedStyle(e).display === 'none')")
    page.reload()
    assert page.locator("h1").inner_text().startswith("Anatomia modelu")
    page.locator("label[for=set-en]").click()
    assert page.locator("h1").inner_text() == "Anatomy of a language model"


def test_a_generation_can_be_stepped_through_to_its_end(browser: Any, address: str) -> None:
    page, _ = visit(browser, address)
    player = page.locator(".evaluate .player")
    assert player.locator(".tok.slot").inner_text() == "Brzez"
    assert player.locator(".step.now").count() == 1
    places = player.locator(".step").count()
    for _ in range(places - 1):
        player.locator("button.next").click()
    assert player.locator(".line .tok.slot").inner_text() == "end"
    assert player.locator(".count").inner_text() == f"{places} / {places}"
    assert player.locator(".step.now .bar.chosen .word").inner_text().strip() == "end"


def test_tokens_tell_their_ids_and_credit(browser: Any, address: str) -> None:
    page, _ = visit(browser, address)
    page.locator(".sentences .tok").first.hover()
    assert page.locator("#tip").inner_text().startswith("№")
    page.locator(".credited").first.hover()
    tip = page.locator("#tip").inner_text()
    assert tip.splitlines()[0].startswith("advantage: ")
    assert len(tip.splitlines()) == 12
    page.locator(".chart .plot").first.hover()
    assert page.locator("#tip").inner_text().startswith("step ")
    assert "training: " in page.locator("#tip").inner_text()


def test_credit_can_be_seen_four_ways(browser: Any, address: str) -> None:
    page, _ = visit(browser, address)
    colours = set()
    for view in ("advantage", "kl", "reward", "value"):
        page.locator(f"label[for=credit-{view}]").click()
        assert page.locator(f".about.{view}").is_visible()
        style = "[...document.querySelectorAll('.credited')].map((e) => getComputedStyle(e).backgroundImage).join()"
        colours.add(page.evaluate(style))
    assert len(colours) == 4


def test_agreement_can_be_seen_three_ways_and_a_cell_tells_what_it_rests_on(browser: Any, address: str) -> None:
    page, _ = visit(browser, address, locale="pl-PL")
    seen = set()
    for measure in ("kendall_tau", "krippendorff_alpha", "cohen_kappa"):
        page.locator(f"label[for=agreement-{measure}]").click()
        assert page.locator(".agreement .measure:visible").count() == 1
        seen.add(page.locator(".agreement .measure:visible td").nth(2).inner_text())
    assert len(seen) == 3
    page.locator(".agreement .measure:visible td").nth(2).hover()
    assert page.locator("#tip").inner_text() == "Halina i\u00a0Oskar, wspólne pytania: 1000"


def test_everything_can_be_read_without_javascript(browser: Any, address: str) -> None:
    page, _ = visit(browser, address, java_script_enabled=False)
    assert page.locator("h1").inner_text() == "Anatomy of a language model"
    assert page.locator(".evaluate .step").last.is_visible()
    page.locator("label[for=set-pl]").click()
    assert page.locator("h1").inner_text() == "Anatomia modelu językowego"
