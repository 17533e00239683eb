"""`anatomia show` on a small tokenizer and model: plain JSON, and pictures in both languages."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from anatomia.base.errors import UserError
from anatomia.base.files import write_jsonl
from anatomia.explain import rankings, render, show
from anatomia.feedback.ranking import Ranking
from anatomia.model.checkpoint import load_model, save_model
from anatomia.model.config import DecoderConfig
from anatomia.model.decoder import Decoder
from anatomia.tokens.vocabulary import Vocabulary, train_vocabulary

DIALOGUE = [
    {"role": "user", "content": "Gdzie jest kot?"},
    {"role": "assistant", "content": "Kot śpi."},
]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    vocabulary = train_vocabulary(["Kot śpi na piecu. The cat sleeps by the stove. " * 20], 320)
    end = (vocabulary.end,)
    model = Decoder(
        DecoderConfig(vocabulary.size, 16, 1, 2, 1, 8, 32, context=64, begin=vocabulary.begin, end=end, padding=0)
    )
    model.initialize(torch.Generator().manual_seed(0))
    save_model(path, model)
    vocabulary.save(path)
    return path


def painted(kind: str, shown: dict[str, Any], language: str = "en", colours: Any = None) -> str:
    json.dumps(shown, allow_nan=False)
    console = Console(width=120, file=StringIO(), force_terminal=bool(colours), color_system=colours)
    painter = rankings.render_ranking if kind == "ranking" else getattr(render, f"render_{kind}")
    console.print(painter(shown, language))
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_tokens(directory: Path) -> None:
    shown = show.show_tokens(["Kot śpi.\n", "☕"], directory)
    assert "".join(token["text"] for token in shown["texts"][0]["tokens"]) == "Kot śpi.\n"
    assert "Kot śpi.↵" in painted("tokens", shown).replace("│", "")
    assert "bajtów na token: " in painted("tokens", shown, "pl")


def test_windows_with_a_model_show_its_probabilities(directory: Path) -> None:
    shown = show.show_windows("The cat sleeps.", directory, most=4, candidates=3)
    vocabulary, model = Vocabulary.load(directory), load_model(directory).eval()
    ids = [vocabulary.begin, *vocabulary.encode("The cat sleeps.")]
    assert [p["next"] for p in shown["predictions"]] == vocabulary.pieces(ids[1:5])  # type: ignore[arg-type]
    with torch.inference_mode():
        chances = torch.softmax(model(torch.tensor([ids]))[0, 2], -1)
    best = shown["predictions"][2]["candidates"][0]
    assert best["probability"] == pytest.approx(float(chances.max()), abs=1e-5)
    assert "what the model expected" in painted("windows", shown)


def test_windows_with_a_tokenizer_alone(directory: Path) -> None:
    shown = show.show_windows("The cat.", directory / "tokenizer.json")
    assert all(prediction["candidates"] == [] for prediction in shown["predictions"])
    assert "następny token" in painted("windows", shown, "pl")
    with pytest.raises(UserError, match="no token to predict"):
        show.show_windows("", directory)


def test_padding_and_the_packed_alternative(directory: Path) -> None:
    shown = show.show_padding(["The cat sleeps by the stove.", "Kot", "śpi"], directory)
    widths = {len(row["tokens"]) for row in shown["rows"]}
    assert len(widths) == 1
    assert [any(row["padding"]) for row in shown["rows"]] == [False, True, True]
    assert len(shown["packed"]) < len(shown["rows"])
    said = painted("padding", shown)
    assert "empty cells" in said
    assert "<|end|>" not in said
    assert "The last token of a text it only ever predicts" in said
    assert {len(row["tokens"]) for row in shown["packed"]} == widths
    with pytest.raises(UserError, match="not empty"):
        show.show_padding([], directory)


def test_generation_is_what_the_model_generates(directory: Path) -> None:
    from anatomia.generate.engine import generate
    from anatomia.generate.sampling import Sampling

    sampling = Sampling(temperature=0.8, max_new=6)
    shown = show.show_generation("Kot", directory, sampling, seed=3)
    vocabulary, model = Vocabulary.load(directory), load_model(directory).eval()
    (completion,) = generate(model, [[vocabulary.begin, *vocabulary.encode("Kot")]], [3], sampling)  # type: ignore[list-item]
    assert [step["token"] for step in shown["steps"]] == vocabulary.pieces(completion.ids)
    assert shown["finished"] == completion.finished
    assert "chosen token" in painted("generation", shown)
    dialogue = show.show_generation(DIALOGUE[:1], directory, Sampling(temperature=0.0, max_new=2))
    assert dialogue["prompt"] == "Gdzie jest kot?"


def test_dialogue_shows_template_and_loss_mask(directory: Path) -> None:
    shown = show.show_dialogue(DIALOGUE, directory)
    learnt = [token for token, weight in zip(shown["tokens"], shown["weights"], strict=True) if weight]
    assert "".join(learnt) == "Kot śpi.<|end|>"
    assert shown["rendered"] == "<|begin|><|user|>Gdzie jest kot?<|assistant|>Kot śpi.<|end|>"
    assert "carries loss" in painted("dialogue", shown)
    prompt = show.show_dialogue(DIALOGUE[:1], directory)
    assert not any(prompt["weights"])
    assert prompt["tokens"][-1] == "<|assistant|>"
    assert "żaden token nie niesie straty" in painted("dialogue", prompt, "pl")


def test_without_colours_signs_say_the_same(directory: Path) -> None:
    tokens = show.show_tokens(["Kot śpi."], directory)
    pieces = [token["text"] for token in tokens["texts"][0]["tokens"]]
    assert "│".join(pieces) in painted("tokens", tokens)
    dialogue = show.show_dialogue(DIALOGUE, directory)
    assert "kot?<|assistant|>⟦Kot śpi.<|end|>⟧\n" in painted("dialogue", dialogue)
    assert "⟦carries loss⟧  only read" in painted("dialogue", dialogue)
    padding = painted("padding", show.show_padding(["The cat sleeps by the stove.", "Kot", "śpi"], directory))
    assert "t║<|begin|>│" in padding or "i║<|begin|>│" in padding
    assert "║░░" in padding
    windows = show.show_windows("The cat sleeps.", directory, most=4, candidates=400)
    assert painted("windows", windows).count("⟦") == 4


def test_colours_need_no_signs(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    tokens, dialogue = show.show_tokens(["Kot śpi."], directory), show.show_dialogue(DIALOGUE, directory)
    for kind, shown in (("tokens", tokens), ("dialogue", dialogue)):
        coloured = painted(kind, shown, colours="truecolor")
        assert "\x1b[" in coloured
        assert not set("│⟦⟧") & set(coloured)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "│" in painted("tokens", tokens, colours="truecolor")


def test_messages_from_json_or_text() -> None:
    assert show.read_messages("Cześć!\n") == [{"role": "user", "content": "Cześć!"}]
    assert show.read_messages(json.dumps(DIALOGUE)) == DIALOGUE
    assert show.read_messages(json.dumps({"messages": DIALOGUE})) == DIALOGUE
    for wrong in ('{"text": 1}', "[]", "17"):
        with pytest.raises(UserError, match="a dialogue as JSON"):
            show.read_messages(wrong)


def test_orders_become_stars() -> None:
    (one,) = show.show_ranking("b > a = d > c")["rankings"]
    assert one["linear"] == [2.5, 5.0, 0.0, 2.5]
    for method in ("bradley_terry", "plackett_luce"):
        a, b, c, d = one[method]
        assert 5 >= b > a > c >= 0
        assert a == pytest.approx(d)
    (several,) = show.show_ranking("a > b; b > a\na > b")["rankings"]
    assert len(several["annotators"]) == 3
    assert several["linear"] == pytest.approx([10 / 3, 5 / 3], abs=1e-3)
    assert "★" in painted("ranking", show.show_ranking("a > b; b > a\na > b"))
    for wrong in ("a", "a > b = ", "a > c"):
        with pytest.raises(UserError, match=r"ranks fewer|is no ranking"):
            show.show_ranking(wrong)


def test_rankings_of_a_file_name_simulated_annotators(tmp_path: Path) -> None:
    prompt = ({"role": "user", "content": "Ile?"},)
    rows = [
        Ranking("p", prompt, ("dwa", "trzy", "cztery"), groups, name).to_json()
        for name, groups in (("simulated:Ola", ((0,), (1,))), ("Jan", ((1,), (0,))))
    ]
    write_jsonl(tmp_path / "rankings.jsonl", rows)
    shown = show.show_ranking(tmp_path / "rankings.jsonl")
    assert shown["rankings"][0]["linear"] == [2.5, 2.5, None]
    assert shown["rankings"][0]["davidson_interval"][2] is None
    text = painted("ranking", shown, "pl")
    assert "Ola (symulacja)" in text
    assert "Jan" in text
    assert "–" in text


def test_prompts_with_the_most_different_answers_come_first(tmp_path: Path) -> None:
    answers = {"same": ("a", "a", "a "), "first": ("a", "b", "c"), "two": ("a", "b", "b"), "second": ("d", "e", "f")}
    rows = [Ranking(name, (), texts, ((0, 1, 2),), "Jan").to_json() for name, texts in answers.items()]
    write_jsonl(tmp_path / "rankings.jsonl", rows)
    shown = show.show_ranking(tmp_path / "rankings.jsonl", most=3)["rankings"]
    assert [tuple(ranking["completions"]) for ranking in shown] == [
        answers[name] for name in ("first", "second", "two")
    ]


def test_stars_of_some_prompts_rest_on_all_rankings(tmp_path: Path) -> None:
    """Who is reliable and how readily people tie is learnt from all prompts, also from those that are not shown."""
    rows = []
    for number in range(60):
        texts = (f"a{number}", f"b{number}", f"c{number}")
        orders = {"Ola": ((0,), (1,), (2,)), "Jan": ((0,), (1, 2)), "Zły": ((2,), (1,), (0,))}
        rows += [Ranking(f"p{number}", (), texts, groups, name).to_json() for name, groups in orders.items()]
    write_jsonl(tmp_path / "rankings.jsonl", rows)
    shown = show.show_ranking(tmp_path / "rankings.jsonl", most=2)
    every = show.show_ranking(tmp_path / "rankings.jsonl", most=60)
    assert shown["rankings"] == every["rankings"][:2]
    assert 0 < shown["tie"] < 1
    people = {one["name"]: one for one in shown["annotators"]}
    assert people["Zły"]["contrary"]
    first = shown["rankings"][0]
    assert first["davidson"][0] > first["linear"][0], "whoever means the opposite counts the other way round"
    low, high = first["davidson_interval"][0]
    assert low <= first["davidson"][0] <= high
    agree = {frozenset(pair["annotators"]): pair["kendall_tau"] for pair in shown["pairs"]}
    assert agree[frozenset(("Ola", "Zły"))] == -1
    text = painted("ranking", shown, "pl")
    assert "na odwrót" in text
    assert "Ola · Zły" in text
    assert "Dwie równie dobre odpowiedzi uznaje się za remis w " in text


def test_one_order_alone_says_nothing_of_people() -> None:
    text = painted("ranking", show.show_ranking("a > b"))
    assert "reliability" not in text
    assert "agree" not in text
    assert "called tied" not in text, "nobody tied anything"
