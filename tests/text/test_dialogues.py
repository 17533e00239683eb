"""Dialogues from files in the layouts and wrappings that datasets have."""

import bz2
import gzip
import io
import json
import lzma
import tarfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
import zstandard

from anatomia.base.errors import UserError
from anatomia.sentences import sentence
from anatomia.text.dialogue import Dialogue
from anatomia.text.dialogues import read_dialogues

ALPACA = [
    {"instruction": "Name a river.", "input": "", "output": "Vistula."},
    {"instruction": "Translate.", "input": "kot", "output": "cat"},
]

ROW = {"message_id": "a", "parent_id": None, "text": "x", "role": "prompter"}


def read(path: Path) -> list[Dialogue]:
    return list(read_dialogues([path]))


def said(dialogue: Dialogue) -> list[tuple[str, str]]:
    return [(turn.role, turn.content) for turn in dialogue.turns]


def one(tmp_path: Path, record: dict[str, Any]) -> Dialogue:
    path = tmp_path / "one.json"
    path.write_text(json.dumps([record]), encoding="utf-8")
    (dialogue,) = read(path)
    return dialogue


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("instruct/alpaca_en_demo.json", 800),
        ("instruct/alpaca_eval.jsonl.gz", 805),
        ("instruct/dolly_hhrlhf_train_small.jsonl.gz", 1000),
        ("instruct/litgpt-alpaca-fixture.json", 23),
        ("instruct/litgpt-dolly-fixture.json", 12),
        ("instruct/rasbt-instruction-data.json", 1100),
        ("instruct/self-instruct-seed_tasks.jsonl", 175),
        ("instruct/user_oriented_instructions.jsonl", 252),
        ("instruct/natural-instructions-v1/subtask053_multirc_correct_bad_question.json", 58),
        ("instruct/natural-instructions-v2/task1609_xquad_en_question_generation.json", 240),
        ("instruct/natural-instructions-v2-draft/task1092_ted_translation_en_pl.EXCERPT.json", 30),
        ("instruct/natural-instructions-v2-draft/task156_codah_classification_adversarial.json.gz", 2771),
        ("instruct/polish/speakleash-samples.tar.gz", 87),
        ("preference/dpo_en_demo.json.gz", 300),
    ],
)
@pytest.mark.real
def test_real_files_are_read_whole(real_data: Path, name: str, count: int) -> None:
    left_out: Counter[str] = Counter()
    found = list(read_dialogues([real_data / name], left_out))
    assert (len(found), dict(left_out)) == (count, {})
    assert all(dialogue.turns[-1].role == "assistant" for dialogue in found)
    assert all(turn.content for dialogue in found for turn in dialogue.turns)


@pytest.mark.real
def test_all_of_natural_instructions(real_data: Path) -> None:
    files = sorted((real_data / "instruct").glob("natural-instructions-v*/*"))
    found = list(read_dialogues(files))
    assert len(found) == 8607
    by_task = {dialogue.meta["task"]: dialogue for dialogue in found}
    assert len(by_task) == 30
    assert max(len(dialogue.meta["references"]) for dialogue in found) == 25
    polish = by_task["task1092_ted_translation_en_pl"]
    assert polish.meta["language"] == "pl"
    assert polish.turns[0].content.startswith("You are given a sentence in English.")


@pytest.mark.real
def test_real_corrections_leave_out_the_empty_one(real_data: Path) -> None:
    left_out: Counter[str] = Counter()
    found = list(read_dialogues([real_data / "instruct/polish/human_expert_gec_dataset.jsonl.gz"], left_out))
    assert (len(found), sum(left_out.values())) == (1803, 1)
    assert found[0].turns[0].content.endswith("Nieopodal Zmorojewa rozpoczął się wojna.")
    assert found[0].turns[1].content == "Nieopodal Zmorojewa rozpoczęła się wojna."


@pytest.mark.real
def test_real_trees_give_their_best_paths(real_data: Path) -> None:
    path = real_data / "preference/oasst/en_100_tree.jsonl"
    found = read(path)
    roots = [json.loads(line)["prompt"] for line in path.read_bytes().split(b"\n") if line.strip()]
    assert {dialogue.turns[0].content for dialogue in found} == {root["text"].strip() for root in roots}
    best = {reply["text"].strip() for root in roots for reply in root["replies"] if reply.get("rank") == 0}
    ranked = {root["text"].strip() for root in roots if any(reply.get("rank") == 0 for reply in root["replies"])}
    assert all(dialogue.turns[1].content in best for dialogue in found if dialogue.turns[0].content in ranked)


