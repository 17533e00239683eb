"""The commands that let a model speak or show what happens inside, on a model that has learnt nothing."""

import io
import json
import sys
from pathlib import Path

import pytest
import torch

from anatomia import cli
from anatomia.messages import LANGUAGE
from anatomia.model.checkpoint import save_model
from anatomia.model.config import DecoderConfig
from anatomia.model.decoder import Decoder
from anatomia.tokens.vocabulary import train_vocabulary


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The directory of a tiny model."""
    directory = tmp_path_factory.mktemp("models") / "tiny"
    vocabulary = train_vocabulary(["The river flows to the sea. Rzeka płynie do morza."] * 20, 300)
    decoder = Decoder(
        DecoderConfig(
            vocabulary=304,
            width=16,
            layers=1,
            heads=2,
            kv_heads=2,
            head_size=8,
            hidden=32,
            context=64,
            begin=vocabulary.begin,
            end=(vocabulary.end,),
            padding=vocabulary.padding,
        )
    )
    decoder.initialize(torch.Generator().manual_seed(0))
    save_model(directory, decoder)
    vocabulary.save(directory)
    return str(directory)


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv(LANGUAGE, "")
    monkeypatch.setenv("COLUMNS", "120")


def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    monkeypatch.setattr(sys, "argv", ["anatomia", *arguments])
    cli.main()
    return capsys.readouterr().out


def test_complete(model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    command = ("complete", model, "--prompt", "The river", "--count", "2", "--max-new", "5", "--json")
    first = said(monkeypatch, capsys, *command)
    found = json.loads(first)
    assert found["prompt"] == "The river"
    assert all(one["tokens"] <= 5 for one in found["completions"])
    assert said(monkeypatch, capsys, *command) == first
    assert said(monkeypatch, capsys, *command, "--seed", "1") != first
    assert said(monkeypatch, capsys, *command[:-1]).startswith("The river" + found["completions"][0]["text"][:3])


def test_complete_shapes_what_is_drawn(
    model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("complete", model, "--prompt", "The river", "--temperature", "1", "--top-p", "1", "--json")
    (free,) = json.loads(said(monkeypatch, capsys, *command))["completions"]
    stops = ("--stop", free["text"][4:6], "--stop", "never said")
    (stopped,) = json.loads(said(monkeypatch, capsys, *command, *stops))["completions"]
    assert stopped["text"] == free["text"].partition(free["text"][4:6])[0]
    assert stopped["finished"]
    assert free["drawn"] == free["logprob"]
    (shaped,) = json.loads(said(monkeypatch, capsys, *command, "--min-p", "1", "--repetition-penalty", "5"))[
        "completions"
    ]
    assert shaped["drawn"] == 0, "with min-p 1 only the likeliest token is left"
    assert shaped["text"] != free["text"]


def test_compare(model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    command = ("compare", model, model, "--prompt", "[b]Who[/b]?", "--prompt", "Kto?", "--max-new", "5")
    found = json.loads(said(monkeypatch, capsys, *command, "--json"))
    assert [row["prompt"] for row in found] == ["[b]Who[/b]?", "Kto?"]
    assert all([answer["model"] for answer in row["answers"]] == [model, model] for row in found)
    assert "[b]Who[/b]?" in said(monkeypatch, capsys, *command)


def test_compare_says_where_it_cuts_an_answer(
    model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("compare", model, "--prompt", "Kto?")
    answer = json.loads(said(monkeypatch, capsys, *command, "--json"))[0]["answers"][0]
    assert (answer["tokens"], answer["finished"]) == (40, False)  # it has learnt nothing, so it rambles on
    shown = said(monkeypatch, capsys, *command)
    assert " …" in shown
    assert "--max-new 40 cuts it" in shown
    assert "ucina ją --max-new 7" in said(monkeypatch, capsys, "--language", "pl", *command, "--max-new", "7")


def test_chat(model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("Hello\n/new\nKto?\n"))
    shown = said(monkeypatch, capsys, "chat", model, "--max-new", "5")
    assert shown.count("> ") == 4


def test_chat_without_a_terminal_s_end_of_input(
    model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert model.split("/")[-1] in said(monkeypatch, capsys, "chat", model).replace("\n", "")


@pytest.mark.parametrize(
    ("what", "arguments", "key"),
    [
        ("tokens", ["The river", "Rzeka"], "texts"),
        ("windows", ["The river flows", "--most", "3"], "predictions"),
        ("padding", ["The", "The river flows"], "rows"),
        ("generation", ["Who?", "--max-new", "3"], "steps"),
        ("generation", ["Who", "--raw", "--max-new", "3"], "steps"),
        ("dialogue", ['[{"role":"user","content":"Kto?"},{"role":"assistant","content":"Ala."}]'], "weights"),
    ],
)
def test_show_for_people_and_programs(
    what: str,
    arguments: list[str],
    key: str,
    model: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert json.loads(said(monkeypatch, capsys, "show", what, model, *arguments, "--json"))[key]
    assert said(monkeypatch, capsys, "show", what, model, *arguments).strip()


def test_show_reads_standard_input(
    model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("Rzeka płynie."))
    shown = json.loads(said(monkeypatch, capsys, "show", "tokens", model, "--json"))
    assert shown["texts"][0]["text"] == "Rzeka płynie."


def test_show_ranking_of_orders_and_of_a_file_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    shown = json.loads(said(monkeypatch, capsys, "show", "ranking", "b > a = c; b > c > a", "--json"))
    stars = shown["rankings"][0]["linear"]
    assert stars[1] == 5
    assert stars[2] > stars[0]
    for wrong, words in ((str(tmp_path), "holds no rankings"), ("gone.jsonl", "does not exist")):
        with pytest.raises(SystemExit) as end:
            said(monkeypatch, capsys, "show", "ranking", wrong)
        assert end.value.code == 2
        assert words in capsys.readouterr().err


def test_rank_knows_several_people(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    prompt = [{"role": "user", "content": "Which?"}]
    lines = [
        json.dumps({"prompt_id": name, "prompt": prompt, "completions": [{"text": name}, {"text": name * 2}]})
        for name in "pqr"
    ]
    (tmp_path / "sample").mkdir()
    (tmp_path / "sample" / "samples.jsonl").write_text("\n".join(lines), encoding="utf-8")
    for name, typed in (("Żaneta", "ab\nba\n"), (" żaneta ", "ab\n"), ("Jan", "ab\n")):
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        said(monkeypatch, capsys, "rank", str(tmp_path), "--name", name)
    found = json.loads(said(monkeypatch, capsys, "rank", str(tmp_path), "--progress", "--json"))
    people = {one["name"]: (one["rankings"], one["left"]) for one in found["people"]}
    assert people == {"Żaneta": (3, 0), "Jan": (1, 2)}
    assert found["ask_next"] == "Jan"
    table = said(monkeypatch, capsys, "rank", str(tmp_path), "--progress")
    assert "Żaneta" in table
    assert "Most would be learnt from the next ranking by Jan." in table
    for name in ("", "simulated:ada"):
        with pytest.raises(SystemExit):
            said(monkeypatch, capsys, "rank", str(tmp_path), "--name", name)
        assert "error: the name" in capsys.readouterr().err


def test_rank_keeps_what_a_person_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from anatomia.feedback.store import STORE, RankingStore

    (tmp_path / "sample").mkdir()
    sample = {
        "prompt_id": "1",
        "prompt": [{"role": "user", "content": "Kto?"}],
        "completions": [{"text": "Ala", "ids": [], "logprobs": [], "finished": True}, {"text": "Ola", "ids": []}],
        "meta": {},
    }
    (tmp_path / "sample" / "samples.jsonl").write_text(json.dumps(sample) + "\n", encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", io.StringIO("a > b\n"))
    said(monkeypatch, capsys, "rank", str(tmp_path), "--name", "Ewa")
    (kept,) = RankingStore(tmp_path / STORE).rankings()
    assert kept.annotator == "Ewa"
    assert len(kept.groups) == 2
