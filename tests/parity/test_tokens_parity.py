"""Tokens against independent implementations: transformers, and llama.cpp's vectors for others' tokenizers."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokens.chat_templates import CHATML, NAMES, TOOLS, somebodys

from anatomia.text.dialogue import Dialogue, Turn
from anatomia.tokens.dialogue import encode_dialogue, prompt_ids, render, stop_ids
from anatomia.tokens.template import BASE, OURS, PLAIN
from anatomia.tokens.vocabulary import Vocabulary, train_vocabulary

transformers = pytest.importorskip("transformers")

TEXTS = [
    "Zażółć gęślą jaźń. Nad rzeką leży miasteczko, w którym mieszka wiele kotów.",
    "The quick brown fox jumps over the lazy dog. It doesn't care, we've seen 1234567 of them.",
]
NASTY = [
    "",
    " ",
    "   a  b\t\tc\r\n\r\n  d",
    "Zażółć gęślą jaźń 🦊👩‍👩‍👧 \u202e\u200d ﷽",
    "'s'T'RE WE'LL 12345 6,7 ½ ①",
    "e\u0301 é \u00a0\u3000x\u2028y\u0000z",
    "中文字符 ኢትዮጵያ नमस्ते",
]
MESSAGES = [
    {"role": "system", "content": "Odpowiadaj krótko."},
    {"role": "user", "content": "  Co to jest?\n"},
    {"role": "assistant", "content": "To jest 🦊 lis.\n\n"},
    {"role": "user", "content": "Thanks"},
    {"role": "assistant", "content": "Welcome!"},
]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokenizer")
    train_vocabulary(TEXTS * 3, 400).save(path)
    return path


@pytest.fixture(scope="module")
def ours(directory: Path) -> Vocabulary:
    return Vocabulary.load(directory)


@pytest.fixture(scope="module")
def theirs(directory: Path):  # type: ignore[no-untyped-def]
    return transformers.AutoTokenizer.from_pretrained(directory)


def test_transformers_knows_the_special_tokens(ours: Vocabulary, theirs) -> None:  # type: ignore[no-untyped-def]
    assert (theirs.pad_token_id, theirs.bos_token_id, theirs.eos_token_id) == (0, 1, 2)
    assert len(theirs) == ours.size
    assert theirs("x")["input_ids"] == [1, *ours.encode("x")]


@pytest.mark.parametrize("text", TEXTS + NASTY)
def test_ids_and_text_are_those_of_transformers(ours: Vocabulary, theirs, text: str) -> None:  # type: ignore[no-untyped-def]
    ids = ours.encode(text)
    assert ids == theirs(text, add_special_tokens=False)["input_ids"]
    assert ours.decode(ids) == theirs.decode(ids) == text
    assert ours.decode([1, *ids, 2]) == theirs.decode([1, *ids, 2], skip_special_tokens=True)
    assert ours.decode([1, *ids, 2], special=True) == theirs.decode([1, *ids, 2])


ORDINARY = st.text().filter(
    lambda text: "<|" not in text
)  # we keep such marks in text harmless, transformers obeys them


@given(ORDINARY, ORDINARY)
@settings(max_examples=150, deadline=None)
def test_any_dialogue_is_rendered_and_cut_as_by_transformers(
    ours: Vocabulary, theirs, question: str, answer: str
) -> None:  # type: ignore[no-untyped-def]
    messages = [{"role": "user", "content": question}]
    assert prompt_ids(ours, messages) == theirs.apply_chat_template(
        messages, add_generation_prompt=True, return_dict=False
    )
    dialogue = Dialogue((Turn("user", question), Turn("assistant", answer)), "test")
    whole = [*messages, {"role": "assistant", "content": answer}]
    assert encode_dialogue(ours, dialogue)[0] == theirs.apply_chat_template(whole, return_dict=False)


def test_the_loss_mask_is_the_assistant_mask_of_transformers(ours: Vocabulary, theirs) -> None:  # type: ignore[no-untyped-def]
    dialogue = Dialogue(tuple(Turn(m["role"], m["content"]) for m in MESSAGES), "test")  # type: ignore[arg-type]
    ids, weights = encode_dialogue(ours, dialogue)
    expected = theirs.apply_chat_template(MESSAGES, return_assistant_tokens_mask=True, return_dict=True)
    assert ids == expected["input_ids"]
    assert weights == expected["assistant_masks"]
    assert render(ours, MESSAGES, False) == theirs.apply_chat_template(MESSAGES, tokenize=False)


@pytest.fixture
def chatml(tmp_path: Path) -> Path:
    """Somebody's tokenizer: a template in a file of its own that trims, turns that end otherwise than texts."""
    vocabulary = train_vocabulary(TEXTS * 3, 380)
    vocabulary.tokenizer.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    vocabulary.save(tmp_path)
    config = json.loads((tmp_path / "tokenizer_config.json").read_text(encoding="utf-8"))
    del config["chat_template"]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    (tmp_path / "chat_template.jinja").write_text(
        CHATML.replace("message['content']", "message['content'] | trim"), encoding="utf-8"
    )
    return tmp_path


