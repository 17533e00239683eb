"""Chat templates of others, used as they are: what carries loss in each, and what they refuse."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokens.chat_templates import CHATML, ENDS, MARKED, NAMES, NO_SYSTEM, TOOLS, somebodys

from anatomia.base.errors import UserError
from anatomia.text.dialogue import Dialogue, Turn
from anatomia.tokens.dialogue import encode_dialogue, prompt_ids, refuses_system, render, stop_ids
from anatomia.tokens.rendering import RefusedDialogue
from anatomia.tokens.template import BASE, OURS, PLAIN
from anatomia.tokens.vocabulary import Vocabulary

Load = Callable[[str], Vocabulary]
ALL = {**NAMES, "ours": OURS, "plain": PLAIN, "base": BASE}
WORDS = [
    "lis",
    "Fox.",
    "żółć 🦊",
    "<|im_end|>",
    "</turn>",
    "[INST] x [/INST]",
    "User:\n",
    "a\n\nb",
    "{{ x }}",
    "\ufdd0",
    "2",
]
PIECES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=6) | st.sampled_from(WORDS)
SAID = st.lists(PIECES, min_size=1, max_size=4).map(lambda parts: " ".join(parts).strip() or "x")


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Load:
    made: dict[str, Vocabulary] = {}

    def load(name: str) -> Vocabulary:
        if name not in made:
            made[name] = somebodys(tmp_path_factory.mktemp("theirs"), ALL[name])
        return made[name]

    return load


def counted(vocabulary: Vocabulary, dialogue: Dialogue) -> list[str]:
    """The stretches of tokens that carry loss, as text."""
    ids, weights = encode_dialogue(vocabulary, dialogue)
    assert len(ids) == len(weights)
    stretches: list[list[int]] = []
    for place, (token, weight) in enumerate(zip(ids, weights)):
        if weight:
            if not place or not weights[place - 1]:
                stretches.append([])
            stretches[-1].append(token)
    return [vocabulary.decode(stretch, special=True) for stretch in stretches]


def dialogue(said: list[str], system: str = "") -> Dialogue:
    """Turns by turns, the user first, perhaps after the system."""
    turns = [Turn("user" if place % 2 == 0 else "assistant", text) for place, text in enumerate(said)]
    return Dialogue((*([Turn("system", system)] if system else []), *turns), "some.jsonl:3")


@pytest.mark.parametrize("name", ALL)
@given(said=st.lists(SAID, min_size=2, max_size=7), system=st.just("") | SAID)
@settings(max_examples=60, deadline=None)
def test_every_answer_is_learnt_with_its_end_and_nothing_else(
    load: Load, name: str, said: list[str], system: str
) -> None:
    vocabulary = load(name)
    end = ENDS.get(ALL[name], "<|end|>")
    found = counted(vocabulary, dialogue(said, system))
    assert [text.lstrip() for text in found] == [answer + end for answer in said[1::2]]


@pytest.mark.parametrize("name", ["chatml", "instructions", "no-system", "system-last", "marked", "ours", "plain"])
def test_what_is_learnt_follows_what_is_asked(load: Load, name: str) -> None:
    """A single answer is learnt from just where its prompt, as a model reads it later, leaves off."""
    vocabulary = load(name)
    whole = dialogue(["Lis?\n\nTak?", "Fox."], "Be brief.\n\nPlease.")
    prompt = prompt_ids(vocabulary, whole.messages[:-1])
    ids, weights = encode_dialogue(vocabulary, whole)
    assert ids[: len(prompt)] == prompt
    assert weights[: len(prompt)] == [0] * len(prompt)
    assert weights[len(prompt)] == 1
    assert stop_ids(vocabulary)[-1] in ids[len(prompt) :]


def test_a_system_turn_goes_into_the_question_where_the_template_refuses_one(load: Load) -> None:
    assert [name for name in ALL if refuses_system(load(name))] == ["no-system"]
    text = render(load("no-system"), dialogue(["Lis?"], "Be brief.").messages, True)
    assert text == "<|begin|><turn>user\nBe brief.\n\nLis?</turn>\n<turn>model\n"


def test_a_refusal_names_the_record_and_the_reason(load: Load) -> None:
    turns = (Turn("user", "a"), Turn("assistant", "b"), Turn("assistant", "c"))
    with pytest.raises(RefusedDialogue, match=r"some\.jsonl:3: the chat template of .* roles must alternate"):
        encode_dialogue(load("no-system"), Dialogue(turns, "some.jsonl:3"))


def test_what_a_template_changes_beyond_recognition_is_refused(tmp_path: Path) -> None:
    theirs = somebodys(
        tmp_path, "{{ messages | length }}{% for m in messages %}{{ m['content'] | upper }};{% endfor %}"
    )
    with pytest.raises(UserError, match=r"x:17: what is said in turn 1 cannot be found"):
        encode_dialogue(theirs, Dialogue((Turn("user", "a"), Turn("assistant", "b")), "x:17"))


def test_tools_are_called_and_answer(tmp_path: Path) -> None:
    theirs = somebodys(tmp_path, TOOLS)
    call = {"tool_calls": [{"type": "function", "function": {"name": "river", "arguments": {"of": "Olsza"}}}]}
    turns = (
        Turn("user", "Lis?"),
        Turn.from_message({"role": "assistant", "content": "", **call}),
        Turn("tool", "Narew"),
        Turn("assistant", "Fox."),
    )
    tools = [{"type": "function", "function": {"name": "river"}}]
    with_tools = Dialogue(turns, "x:1", {"tools": tools})
    assert counted(theirs, with_tools) == ['[TOOL]river{"of": "Olsza"}[/TOOL]<|end|>', "Fox.<|end|>"]
    text = render(theirs, with_tools.messages, False, tools)
    assert text.startswith('[TOOL][{"type": "function", "function": {"name": "river"}}][/TOOL]<|user|>Lis?')
    assert Dialogue.from_json(with_tools.to_json()) == with_tools
    with pytest.raises(RefusedDialogue, match=r"x:1: the chat template of .* knows no tools"):
        encode_dialogue(somebodys(tmp_path / "chatml", CHATML), with_tools)


def test_of_several_templates_the_default_is_taken_and_all_are_kept(tmp_path: Path) -> None:
    several = [{"name": "tool_use", "template": TOOLS}, {"name": "default", "template": NO_SYSTEM}]
    theirs = somebodys(tmp_path / "a", several)
    assert theirs.template == NO_SYSTEM
    theirs.save(tmp_path / "b")
    assert Vocabulary.load(tmp_path / "b").templates == {"tool_use": TOOLS, "default": NO_SYSTEM}
    asked = [{"role": "user", "content": "a"}]
    assert render(theirs, asked, True).startswith("<|begin|><turn>user")
    assert render(theirs, asked, True, [{"type": "function"}]).startswith('[TOOL][{"type": "function"}]')
    assert somebodys(tmp_path / "c", several[:1]).template == TOOLS
    with pytest.raises(UserError, match="chat_template is a list, but not of objects with name and template"):
        somebodys(tmp_path / "d", [{"name": "default"}])


def test_files_of_templates_come_before_the_config(tmp_path: Path) -> None:
    one = somebodys(tmp_path / "a", NO_SYSTEM, chat_template_jinja=CHATML)
    assert one.templates == {"default": CHATML}
    two = somebodys(
        tmp_path / "b", NO_SYSTEM, chat_template_jinja=MARKED, additional_chat_templates__tool_use_jinja=TOOLS
    )
    assert (two.template, two.templates["tool_use"]) == (MARKED, TOOLS)


def test_answers_of_weight_0_are_read_and_not_learnt(load: Load) -> None:
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "weight": 0}]
    turns += [{"role": "user", "content": "c"}, {"role": "assistant", "content": "d", "weight": 1}]
    for name in ("chatml", "system-last", "marked"):
        vocabulary = load(name)
        found = Dialogue(tuple(map(Turn.from_message, turns)), "x:1")
        assert [text.lstrip() for text in counted(vocabulary, found)] == ["d" + ENDS[ALL[name]]]


@pytest.mark.real
@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize("name", ["instructions", "plain"])
def test_answers_are_found_in_the_tokens_of_others(real_data: Path, tmp_path: Path, kind: str, name: str) -> None:
    begin, end = {"llama": ("<s>", "</s>"), "gpt2": ("<|endoftext|>", "<|endoftext|>")}[kind]
    file = next((real_data / "tokenizers" / kind).glob("tokenizer.json*"))
    content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    (tmp_path / "tokenizer.json").write_bytes(content)
    config = {"chat_template": ALL[name], "bos_token": begin, "eos_token": end}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    vocabulary = Vocabulary.load(tmp_path)
    draw = Random(0)
    words = [*WORDS, "</s>", "<s>", "中文", "1234567", "„tak”", "\n"]
    for _ in range(60):
        said = [" ".join(draw.choices(words, k=draw.randint(1, 4))).strip() or "x" for _ in range(draw.randint(2, 6))]
        found = [text.replace(end, " " + end).split() for text in counted(vocabulary, dialogue(said))]
        assert found == [f"{answer}{end}".replace(end, " " + end).split() for answer in said[1::2]]
