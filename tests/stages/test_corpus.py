import json
import os
import random
from pathlib import Path
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest

from anatomia.base.errors import UserError
from anatomia.base.events import Ledger
from anatomia.stages import corpus
from anatomia.stages.corpus import STAGE, CorpusSettings, WorldSettings
from anatomia.stages.stage import Context
from anatomia.text import engine

POLISH = "nad rzeką stał stary młyn w którym od lat nikt nie mieszkał a jednak co wieczór paliło się światło".split()  # noqa: SIM905
ENGLISH = "by the river stood an old mill in which nobody had lived for years and yet a light burned there".split()  # noqa: SIM905


def sentences(seed, count=6, words=POLISH):
    stream = random.Random(seed)
    own = [f"{stream.choice(words)}{stream.choice(['ek', 'owy', 'arz', 'nik'])}" for _ in range(40)]
    return " ".join(" ".join(stream.sample(words, 8) + stream.sample(own, 2)).capitalize() + "." for _ in range(count))


def context(tmp_path, root, notes=None, world=None, **settings):
    work = tmp_path / "work"
    work.mkdir(exist_ok=True, parents=True)
    listen = [lambda event: notes.append(event)] if notes is not None else []
    sections = {"corpus": CorpusSettings(**settings), "world": WorldSettings(**(world or {}))}
    return Context(sections, {}, work, Ledger(None, listen), 1, root)


def rows(work, name="train"):
    return pq.read_table(work / f"{name}.parquet").to_pylist()


@pytest.fixture
def texts(tmp_path):
    root = tmp_path / "texts"
    root.mkdir()
    lines = [{"text": sentences(i)} for i in range(120)]
    lines += [
        {"text": sentences(3)},
        {"text": "  " + sentences(4).replace(" ", "\u00a0 ")},
    ]  # the same after normalising
    lines += [{"text": sentences(5, 12)}, {"text": sentences(5, 12)[:-30] + "Inny koniec."}]
    lines += [
        {"text": "Jest to zdanie, które jest za krótkie."},
        {"text": ""},
        {"text": "Это русский текст о старой мельнице у реки. " * 5},
    ]
    (root / "a.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n{broken\n", encoding="utf-8")
    (root / "b.txt").write_text(sentences("b", 10, ENGLISH), encoding="utf-8")
    return root


def test_the_funnel_accounts_for_every_document(tmp_path, texts):
    notes = []
    metrics = STAGE.run(context(tmp_path, texts, notes, sources=["*"]))
    work = tmp_path / "work"
    funnel = {row["rule"]: row["documents"] for row in json.loads((work / "funnel.json").read_text(encoding="utf-8"))}
    assert (next(iter(funnel)), next(reversed(funnel))) == ("read", "kept")
    assert funnel == {
        "read": 129,
        "unreadable": 1,
        "empty": 1,
        "language": 1,
        "too_short": 1,
        "exact_duplicate": 2,
        "near_duplicate": 1,
        "kept": 122,
    }
    assert metrics["documents_read"] == 129
    assert metrics["documents_kept"] == 122
    assert metrics["documents_dropped"]["near_duplicate"] == 1
    train, validation = rows(work), rows(work, "validation")
    assert len(train) + len(validation) == 122
    assert metrics["validation_documents"] == len(validation) > 0
    assert metrics["characters_kept"] == sum(len(row["text"]) for row in train + validation)
    assert metrics["bytes_kept"] == sum(len(row["text"].encode()) for row in train + validation)
    assert metrics["language_share"]["pl"] > metrics["language_share"]["en"] > 0
    assert {row["source"].split(":")[0] for row in train + validation} == {"a.jsonl", "b.txt"}
    assert any("a.jsonl:128" in event.get("text", "") for event in notes)
    assert any(event["kind"] == "progress" for event in notes)


def test_specimens_show_before_and_after_and_reasons(tmp_path, texts):
    page = f"<html><body><nav>Menu</nav><article><p>{sentences('p')}</p><p>{sentences('q')}</p></article></body></html>"
    (texts / "page.html").write_text(page, encoding="utf-8")
    STAGE.run(context(tmp_path, texts, sources=["*"]))
    specimens = json.loads((tmp_path / "work/specimens.json").read_text(encoding="utf-8"))
    shown = next(item for item in specimens["kept"] if item["source"] == "page.html")
    assert shown["before"].startswith("<body><nav>")
    assert shown["after"].startswith(sentences("p")[:50])
    assert {item["language"] for item in specimens["kept"]} == {"pl", "en"}
    reasons = {item["rule"]: item["reason"] for item in specimens["dropped"]}
    assert reasons["too_short"] == "7 words, fewer than 10"
    assert reasons["exact_duplicate"] == "the same text as in a.jsonl:5"
    assert "a.jsonl:123" in reasons["near_duplicate"]
    assert all(len(item.get("after", item.get("text", ""))) <= 600 for group in specimens.values() for item in group)