def test_somebodys_template_gives_their_ids_and_a_mask_with_its_end_token(chatml: Path) -> None:
    ours, theirs = Vocabulary.load(chatml), transformers.AutoTokenizer.from_pretrained(chatml)
    assert prompt_ids(ours, MESSAGES[:2]) == theirs.apply_chat_template(
        MESSAGES[:2], add_generation_prompt=True, return_dict=False
    )
    dialogue = Dialogue(tuple(Turn(m["role"], m["content"]) for m in MESSAGES), "test")  # type: ignore[arg-type]
    ids, weights = encode_dialogue(ours, dialogue)
    assert ids == theirs.apply_chat_template(MESSAGES, return_dict=False)
    counted = [i for i, weight in zip(ids, weights) if weight]
    assert ours.decode(counted, special=True) == "To jest 🦊 lis.<|im_end|>Welcome!<|im_end|>"
    assert stop_ids(ours) == (2, ours.specials["<|im_end|>"])


@pytest.mark.parametrize("name", [*NAMES, "ours", "plain", "base"])
def test_templates_of_all_kinds_give_the_ids_of_transformers(tmp_path: Path, name: str) -> None:
    template = {**NAMES, "ours": OURS, "plain": PLAIN, "base": BASE}[name]
    marks = "{% generation %}" in template
    ours = somebodys(tmp_path, template)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    messages = MESSAGES[1:] if name == "no-system" else MESSAGES
    dialogue = Dialogue(tuple(map(Turn.from_message, messages)), "test")
    ids, weights = encode_dialogue(ours, dialogue)
    expected = theirs.apply_chat_template(messages, return_assistant_tokens_mask=marks, return_dict=True)
    assert ids == expected["input_ids"]
    assert sum(weights) > 0
    if marks:  # elsewhere transformers knows no mask
        assert weights == expected["assistant_masks"]
    asked = messages[:-1]
    assert prompt_ids(ours, asked) == theirs.apply_chat_template(asked, add_generation_prompt=True, return_dict=False)


def test_named_templates_and_tools_are_those_of_transformers(tmp_path: Path) -> None:
    calls = [{"type": "function", "function": {"name": "river", "arguments": {"of": "Brzezina, żółć"}}}]
    tools = [{"type": "function", "function": {"name": "river", "parameters": {"type": "object"}}}]
    messages = [
        MESSAGES[1],
        {"role": "assistant", "content": "", "tool_calls": calls},
        {"role": "tool", "content": "Wilga"},
        MESSAGES[4],
    ]
    named = [{"name": "default", "template": CHATML}, {"name": "tool_use", "template": TOOLS}]
    ours = somebodys(tmp_path / "config", named)
    files = somebodys(
        tmp_path / "files", None, chat_template_jinja=CHATML, additional_chat_templates__tool_use_jinja=TOOLS
    )
    ours.save(tmp_path / "saved")
    for directory in ("config", "files", "saved"):
        theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / directory)
        expected = theirs.apply_chat_template(messages, tools=tools, return_dict=False)
        dialogue = Dialogue(tuple(map(Turn.from_message, messages)), "test", {"tools": tools})
        assert encode_dialogue(ours, dialogue)[0] == encode_dialogue(files, dialogue)[0] == expected
        plain = theirs.apply_chat_template(MESSAGES[:2], add_generation_prompt=True, return_dict=False)
        assert prompt_ids(ours, MESSAGES[:2]) == prompt_ids(files, MESSAGES[:2]) == plain


