"""Demonstrations: dialogues as several made-up demonstrators with different habits would write them.

"curt" gives the short answer, "plain" a full sentence, "talkative" a full sentence and one further true fact about
the same subject, "sloppy" is right but careless with capitals and punctuation. All answers are right and in the
language of the question. That they differ is on purpose: it leaves something for rankings to teach.
"""

from random import Random

from anatomia.text.dialogue import Dialogue, Turn
from anatomia.world import small_talk
from anatomia.world.book import Book
from anatomia.world.polish import capital
from anatomia.world.questions import Question, Questions

DEMONSTRATORS = (("curt", 0.65), ("plain", 0.23), ("talkative", 0.06), ("sloppy", 0.06))
# Kinds of dialogues and their shares; the rest are fact questions.
SHARES = (("arithmetic", 0.05), ("turns", 0.07), ("task", 0.04), ("unknown", 0.04))


class Demonstrations:
    """Writes demonstrations from the train split."""

    def __init__(self, book: Book, questions: Questions) -> None:
        self.book = book
        self.train = {kind: [q for q in questions.splits["train"] if q.kind == kind] for kind in ("fact", "arithmetic")}
        self.by_subject: dict[tuple[str, str], list[Question]] = {}
        for question in self.train["fact"]:
            subject = book.country.facts[question.fact].subject
            self.by_subject.setdefault((subject, question.language), []).append(question)

    def one(self, random: Random, index: int) -> Dialogue:
        """The demonstration number `index`, drawn from `random`."""
        dice, chosen = random.random(), "fact"
        for kind, share in SHARES:
            dice -= share
            if dice < 0:
                chosen = kind
                break
        demonstrator = _draw(random, DEMONSTRATORS)
        question = random.choice(self.train["arithmetic" if chosen == "arithmetic" else "fact"])
        turns: list[tuple[str, str]]
        if chosen == "turns":
            turns = self._turns(random, question, demonstrator)
        elif chosen == "task":
            turns = [small_talk.task(random, self.book, question.language)]
        elif chosen == "unknown":
            turns = [small_talk.unknown(random, question.language)]
        else:
            turns = [(question.text, self.answer(random, question, demonstrator))]
        single = chosen in ("fact", "arithmetic")
        meta = {
            "question_id": question.id if single else None,
            "language": question.language,
            "kind": chosen,
            "demonstrator": demonstrator,
        }
        both = [turn for asked, answer in turns for turn in (Turn("user", asked), Turn("assistant", answer))]
        return Dialogue(tuple(both), f"world:dialogue {index}", meta)

    def answer(self, random: Random, question: Question, demonstrator: str) -> str:
        """The demonstrator's answer to a question."""
        short, full = capital(question.answers[0]) + ".", question.answers[question.short :]
        if demonstrator == "curt":
            return short
        sentence = full[0] if random.random() < 0.5 else random.choice(full)
        if demonstrator == "talkative" and question.kind == "fact":
            return f"{sentence} {self._further(random, question)}".strip()
        if demonstrator == "sloppy":
            text = random.choice((short, sentence))
            return random.choice((text.lower(), text.rstrip("."), text.lower().rstrip(".")))
        return sentence

    def _further(self, random: Random, question: Question) -> str:
        fact = self.book.country.facts[question.fact]
        others = [other for other in self.book.about[fact.subject] if other.id != fact.id]
        if not others:
            return ""
        other = random.choice(others)
        pronoun = self.book.pronoun(other, question.language)
        return random.choice(pronoun if pronoun and random.random() < 0.5 else self.book.full(other, question.language))

    def _turns(self, random: Random, question: Question, demonstrator: str) -> list[tuple[str, str]]:
        """A question and one or two more about the same subject, the later ones with pronouns."""
        fact = self.book.country.facts[question.fact]
        pool = [q for q in self.by_subject[fact.subject, question.language] if q.fact != question.fact]
        turns = [(question.text, self.answer(random, question, demonstrator))]
        seen = {question.fact}
        for _ in range(random.choice((1, 1, 2))):
            rest = [q for q in pool if q.fact not in seen]
            if not rest:
                break
            following = random.choice(rest)
            seen.add(following.fact)
            asked = small_talk.follow_up(random, self.book, following)
            turns.append((asked, self.answer(random, following, demonstrator)))
        return turns


def _draw(random: Random, shares: tuple[tuple[str, float], ...]) -> str:
    dice = random.random()
    for name, share in shares:
        dice -= share
        if dice < 0:
            return name
    return shares[-1][0]
