"""The small world: one made-up bilingual country, its texts, its questions and who judges the answers."""

from bisect import bisect
from collections.abc import Iterator
from functools import cached_property
from random import Random

from anatomia.text.dialogue import Dialogue, Turn
from anatomia.text.document import Document
from anatomia.world.book import Book
from anatomia.world.demonstrations import Demonstrations
from anatomia.world.facts import Country, Fact
from anatomia.world.genres import BOUNDS, GENRES
from anatomia.world.judge import Judge, Verdict
from anatomia.world.maker import Maker
from anatomia.world.questions import Question, Questions
from anatomia.world.wording import LANGUAGES

SOURCE = "world"


class World:
    """One country, drawn from a seed; the same on every machine and Python version.

    Args:
        seed: which country. Names and wordings are fixed, who is related to what is drawn.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.country = Country(seed)

    @cached_property
    def book(self) -> Book:
        """Every fact in every wording."""
        return Book(self.country)

    @cached_property
    def _questions(self) -> Questions:
        return Questions(self.book, self.seed)

    @cached_property
    def _judge(self) -> Judge:
        return Judge(self.book, self._questions)

    @cached_property
    def _train(self) -> dict[str, list[Question]]:
        """The questions that training may use, by fact and language."""
        table: dict[str, list[Question]] = {}
        for question in self._questions.splits["train"]:
            table.setdefault(question.fact + question.language, []).append(question)
        return table

    @property
    def facts(self) -> list[Fact]:
        """The fact table."""
        return list(self.country.facts.values())

    def documents(self, seed: int, first: int, count: int) -> Iterator[Document]:
        """Documents `first` … `first + count - 1` of the endless stream of `seed`.

        Document i depends on the world, `seed` and i alone, so parts can be made by several processes. meta has
        "genre". Questions that are held out occur in none.
        """
        for index in range(first, first + count):
            random = Random(f"document {self.seed} {seed} {index}")
            language = LANGUAGES[int(random.random() * 2)]
            make = Maker(self.book, random, language, self._train, self._questions.train_sums)
            genre, write = GENRES[bisect(BOUNDS, random.random() * BOUNDS[-1])]
            yield Document(write(make), f"{SOURCE}:{seed}:{index}", language, {"genre": genre})

    def questions(self, split: str, language: str | None = None, kind: str = "fact") -> list[Question]:
        """The questions of a split: "train", "held_out" (by fact) or "new_wording" (training's facts, other wordings).

        `language` "pl" or "en", None for both; `kind` "fact" or "arithmetic".
        """
        rows = self._questions.splits[split]
        return [row for row in rows if row.kind == kind and language in (None, row.language)]

    def question(self, question_id: str) -> Question:
        """The question with this id. Raises KeyError where there is none."""
        return self._questions.by_id[question_id]

    def dialogues(self, seed: int, count: int) -> list[Dialogue]:
        """Demonstrations for fine-tuning, from the train split alone.

        meta: question_id (None unless it is one plain question), language, kind, demonstrator.
        """
        demonstrations = Demonstrations(self.book, self._questions)
        return [demonstrations.one(Random(f"dialogue {self.seed} {seed} {index}"), index) for index in range(count)]

    def prompts(self, split: str, seed: int, count: int, kind: str = "fact") -> list[Dialogue]:
        """Prompts to answer, each one user's turn; no question twice while they last.

        meta: question_id, language, kind.
        """
        pool = self.questions(split, kind=kind)
        random = Random(f"prompts {self.seed} {split} {seed} {kind}")
        chosen: list[Question] = []
        while len(chosen) < count:
            chosen += random.sample(pool, min(len(pool), count - len(chosen)))
        return [
            Dialogue(
                (Turn("user", question.text),),
                f"{SOURCE}:{question.id}",
                {"question_id": question.id, "language": question.language, "kind": question.kind},
            )
            for question in chosen
        ]

    def judge(self, question_id: str, completion: str, finished: bool) -> Verdict:
        """What the world says of a completion; `finished` when it ended with the end token. Raises KeyError."""
        return self._judge(question_id, completion, finished)