def test_what_is_saved_from_somebodys_tokenizer_loads_the_same(chatml: Path, tmp_path: Path) -> None:
    Vocabulary.load(chatml).save(tmp_path / "copy")
    first, second = (transformers.AutoTokenizer.from_pretrained(p) for p in (chatml, tmp_path / "copy"))
    assert first.apply_chat_template(MESSAGES) == second.apply_chat_template(MESSAGES)
    assert first("Zażółć") == second("Zażółć")


def test_training_does_not_depend_on_process_or_threads(directory: Path, tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from anatomia.tokens.vocabulary import train_vocabulary;"
        f"train_vocabulary({TEXTS!r} * 3, 400).save(Path(sys.argv[1]))"
    )
    for threads in ("1", "3"):
        out = tmp_path / threads
        subprocess.run(
            [sys.executable, "-c", script, str(out)],
            env={"RAYON_NUM_THREADS": threads, "PYTHONHASHSEED": threads, "PYTHONPATH": ":".join(sys.path)},
            check=True,
        )
        assert (out / "tokenizer.json").read_bytes() == (directory / "tokenizer.json").read_bytes()


def vectors(data: Path, name: str) -> list[tuple[str, list[int]]]:
    """llama.cpp's test texts and the ids it expects."""
    folder = data / "tokenizers" / "llama.cpp"
    texts = (folder / f"ggml-vocab-{name}.gguf.inp").read_text(encoding="utf-8").split("\n__ggml_vocab_test__\n")
    lines = (folder / f"ggml-vocab-{name}.gguf.out").read_text(encoding="utf-8").split("\n")
    return [(text, [int(i) for i in line.split()]) for text, line in zip(texts, lines, strict=True)]


@pytest.mark.real
def test_gpt2_cuts_as_llama_cpp_expects(real_data: Path, tmp_path: Path) -> None:
    file = tmp_path / "tokenizer.json"
    file.write_bytes(gzip.decompress((real_data / "tokenizers" / "gpt2" / "tokenizer.json.gz").read_bytes()))
    vocabulary = Vocabulary.load(file)
    assert (vocabulary.size, vocabulary.begin, vocabulary.end, vocabulary.padding) == (50257, None, 50256, None)
    for text, ids in vectors(real_data, "gpt-2"):
        assert vocabulary.encode(text) == ids
        assert vocabulary.decode(ids) == text
        assert b"".join(vocabulary.bytes_of(i) for i in ids) == text.encode()
    ids, weights = encode_dialogue(vocabulary, Dialogue((Turn("user", "Hi"), Turn("assistant", "Hello!")), "test"))
    assert vocabulary.decode([i for i, weight in zip(ids, weights) if weight], special=True) == "Hello!<|endoftext|>"


@pytest.mark.real
def test_llama_cuts_as_llama_cpp_expects(real_data: Path) -> None:
    vocabulary = Vocabulary.load(real_data / "tokenizers" / "llama" / "tokenizer.json")
    assert (vocabulary.begin, vocabulary.end, vocabulary.padding) == (1, 2, None)
    assert any("chat template" in note for note in vocabulary.notes)
    for text, ids in vectors(real_data, "llama-spm"):
        assert vocabulary.encode(text) == ids
        assert vocabulary.decode(ids) == text
    ids, weights = encode_dialogue(vocabulary, Dialogue((Turn("user", "Hi"), Turn("assistant", "Cześć!")), "test"))
    assert ids[0] == 1
    assert [i for i, weight in zip(ids, weights) if weight][-1] == 2