@pytest.mark.real
def test_the_alpaca_wrapping_is_taken_off(real_data: Path) -> None:
    found = read(real_data / "instruct/dolly_hhrlhf_train_small.jsonl.gz")
    assert found[0].turns[0].content == "what is kangen water?"
    assert not any("### Instruction" in dialogue.turns[0].content for dialogue in found)


def test_an_empty_input_leaves_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "alpaca.json"
    path.write_text(json.dumps(ALPACA), encoding="utf-8")
    first, second = read(path)
    assert said(first) == [("user", "Name a river."), ("assistant", "Vistula.")]
    assert said(second) == [("user", "Translate.\n\nkot"), ("assistant", "cat")]
    assert second.source == "alpaca.json:2"


def lines(records: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in records)


def in_tar(records: list[dict[str, Any]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for number, record in enumerate(records):
            data = json.dumps(record).encode()
            member = tarfile.TarInfo(f"data/{number}.json")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def in_parquet(records: list[dict[str, Any]]) -> bytes:
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(records), buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("a.json", lambda records: json.dumps(records, indent=2).encode()),
        ("a.json", lines),
        ("a.json", lambda records: b"\xef\xbb\xbf\n" + lines(records).replace(b"\n", b"\r\n")),
        ("a.jsonl.gz", lambda records: gzip.compress(lines(records[:1])) + gzip.compress(lines(records[1:]))),
        ("a.jsonl.xz", lambda records: lzma.compress(lines(records))),
        ("a.jsonl.bz2", lambda records: bz2.compress(lines(records))),
        ("a.jsonl.zst", lambda records: zstandard.compress(lines(records))),
        ("a.parquet", in_parquet),
        ("a.tar.gz", in_tar),
        ("no suffix", lambda records: gzip.compress(json.dumps(records).encode())),
    ],
)
def test_content_tells_how_a_file_is_packed(
    tmp_path: Path, name: str, pack: Callable[[list[dict[str, Any]]], bytes]
) -> None:
    path = tmp_path / name
    path.write_bytes(pack(ALPACA))
    assert [said(dialogue)[-1][1] for dialogue in read(path)] == ["Vistula.", "cat"]


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bz2.compress, zstandard.compress])
def test_a_file_cut_short_is_not_taken_for_a_whole_one(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "a.jsonl"
    packed = pack(lines([{"prompt": f"{number}?", "completion": str(7**number)} for number in range(400)]))
    path.write_bytes(packed[: len(packed) * 2 // 3])
    with pytest.raises(UserError, match=r"a\.jsonl cannot be read .* is the file whole\?"):
        read(path)


def test_lines_end_at_line_feeds_only(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines([{"prompt": "A\u2028B", "completion": "C\u0085D"}, {"prompt": "E", "completion": "F"}]))
    assert said(read(path)[0]) == [("user", "A\u2028B"), ("assistant", "C\u0085D")]


def test_messages_with_system_and_several_turns(tmp_path: Path) -> None:
    roles = ("system", "user", "assistant", "user", "assistant", "user")
    messages = [{"role": role, "content": f" {number} "} for number, role in enumerate(roles)]
    assert said(one(tmp_path, {"messages": messages})) == [(role, str(n)) for n, role in enumerate(roles[:-1])]


def test_sharegpt_names_and_parts_of_content(tmp_path: Path) -> None:
    conversations = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]
    dialogue = one(tmp_path, {"system": "Be kind.", "conversations": conversations})
    assert said(dialogue) == [("system", "Be kind."), ("user", "Hi"), ("assistant", "Hello")]
    parts = [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}, {"role": "assistant", "content": "Hello"}]
    assert said(one(tmp_path, {"messages": parts})) == [("user", "Hi"), ("assistant", "Hello")]


def test_prompts_and_completions_as_messages(tmp_path: Path) -> None:
    record = {"prompt": [{"role": "user", "content": "Hi"}], "completion": [{"role": "assistant", "content": "Hello"}]}
    assert said(one(tmp_path, record)) == [("user", "Hi"), ("assistant", "Hello")]


def test_rows_of_trees_give_their_best_paths(tmp_path: Path) -> None:
    rows = [
        {"message_id": name, "parent_id": parent, "text": name, "role": role, "rank": rank, "lang": "pl"}
        for name, parent, role, rank in (
            ("ask", None, "prompter", None),
            ("worse", "ask", "assistant", 1),
            ("best", "ask", "assistant", 0),
            ("more", "best", "prompter", None),
            ("and more", "best", "prompter", None),
            ("unanswered", "best", "prompter", None),
            ("yes", "more", "assistant", None),
            ("no", "and more", "assistant", 0),
        )
    ]
    path = tmp_path / "rows.parquet"
    path.write_bytes(in_parquet(rows))
    found = read(path)
    assert [[turn.content for turn in dialogue.turns] for dialogue in found] == [
        ["ask", "best", "more", "yes"],
        ["ask", "best", "and more", "no"],
    ]
    assert found[0].meta["language"] == "pl"
    assert found[0].source == "rows.parquet:1"


def test_answers_that_tools_took_for_numbers_are_text(tmp_path: Path) -> None:
    assert said(one(tmp_path, {"instruction": "2 + 2?", "output": 4}))[1] == ("assistant", "4")


def test_what_has_no_answer_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    records = [
        {"instruction": "Say nothing.", "output": "  "},
        {"instruction": "", "input": "", "output": "Something."},
        {"messages": [{"role": "user", "content": "Hello?"}]},
        {"instruction": "Say.", "output": "So."},
    ]
    path.write_bytes(lines(records))
    left_out: Counter[str] = Counter()
    assert len(list(read_dialogues([path], left_out))) == 1
    asked = [dialogue.turns[-1].content for dialogue in read_dialogues([path], answered=False)]
    assert asked == ["Say nothing.", "Hello?", "So."]
    assert dict(left_out) == {"no question": 1, "no answer": 2}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (
            b'{"question": "?", "wrong": 1}\n',
            "record 1: unknown layout with the keys question, wrong; known are: Natural",
        ),
        (lines(ALPACA) + b'{"instruction": ', "record 3: not valid JSON"),
        (b'[{"instruction": "a", "output": "b"}, 7]', "record 2: int where an object"),
        (b'[{"instruction": "a", "output": "b"},\n {"instruction": "c"', "record 2: not valid JSON (Expecting ',' del"),
        (b'[{"instruction": "a", "output": "b"},\n', "record 2: not valid JSON (Expecting value"),
        (b'[{"instruction": "a", "output": "b"}\n', "record 1: not valid JSON (the file ends within the list"),
        (b'[{"instruction": "a", "output": "b"} {}]', "record 1: not valid JSON (a comma or ] is missing)"),
        (b'[{"instruction": "a", "output": "b"}] 7', "record 1: not valid JSON (something follows the list)"),
        (b"[", "record 1: not valid JSON (the file ends within the list)"),
        (b"PK\x03\x04 an office document", "holds no records; it is a zip archive (or an office document); unpack or"),
        (b'{"instruction": "a", "output": "b", "history": ["c"]}', "record 1: history is a list of pairs"),
        (b'{"messages": [{"role": "assistant", "tool_calls": [{}]}]}', "record 1: a call in tool_calls has a function"),
        (
            b'{"message_id": [], "parent_id": null, "text": "", "role": ""}',
            "record 1: message_id and parent_id name mess",
        ),
        (lines([ROW, ROW | {"parent_id": "a"}]), "record 2: message_id a comes twice"),
        (b'{"messages": [], "tools": "none"}', "record 1: tools is no JSON"),
        (b'{"instruction": ["a"], "output": "b"}', "record 1: instruction is text, not list"),
        (b'{"messages": [{"role": "wizard", "content": "b"}]}', "record 1: unknown role 'wizard'; known are: system"),
        (b'{"message_tree_id": "t", "prompt": {"text": "x"}}', "record 1: looks like OpenAssistant trees, but is not"),
        (b'{"messages": "hello"}', "record 1: a dialogue is a list of messages, not str"),
        (b'{"Definition": "Do.", "Instances": [{"input": "x"}]}', "record 1: instance 1 has no input and output"),
        (b"", "is empty"),
        (b"just some text\n", "record 1: not valid JSON"),
        (gzip.compress(lines(ALPACA), mtime=0)[:-20], "cannot be read"),
        (in_parquet(ALPACA)[:-30], "cannot be read"),
        (b"PAR1 but not really", "cannot be read"),
    ],
)
def test_what_is_wrong_names_file_record_and_why(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read(path)
    message = str(caught.value)
    assert str(path) in message
    assert complaint in message
    assert "\n" not in message
    assert sentence(message) != message  # it is said in Polish too


def in_csv(records: list[dict[str, Any]]) -> bytes:
    return (
        "instruction,input,output\n" + "".join(f'{r["instruction"]},{r["input"]},"{r["output"]}"\n' for r in records)
    ).encode()


@pytest.mark.parametrize(
    ("name", "pack"), [("a.csv", in_csv), ("a.parquet", in_parquet), ("a.json", lambda r: json.dumps(r).encode())]
)
def test_every_kind_of_file_lies_in_a_tar(
    tmp_path: Path, name: str, pack: Callable[[list[dict[str, Any]]], bytes]
) -> None:
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        (tmp_path / name).write_bytes(pack(ALPACA))
        archive.add(tmp_path / name, name)
    first, second = read(path)
    assert [said(dialogue)[-1][1] for dialogue in (first, second)] == ["Vistula.", "cat"]
    assert second.source == f"a.tar.gz!{name}:2"


def test_turns_that_nobody_answered_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    turns = [{"role": role, "content": "x"} for role in ("user", "assistant", "user")]
    path.write_bytes(lines([{"messages": turns}]))
    left_out: Counter[str] = Counter()
    (found,) = read_dialogues([path], left_out)
    assert ([turn.role for turn in found.turns], dict(left_out)) == (
        ["user", "assistant"],
        {"turns after the last answer": 1},
    )


def test_a_message_without_its_tree_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    rows = [("q", None, "prompter"), ("a", "q", "assistant"), ("lost", "?", "prompter"), ("too", "lost", "assistant")]
    rows += [("round", "about", "prompter"), ("about", "round", "assistant")]
    path.write_bytes(
        in_parquet(
            [{"message_id": name, "parent_id": parent, "text": name, "role": role} for name, parent, role in rows]
        )
    )
    left_out: Counter[str] = Counter()
    assert len(list(read_dialogues([path], left_out))) == 1
    assert left_out["a message whose tree is not in the file"] == 4


def test_tools_are_read_from_both_ways_to_write_them(tmp_path: Path) -> None:
    tools = [{"type": "function", "function": {"name": "river"}}]
    openai = [
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "Which "}, {"type": "text", "text": "river?"}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "river", "arguments": '{"of": "Olsza"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "1", "content": "Narew"},
        {"role": "assistant", "content": "The Narew."},
    ]
    sharegpt = [
        {"from": "human", "value": "Which river?"},
        {"from": "function_call", "value": '{"name": "river", "arguments": {"of": "Olsza"}}'},
        {"from": "observation", "value": "Narew"},
        {"from": "gpt", "value": "The Narew."},
    ]
    first = one(tmp_path, {"messages": openai, "tools": tools})
    second = one(tmp_path, {"conversations": sharegpt, "tools": json.dumps(tools), "system": "Be kind."})
    for found in (first, second):
        assert [turn.role for turn in found.turns] == ["system", "user", "assistant", "tool", "assistant"]
        assert found.turns[1].content == "Which river?"
        function = found.messages[2]["tool_calls"][0]["function"]
        assert function == {"name": "river", "arguments": {"of": "Olsza"}}
        assert found.meta["tools"] == tools
    assert first.messages[3]["tool_call_id"] == "1"


