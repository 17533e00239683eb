"""Questions, demonstrations and prompts: what is held out stays held out, and what is demonstrated is right."""

import re
from collections import Counter

from anatomia.world import World
from anatomia.world.facts import RELATIONS

WORLD = World(1)


def asked_of_held_out() -> set[str]:
    """Every question, in any wording, about a held-out fact or sum, and every wording that training never uses."""
    held = {row.fact for kind in ("fact", "arithmetic") for row in WORLD.questions("held_out", kind=kind)}
    new = {row.id for kind in ("fact", "arithmetic") for row in WORLD.questions("new_wording", kind=kind)}
    return {row.text for row in WORLD._questions.by_id.values() if row.fact in held or row.id in new}


def test_about_thirty_per_cent_of_each_relation_are_held_out() -> None:
    held = {row.fact for row in WORLD.questions("held_out")}
    train = {row.fact for row in WORLD.questions("train")}
    assert not held & train
    for name in RELATIONS:
        share = sum(fact.startswith(name + ":") for fact in held) / sum(f.relation == name for f in WORLD.facts)
        assert 0.2 <= share <= 0.4, name


def test_each_relation_has_wordings_enough_and_each_question_one_meaning() -> None:
    for name, relation in RELATIONS.items():
        for language, wording in relation.wording.items():
            assert len(wording.ask) >= 6, name
            assert len(set(wording.said) | set(wording.whole)) >= 8, (name, language)
            assert len(wording.natural) == len(wording.ask)
            assert max(wording.natural) < len(wording.short)
    answers: dict[str, set[str]] = {}
    for row in WORLD._questions.by_id.values():
        answers.setdefault(row.text, set()).add(row.fact)
    ambiguous = {text: facts for text, facts in answers.items() if len(facts) > 1}
    assert not ambiguous


def test_every_demonstration_is_right_and_asks_nothing_held_out() -> None:
    held = asked_of_held_out()
    kinds: Counter[str] = Counter()
    styles: Counter[str] = Counter()
    for dialogue in WORLD.dialogues(0, 4000):
        kinds[dialogue.meta["kind"]] += 1
        assert not held & {turn.content for turn in dialogue.turns}
        if dialogue.meta["question_id"]:
            styles[dialogue.meta["demonstrator"]] += 1
            verdict = WORLD.judge(dialogue.meta["question_id"], dialogue.turns[-1].content, True)
            assert verdict.exact, (dialogue.turns, verdict)
    assert kinds["fact"] > 0.7 * 4000
    assert min(kinds[kind] for kind in ("arithmetic", "turns", "task", "unknown")) > 50
    assert min(styles[style] for style in ("curt", "plain", "talkative", "sloppy")) > 100


def test_quizzes_ask_nothing_held_out() -> None:
    held = asked_of_held_out()
    asked = 0
    for document in WORLD.documents(3, 0, 3000):
        for text in re.findall(r"[^.!?\n]*[?]", document.text):
            asked += 1
            assert text.strip(" –") not in held, document.text
    assert asked > 1000


def test_prompts_end_with_the_users_turn_and_name_their_question() -> None:
    prompts = WORLD.prompts("held_out", 5, 200)
    assert prompts == WORLD.prompts("held_out", 5, 200)
    assert len({prompt.meta["question_id"] for prompt in prompts}) == 200
    for prompt in prompts:
        assert prompt.turns[-1].role == "user"
        assert prompt.turns[-1].content == WORLD.question(prompt.meta["question_id"]).text
