"""The command line as a person meets it: help, exit codes, one clear line, nothing written by mistake."""

import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from faults.counting import MACHINE, SECTIONS, STAGES, go
from rich.console import Console

from anatomia import cli, pipeline, stages
from anatomia import recipe as recipes
from anatomia.base.artifact import Artifact
from anatomia.messages import LANGUAGE, POLISH, Messages, duration, preferred_language
from anatomia.runs import Standing, model_directory
from anatomia.terminal import Terminal, _Bar, farewell, summary


@pytest.fixture(autouse=True)
def small_house(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The small stages instead of the real ones, in a directory of their own, with no restart."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv(LANGUAGE, "")  # so that what --language sets is gone after the test
    monkeypatch.setenv("MALLOC_TOP_PAD_", "0")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(stages, "stages", lambda: STAGES)
    monkeypatch.setattr(recipes, "section_classes", lambda modules: SECTIONS)
    (tmp_path / "mine.toml").write_text('name = "mine"\n[first]\ntexts = []\n', encoding="utf-8")


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit code of `anatomia …`."""
    monkeypatch.setattr(sys, "argv", ["anatomia", *arguments])
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


COMMANDS = ("run", "status", "chat", "complete", "compare", "rank", "report", "doctor", "show")


def test_a_place_that_is_barred_is_a_mistake_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def barred(directory: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(directory))

    monkeypatch.setattr(pipeline, "_claim", barred)
    assert call(monkeypatch, "run", "mine.toml", "--out", "theirs") == 2
    line = "error: theirs may not be read or written by you; choose another place, or change its rights\n"
    assert capsys.readouterr().err == line
    assert call(monkeypatch, "--language", "pl", "run", "mine.toml", "--out", "theirs") == 2
    assert capsys.readouterr().err.startswith("błąd: theirs: nie wolno ci tu czytać albo pisać")


def test_a_damaged_recipe_of_a_run_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "recipe.toml").write_text("x = ", encoding="utf-8")
    assert call(monkeypatch, "status", "there") == 2
    assert capsys.readouterr().err.startswith("error: there/recipe.toml is damaged (Invalid value")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_examples(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, command, "--help") == 0
    said = capsys.readouterr().out
    assert command == "show" or f"anatomia {command}" in said.partition("Examples")[2]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_polish_where_polish_is_asked_for(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "--language=pl", command, "--help") == 0
    said = capsys.readouterr().out
    assert said.startswith(f"Użycie: anatomia {command}")
    assert command == "show" or f"anatomia {command}" in said.partition("Przykłady")[2]
    for english in ("Usage", "Examples", "Parameters", "Commands", "Arguments", "[default", "[required", "OPTIONS"):
        assert english not in said


def test_the_locale_chooses_the_language_of_help_and_mistakes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LC_ALL", "pl_PL.UTF-8")
    assert call(monkeypatch, "--help") == 0
    assert "Wytrenuj model językowy" in capsys.readouterr().out
    assert call(monkeypatch, "status", "gone") == 2
    assert capsys.readouterr().err.startswith("błąd: gone to nie przebieg (brak w nim recipe.toml)")
    assert call(monkeypatch, "status", "gone", "--language", "en") == 2
    assert capsys.readouterr().err.startswith("error: gone is no run")


def test_help_does_not_wait_for_torch() -> None:
    code = "import sys; from anatomia.cli import main; main(); assert 'torch' not in sys.modules"
    said = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=True).stdout
    assert all(command in said for command in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rnu"], 'Did you mean "run"?'),
        (["run", "mine.toml", "--untl", "first"], "--untl"),
        (["run", "gone.toml"], "gone.toml is no recipe"),
        (["run", "mine.toml", "--set", "first.fator=2"], "--set: first.fator is not a setting (did you mean factor?)"),
        (["run", "mine.toml", "--set", 'first.texts=["gone.txt"]'], "mine.toml: first.texts: no file"),
        (["run", "mine.toml", "--until", "frist"], "did you mean first?"),
        (["status", "gone"], "gone is no run"),
        (["report", "gone"], "gone is no run"),
        (["rank", "gone"], "gone holds no completions to rank"),
        (["chat", "gone"], "gone does not exist"),
        (["chat", "."], "holds no model (no config.json) and no run"),
        (["complete", "gone"], "--prompt"),
        (["complete", "gone", "--prompt", "x", "--temperature", "-1"], "temperature = -1.0 is negative"),
        (["compare", "gone", "--prompt", "x"], "gone does not exist"),
        (["complete", "gone", "--prompt", "x", "--count", "0"], "--count 0: give 1 or more"),
        (["show", "ranking", "a > b", "--most", "-2"], "--most -2: give 1 or more"),
        (["show", "generation", "gone", "x", "--candidates", "-1"], "--candidates -1: give 0 or more"),
    ],
)
def test_a_mistake_is_one_line_exit_2_and_nothing_written(
    arguments: list[str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    assert call(monkeypatch, *arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert words in said
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["rnu"], "nie ma polecenia „rnu”. Czy chodziło o „run”?"),
        (["run", "mine.toml", "--untl", "first"], "nie ma opcji --untl. Czy chodziło o --until?; zobacz anatomia"),
        (["run", "mine.toml", "--until"], "polecenie run: brakuje wartości --until"),
        (["complete", "gone", "--prompt", "x", "--seed", "y"], "--seed: „y” to nie liczba całkowita"),
        (["run", "mine.toml", "--set", "first.fator=2"], "ma takiego ustawienia (czy chodziło o factor?); są: texts"),
        (["run", "mine.toml", "--set", "first.factor=x"], '--set: first.factor = "x": powinno być liczbą całkowitą'),
        (["run", "mine.toml", "--set", 'first.texts=["gone.txt"]'], "mine.toml: first.texts: no file"),  # of a test
        (["run", "mine.toml", "--set", "frist.factor=2"], "frist – nie ma takiej sekcji (czy chodziło o first?); są: "),
        (["run", "mine.toml", "--set", "name=../x"], 'name = "../x": to ma być nazwa katalogu, bez / i \\'),
        (["run", "wrold"], "nie ma przepisu wrold (czy chodziło o world?); podaj"),
        (["run", "mine.toml", "--until", "frist"], "nie ma takiego etapu (czy chodziło o first?); są: first"),
        (["compare", "gone", "--prompt", "x"], "gone nie istnieje; podaj katalog przebiegu albo modelu"),
        (["show", "ranking", "a > a > b"], "'a > a > b' to nie ranking: a występuje dwa razy."),
    ],
)
def test_a_mistake_is_said_in_polish(
    arguments: list[str], line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "--language", "pl", *arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("błąd: ")
    assert line in said


def test_doctor_names_everything_in_both_languages(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("anatomia.base.machine.recall", lambda: MACHINE)
    assert call(monkeypatch, "doctor", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert {name.replace("_", " ") for part in ("machine", "chosen") for name in rows[part]} <= POLISH.keys()
    assert call(monkeypatch, "--language", "pl", "doctor") == 0
    assert "wątki" in capsys.readouterr().out


def test_debug_shows_where_an_error_came_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["anatomia", "--debug", "status", "gone"])
    with pytest.raises(cli.UserError):
        cli.main()


def test_stages_that_a_run_went_past_are_not_in_its_table() -> None:
    """Those that are still to come are."""
    made = [Standing(name, state, None) for name, state in (("reward", "done"), ("judge", "absent"), ("align", "done"))]
    table = summary([*made, Standing("evaluate", "absent", None)], Messages("en"))
    assert list(table.columns[0].cells) == ["reward", "align", "evaluate"]


def test_run_then_status(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    go(tmp_path / "runs" / "mine")  # chooses the machine without measuring
    capsys.readouterr()
    assert call(monkeypatch, "run", "mine.toml") == 0
    assert capsys.readouterr().out.count("unchanged") == 3
    assert call(monkeypatch, "status", "runs/mine", "--json") == 0
    status = json.loads(capsys.readouterr().out)
    assert [row["stage"] for row in status["stages"]] == list(stages.ORDER)


def test_a_run_shows_itself_where_its_recipe_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    go(tmp_path / "runs" / "mine")
    assert call(monkeypatch, "run", "mine.toml", "--set", "log.tensorboard=true") == 0
    shown = {path.parent.name for path in (tmp_path / "runs" / "mine" / "tensorboard").rglob("*tfevents*")}
    assert shown == {"first", "second", "third"}


def test_ctrl_c_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("anatomia.pipeline.run", interrupt)
    assert call(monkeypatch, "run", "mine.toml") == 130
    assert capsys.readouterr().err.strip() == "Stopped. The same command goes on from here."
    assert call(monkeypatch, "--language", "pl", "run", "mine.toml") == 130
    assert "To samo polecenie" in capsys.readouterr().err


def test_the_restart_keeps_the_command_and_happens_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MALLOC_TOP_PAD_")
    started: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr(os, "execve", lambda path, arguments, levers: started.append((arguments, levers)))
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "anatomia", "run"])
    monkeypatch.setattr(sys, "platform", "linux")
    call(monkeypatch, "run", "gone.toml")
    (arguments, environment), *more = started
    assert (arguments, more) == ([sys.executable, "-m", "anatomia", "run"], [])
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    call(monkeypatch, "run", "gone.toml")
    assert len(started) == 1


def test_a_run_stands_for_its_best_model(tmp_path: Path) -> None:
    def made(stage: str) -> None:
        (tmp_path / "run" / stage).mkdir(parents=True)
        record = {"kind": stage, "fingerprint": "", "settings": {}, "parents": {}, "files": {}, "metrics": {}}
        text = json.dumps({**record, "seconds": 1.0, "created": ""})
        (tmp_path / "run" / stage / "artifact.json").write_text(text, encoding="utf-8")
        (tmp_path / "run" / stage / "config.json").write_text("{}", encoding="utf-8")

    made("pretrain")
    (tmp_path / "run" / "recipe.toml").write_text("", encoding="utf-8")
    assert model_directory(tmp_path / "run").name == "pretrain"
    made("align")
    assert model_directory(tmp_path / "run").name == "align"
    assert model_directory(tmp_path / "run" / "pretrain").name == "pretrain"


def play(console: Console, clock: list[float], language: Any = "en") -> None:
    """A stage as the terminal hears of it."""
    with Terminal(console, Messages(language), clock=lambda: clock[0]) as terminal:
        terminal({"stage": "pretrain", "kind": "stage", "state": "begin"})
        for step in range(1, 41):
            clock[0] += 1.0
            terminal({"stage": "pretrain", "kind": "step", "step": step, "loss": 3.25})
            terminal({"stage": "pretrain", "kind": "progress", "done": step, "total": 1000, "unit": "steps"})
        terminal({"stage": "pretrain", "kind": "sample", "step": 40, "prompt": "Raz [/b]", "text": "dwa\ntrzy"})
        terminal({"stage": "pretrain", "kind": "note", "text": "see [this]"})
        metrics = {"bits_per_byte": 1.2345, "parameters": 1234567}
        done = {"stage": "pretrain", "kind": "stage", "state": "done", "metrics": metrics, "seconds": 61.2}
        terminal(done)


def test_plain_lines_come_every_ten_seconds() -> None:
    console = Console(file=io.StringIO(), width=100)
    play(console, [0.0])
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert [line for line in lines if "steps" in line] == [
        f"pretrain {step}/1,000 steps, 1/s, {duration(1000 - step)} left, loss 3.25" for step in (10, 20, 30, 40)
    ]
    assert "  step 40  Raz [/b] dwa trzy" in lines
    assert "note: see [this]" in lines
    assert "1:01" in lines[-1]
    assert "1.234 bits a byte, 1,234,567 parameters" in lines[-1]


def train_on_screen(console: Console, language: Any = "en") -> None:
    """Training as the terminal hears of it, with a look at validation on the way."""
    clock = [0.0]
    fast = {"tokens_per_second": 61234.5, "share_of_limit": 0.6234}
    with Terminal(console, Messages(language), clock=lambda: clock[0]) as terminal:
        terminal({"stage": "pretrain", "kind": "stage", "state": "begin"})
        for step in (1, 2, 3):
            clock[0] += 8.0
            if step == 2:
                validation = {"kind": "validation", "step": step, "loss": 9.0, "bits_per_byte": 1.25}
                terminal({"stage": "pretrain", **validation})
            terminal({"stage": "pretrain", "kind": "step", "step": step, "loss": 3.25, **fast})
            progress = {"done": step, "total": 5, "unit": "steps", "loss": 3.25, **fast}
            terminal({"stage": "pretrain", "kind": "progress", **progress})
        if isinstance(terminal.view, _Bar):
            assert terminal.view.bar is not None
            terminal.view.bar.refresh()


def test_training_shows_its_speed_the_share_of_the_limit_and_the_last_look_at_validation() -> None:
    console = Console(file=io.StringIO(), width=100)
    train_on_screen(console)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    start = "pretrain 2/5 steps, 61,234 tokens/s, 0:24 left, 62% of the machine's limit"
    assert lines == ["pretrain ...", f"{start}  loss 3.25  bits per byte 1.25"]


def test_reinforcement_learning_shows_what_it_is_about() -> None:
    console, clock = Console(file=io.StringIO(), width=100), [0.0]
    figures = {"loss": 0.25, "reward": 1.5, "score": 2.0, "kl": 0.125}
    with Terminal(console, Messages("en"), clock=lambda: clock[0]) as terminal:
        terminal({"stage": "align", "kind": "stage", "state": "begin"})
        clock[0] += 20.0
        terminal({"stage": "align", "kind": "progress", "done": 1, "total": 5, "unit": "steps", **figures})
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert said.endswith("loss 0.25  reward 1.5  score 2  kl 0.125\n")


@pytest.mark.parametrize("width", [80, 160])
def test_nothing_of_it_is_cut_off_in_a_narrow_terminal(width: int) -> None:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    train_on_screen(console, "pl")
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert "3/5 kroków 61 234 tokenów/s".replace("61 234", "61\N{NO-BREAK SPACE}234") in said
    assert "62% możliwości maszyny  strata 3,25  bity na bajt 1,25" in said
    assert "…" not in said


def test_a_live_terminal_ends_with_the_stage_and_no_bar() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=True, color_system=None)
    play(console, [0.0], "pl")
    end = console.file.getvalue().splitlines()[-1]  # type: ignore[attr-defined]
    assert "1,234 bitu na bajt" in end


def test_farewell_says_what_to_type_next(tmp_path: Path) -> None:
    def done(stage: str, metrics: dict[str, Any]) -> Standing:
        return Standing(stage, "done", Artifact(tmp_path / stage, stage, "", {}, {}, {}, metrics, 5.0, ""))

    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "report.html").write_text("", encoding="utf-8")
    console = Console(file=io.StringIO(), width=120)
    stages = [done(stage, {"anything": "else"}) for stage in ("pretrain", "finetune", "sample", "align", "report")]
    farewell(console, tmp_path, stages, Messages("en"))
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert f"anatomia chat {tmp_path}" in said
    spaced = tmp_path / "mój przebieg"
    farewell(console, spaced, stages, Messages("pl"))
    said += console.file.getvalue()  # type: ignore[attr-defined]
    assert f"anatomia chat '{spaced}'" in said
    assert f"'{spaced}/align' --prompt" in said
    assert f"anatomia compare {tmp_path}/pretrain {tmp_path}/finetune {tmp_path}/align --prompt" in said
    assert f"anatomia rank {tmp_path}" in said
    assert str(tmp_path / "report" / "report.html") in said


def test_numbers_and_languages() -> None:
    assert [Messages("en").number(value) for value in (1234567, 0.123456, 12345.6, 3.0)] == [
        "1,234,567",
        "0.1235",
        "12,346",
        "3",
    ]
    assert Messages("pl").number(1234.5) == "1\N{NO-BREAK SPACE}234"
    assert Messages("pl").share(0.625) == "62,5%"
    assert [duration(seconds) for seconds in (7, 751, 3723)] == ["0:07", "12:31", "1:02:03"]
    assert preferred_language({"LANG": "pl_PL.UTF-8"}) == "pl"
    assert preferred_language({"LC_ALL": "en_GB.UTF-8", "LANG": "pl_PL.UTF-8"}) == "en"
    assert preferred_language({}) == "en"