def test_what_is_no_text_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    picture = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}
    path.write_bytes(lines([{"messages": [picture, {"role": "assistant", "content": "A cat."}]}, ALPACA[0]]))
    left_out: Counter[str] = Counter()
    assert len(list(read_dialogues([path], left_out))) == 1
    assert dict(left_out) == {"pictures, sounds or other things that are no text": 1}


def test_earlier_turns_and_the_systems_words_beside_an_instruction(tmp_path: Path) -> None:
    record = {"system": "Be kind.", "history": [["Hi", "Hello"]], "instruction": "Go on.", "output": "Well."}
    assert said(one(tmp_path, record)) == [
        ("system", "Be kind."), ("user", "Hi"), ("assistant", "Hello"), ("user", "Go on."), ("assistant", "Well."),
    ]  # fmt: skip


def test_questions_with_answers(tmp_path: Path) -> None:
    assert said(one(tmp_path, {"question": "2 + 2?", "answer": "4"})) == [("user", "2 + 2?"), ("assistant", "4")]
    assert said(one(tmp_path, {"system_prompt": "Count.", "question": "2 + 2?", "response": "4"}))[0] == (
        "system",
        "Count.",
    )


def test_half_a_character_does_not_stop_the_reading(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'{"messages": [{"role": "user", "content": "a \\ud83d"}, {"role": "assistant", "content": "b"}]}')
    assert said(read(path)[0])[0] == ("user", "a \ufffd")
