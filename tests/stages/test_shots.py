"""Prompts after demonstrations, and what is said of answers beside their references."""

import pytest
from model import tiny

from anatomia.generate.engine import Completion
from anatomia.stages.answers import describe, figures, references
from anatomia.stages.shots import Shots, answer_after, ask_after
from anatomia.text.dialogue import Dialogue, Turn
from anatomia.tokens.template import BASE, OURS
from anatomia.tokens.vocabulary import Vocabulary, train_vocabulary


def shown(question: str, answer: str, **meta: str) -> Dialogue:
    return Dialogue((Turn("user", question), Turn("assistant", answer)), "test", dict(meta))


def asked(question: str, **meta: object) -> Dialogue:
    return Dialogue((Turn("user", question),), "test", dict(meta))


RIVERS = [shown(f"river {n}?", f"It is {n}.", language="en") for n in range(20)]
RZEKI = [shown(f"rzeka {n}?", f"To {n}.", language="pl") for n in range(20)]


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return train_vocabulary(["river rzeka It is To Translate. kot pies cat dog 0123456789?"] * 3, 330)


def with_template(vocabulary: Vocabulary, template: str) -> Vocabulary:
    return Vocabulary(vocabulary.tokenizer, vocabulary.config | {"chat_template": template}, "test")


def test_demonstrations_are_of_the_prompts_kind_and_the_same_each_time() -> None:
    shots = Shots(RIVERS + RZEKI, 4, 0)
    drawn = shots.draw(asked("rzeka?", language="pl"), 3)
    assert len({one.turns[0].content for one in drawn}) == 4
    assert all(one.meta["language"] == "pl" for one in drawn)
    assert drawn == Shots(RIVERS + RZEKI, 4, 0).draw(asked("rzeka?", language="pl"), 3)
    assert drawn != shots.draw(asked("rzeka?", language="pl"), 4)
    few = [shown("a", "b", task="x", language="pl"), *RZEKI]
    assert all(one in few for one in Shots(few, 4, 0).draw(asked("?", task="x", language="pl"), 0))
    assert len(Shots(RIVERS[:2], 4, 0).draw(asked("?"), 0)) == 2


def test_a_base_model_reads_a_text_and_one_that_knows_roles_reads_turns(vocabulary: Vocabulary) -> None:
    base, ours = with_template(vocabulary, BASE), with_template(vocabulary, OURS)
    prompt, before = asked("river?"), [shown("kot?", "cat"), shown("pies?", "dog")]
    text = ask_after(base, True, prompt, before, 99)
    assert text.text == "kot?\ncat\n\npies?\ndog\n\nriver?\n"
    assert base.decode(text.ids, special=True) == "<|begin|>" + text.text
    turns = ask_after(ours, False, prompt, before, 99)
    assert ours.decode(turns.ids, special=True) == (
        "<|begin|><|user|>kot?<|assistant|>cat<|end|><|user|>pies?<|assistant|>dog<|end|><|user|>river?<|assistant|>"
    )
    assert ask_after(base, True, prompt, [], 99).text == "river?\n"


def test_what_a_task_says_of_itself_is_said_once(vocabulary: Vocabulary) -> None:
    prompt = asked("Translate.\n\nriver?")
    before = [shown("Translate.\n\nkot?", "cat"), shown("Translate.\n\npies?", "dog")]
    assert ask_after(vocabulary, True, prompt, before, 99).text == "Translate.\n\nkot?\ncat\n\npies?\ndog\n\nriver?\n"
    turns = ask_after(vocabulary, False, prompt, before, 99)
    assert vocabulary.decode(turns.ids) == "Translate.\n\nkot?catpies?dogriver?"


def test_demonstrations_without_room_are_left_out_the_first_ones_first(vocabulary: Vocabulary) -> None:
    prompt, before = asked("river?"), [shown(f"river {n}?", "cat") for n in range(4)]
    whole = ask_after(vocabulary, True, prompt, before, 999)
    less = ask_after(vocabulary, True, prompt, before, len(whole.ids) - 1)
    assert (whole.shown, less.shown) == (4, 3)
    assert less.text == whole.text.removeprefix("river 0?\ncat\n\n")
    assert ask_after(vocabulary, True, prompt, before, 1).shown == 0


def test_earlier_turns_of_a_prompt_stay_between_demonstrations_and_question(vocabulary: Vocabulary) -> None:
    turns = (Turn("system", "It is."), Turn("user", "dog?"), Turn("assistant", "pies"), Turn("user", "cat?"))
    prompt = Dialogue(turns, "test")
    assert ask_after(vocabulary, True, prompt, RIVERS[:1], 99).text == (
        "river 0?\nIt is 0.\n\nIt is.\n\ndog?\npies\n\ncat?\n"
    )
    ids = ask_after(vocabulary, False, prompt, RIVERS[:1], 99).ids
    assert vocabulary.decode(ids) == "It is.river 0?It is 0.dog?piescat?"


def test_an_answer_in_a_text_ends_with_its_line(vocabulary: Vocabulary) -> None:
    model = tiny.decoder(vocabulary=vocabulary.size)
    shots = Shots(RIVERS, 2, 0)
    assert shots.stop == "\n"
    assert Shots([*RIVERS, shown("?", "two\nlines")], 2, 0).stop == "\n\n"
    for _, answer, text in answer_after(model, vocabulary, True, shots, 2, [asked("river?")] * 3, 8):
        assert "\n" not in text
        assert answer.finished or len(answer.ids) == 8


def test_answers_are_measured_by_their_best_reference() -> None:
    prompt = asked("?", references=["Paris", "in Paris"], reference="Paris", language="en")
    said = [describe(prompt, Completion(finished=True), text, None) for text in ("in paris!", "In Rome")]
    assert [answer["exact_match"] for answer in said] == [True, False]
    assert [answer["rouge_l"] for answer in said] == [1.0, 0.5]
    assert references(asked("?"), None) == []
    unknown = describe(asked("?"), Completion(), "x", None)
    assert "rouge_l" not in unknown
    found = figures([{}] * 3, [*said, unknown])
    assert (found["exact_match"], found["rouge_l"], found["finished"]) == (0.5, 0.75, 0.6667)
    assert "exact" not in found