def test_validation_goes_by_the_text_alone(tmp_path, texts):
    STAGE.run(context(tmp_path / "one", texts, sources=["*"], validation_fraction=0.2))
    (texts / "a.jsonl").rename(texts / "z.jsonl")
    STAGE.run(context(tmp_path / "two", texts, sources=["z*", "b*"], validation_fraction=0.2))
    chosen = [{row["id"] for row in rows(tmp_path / run / "work", "validation")} for run in ("one", "two")]
    assert chosen[0] == chosen[1]
    assert 10 < len(chosen[0]) < 45


def test_the_number_of_processes_and_a_kill_change_nothing(tmp_path, texts, monkeypatch):
    monkeypatch.setattr(corpus, "BATCH", 3000)
    outputs = []
    for processes in (1, 2):
        monkeypatch.setattr(engine, "usable_cores", lambda processes=processes: processes)
        STAGE.run(context(tmp_path / str(processes), texts, sources=["*"]))
        outputs.append(files(tmp_path / str(processes) / "work"))
    assert outputs[0] == outputs[1]

    killed = context(tmp_path / "killed", texts, sources=["*"])
    refine, done = corpus.refine, []

    def dies(*arguments):
        if len(done) == 4:
            raise KeyboardInterrupt
        done.append(1)
        return refine(*arguments)

    monkeypatch.setattr(engine, "usable_cores", lambda: 1)
    monkeypatch.setattr(corpus, "refine", dies)
    with pytest.raises(KeyboardInterrupt):
        STAGE.run(killed)
    again = []
    monkeypatch.setattr(corpus, "refine", lambda *arguments: again.append(1) or refine(*arguments))
    STAGE.run(killed)
    assert files(tmp_path / "killed/work") == outputs[0]
    parts = len(list((killed.resume / "parts").glob("*.json")))
    assert len(again) == parts - 4


def files(work: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in work.iterdir() if path.is_file()}


def test_quality_and_duplicates_can_be_loosened(tmp_path, texts):
    metrics = STAGE.run(context(tmp_path, texts, sources=["*"], quality=False, near_duplicates=1.0, languages=[]))
    assert set(metrics["documents_dropped"]) == {"unreadable", "empty", "exact_duplicate"}


def test_nothing_left_is_said(tmp_path, texts):
    (texts / "c.txt").write_text("Za krótkie.", encoding="utf-8")
    with pytest.raises(UserError, match=r"no document \(of 1\) is left \((language|too_short) 1\)"):
        STAGE.run(context(tmp_path, texts, sources=["c.txt"]))


def test_check_names_key_and_value_and_reads_names_the_files(tmp_path, texts):
    recipe = SimpleNamespace(corpus=CorpusSettings(sources=["a.jsonl", "nowhere/*.gz", "world"]))
    with pytest.raises(UserError, match=r"corpus\.sources: 'nowhere/\*\.gz' matches no file"):
        STAGE.check(recipe, texts)
    recipe = SimpleNamespace(corpus=CorpusSettings(sources=["*.txt", "world", "a.jsonl"]))
    STAGE.check(recipe, texts)
    assert [path.name for path in STAGE.reads(recipe, texts)] == ["b.txt", "a.jsonl"]


def test_sources_outside_the_recipes_directory_keep_their_path(tmp_path, texts):
    STAGE.run(context(tmp_path, tmp_path / "elsewhere", sources=[f"{texts}/b.txt", f"{texts}/a.jsonl"]))
    assert {os.path.dirname(row["source"].split(":")[0]) for row in rows(tmp_path / "work")} == {str(texts)}


def test_the_world_passes_the_same_rules_where_its_word_stands(tmp_path, texts, monkeypatch):
    monkeypatch.setattr(corpus, "WORLD_BATCH", 300)
    made = context(tmp_path, texts, sources=["b.txt", "world", "a.jsonl"], world={"documents": 1000})
    metrics = STAGE.run(made)
    sources = [row["source"].split(":")[0] for row in rows(made.work)]
    assert sources[-1] == "a.jsonl"
    assert sources == sorted(sources, key=["b.txt", "world", "a.jsonl"].index)
    assert sources.count("world") > 850
    assert min(metrics["language_share"].values()) > 0.3


@pytest.mark.real
def test_real_files_of_every_kind(tmp_path, real_data):
    sources = ["text-pl/books/p*.txt", "text-pl/web/*.gz", "text-pl/law/*", "text-en/**/*", "warc/**/*"]
    metrics = STAGE.run(context(tmp_path, real_data, sources=sources))
    dropped = metrics["documents_dropped"]
    assert dropped["unreadable"] == 5
    # 519 pages of which 342 have distinct contents, and crawls that hold the same page
    assert 177 <= dropped["exact_duplicate"] < 230
    assert set(metrics["language_share"]) == {"pl", "en"}
    assert metrics["documents_kept"] > 0.7 * metrics["documents_read"]
    assert metrics["documents_kept"] + sum(dropped.values()) == metrics["documents_read"]
    specimens = json.loads((tmp_path / "work/specimens.json").read_text(encoding="utf-8"))
    assert any(item["before"].lstrip().startswith("<body") for item in specimens["kept"])
