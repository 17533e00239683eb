"""The desk that people rank at, one or several at once: who is asked what, what is kept, and how far each has got.

Everything that must last stands in the store; a desk only remembers what it has read there and who is at what now. So
people come back to where they were, and two desks over one store (a page and a terminal) see each other's rankings.
"""

import json
import random
import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from anatomia.feedback.agreement import annotators_agreement
from anatomia.feedback.asking import Asker
from anatomia.feedback.names import annotator_name
from anatomia.feedback.ranking import Candidates, Groups, Ranking
from anatomia.feedback.store import RankingStore

LEARN = 50  # rankings between two estimates of what all prompts share
HELD = 600.0  # seconds for which others are asked something else than what somebody has before them


@dataclass(frozen=True)
class Asked:
    """Completions of a prompt before somebody who is to put them in order.

    Attributes:
        order: for each letter, the numbers of the (equal) completions under it.
        ticket: names this question to this person; the first answer uses it up.
    """

    annotator: str
    candidates: Candidates
    order: tuple[tuple[int, ...], ...]
    ticket: str

    def ranking(self, letters: Groups) -> Ranking:
        """The ranking that groups of places in `order`, best first, stand for.

        Raises:
            ValueError: not every place stands there just once.
        """
        if sorted(place for group in letters for place in group) != list(range(len(self.order))) or not all(letters):
            raise ValueError(f"{letters} does not place each of {len(self.order)} once")
        groups = tuple(tuple(sorted(i for place in group for i in self.order[place])) for group in letters)
        one = self.candidates
        return Ranking(one.prompt_id, one.prompt, one.completions, groups, self.annotator, round(time.time(), 3))


class Desk:
    """Asks everybody what says most when they answer it, and keeps their rankings. Threads may share it.

    Of a prompt's many completions only some are asked about at once (see `asking`), until the person has placed all.
    Equal completions are one, and tied; prompts with fewer than two different ones are passed over. What somebody has
    before them others are asked later, so that people who rank at once do not all do the same. The letters' order is
    shuffled, and is the same for the same person and texts.

    Args:
        samples: what there is to rank.
        store: where rankings are kept.
    """

    def __init__(self, samples: Sequence[Candidates], store: RankingStore) -> None:
        self.store = store
        self.waiting = [each for each in samples if len(shuffled(each, "")) > 1]
        self.place = {each.key: place for place, each in enumerate(self.waiting)}
        self._distinct = [sorted(indices[0] for indices in shuffled(each, "")) for each in self.waiting]
        self._standing: dict[int, Ranking] = {}
        self._of_prompt: list[dict[int, Ranking]] = [{} for _ in self.waiting]
        self._asker = Asker([len(each.completions) for each in self.waiting], distinct=self._distinct)
        self._news = 0  # rankings that came or went since the asker learnt
        self._held: dict[str, tuple[int, float]] = {}  # which prompt somebody has before them, and until when
        self._lock = threading.RLock()
        self._read(learn=True)

    def sit(self, given: str) -> str:
        """The name under which a person's rankings are kept (see `names.annotator_name`, which says what it raises)."""
        return annotator_name(given, self.names())

    def names(self) -> list[str]:
        """Who has ranked, in alphabetical order."""
        with self._lock:
            self._read()
            return sorted({ranking.annotator for ranking in self._standing.values()}, key=str.casefold)

    def given(self, annotator: str) -> list[int]:
        """The numbers, in the store, of this person's rankings of what there is to rank, oldest first."""
        with self._lock:
            self._read()
            kept = ((number, ranking) for rankings in self._of_prompt for number, ranking in rankings.items())
            return sorted(number for number, ranking in kept if ranking.annotator == annotator)

    def left(self, annotator: str) -> int:
        """Of how many prompts this person has not placed every completion."""
        with self._lock:
            self._read()
            return len(self._open(annotator))

    def ask(self, annotator: str, skipped: Collection[str] = ()) -> Asked | None:
        """What says most if this person puts it in order; None if nothing is left but what they skipped.

        Args:
            skipped: keys of candidates that they do not want to be asked about.

        Raises:
            UserError: the store cannot be read.
        """
        with self._lock:
            while True:
                self._read()
                asked = self._choose(annotator, skipped)
                place = None if asked is None else self.place[asked.candidates.key]
                before = None if place is None else self._own(place, annotator)
                # If another window of theirs answered in between, the ticket would be a new one, not used up.
                self._read()
                if asked is None or place is None or self._own(place, annotator) == before:
                    return asked

    def question(self, annotator: str, candidates: Candidates, completions: Collection[int]) -> Asked:
        """The question about some completions, as this person sees it.

        Args:
            completions: one number of each of those that are equal, or several.
        """
        order = tuple(
            tuple(equal) for equal in shuffled(candidates, annotator) if not set(equal).isdisjoint(completions)
        )
        # Its ticket is another once the person has answered, or has taken an answer back.
        before = self.store.count(annotator, candidates)
        named = json.dumps([annotator, candidates.key, sorted(map(min, order)), before])
        return Asked(annotator, candidates, order, blake2b(named.encode(), digest_size=16).hexdigest())

    def keep(self, asked: Asked, letters: Groups) -> int | None:
        """Keep an answer, unless its question was answered before: its number in the store, or None.

        Raises:
            ValueError: see `Asked.ranking`.
            UserError: it cannot be kept, and is not.
        """
        return self.store.add_once(asked.ranking(letters), asked.ticket)

    def take_back(self, annotator: str, number: int) -> Asked | None:
        """Take a ranking back; its question, which is open again. None if there is no such ranking of theirs.

        Raises:
            UserError: it cannot be taken back.
        """
        with self._lock:
            self._read()
            ranking = self._standing.get(number)
            if ranking is None or ranking.annotator != annotator or ranking.candidates.key not in self.place:
                return None
            try:
                self.store.retract(number)
            except KeyError:
                return None
            self._held[annotator] = self.place[ranking.candidates.key], time.monotonic() + HELD
            return self.question(annotator, ranking.candidates, [index for group in ranking.groups for index in group])

    def progress(self) -> dict[str, Any]:
        """How far everybody has got, and how far they agree.

        Returns:
            `prompts` that there are to rank; `rankings` in all; `ask_next`, whose next ranking is expected to say most
            (None if nobody has any left); and `people`, the most diligent first, each with `name`, `rankings`, `left`
            (prompts not wholly placed), `tau` (mean Kendall's tau-b with the others on the `common` prompts that they
            ranked too; None without), `reliability` and `reliability_error` (1 as usual, 0 chance; None for one alone)
            and `last` (seconds since the epoch).
        """
        with self._lock:
            self._read(learn=self._news > 0)
            found: dict[str, dict[str, Any]] = {}
            for ranking in self._standing.values():
                person = found.setdefault(ranking.annotator, {"name": ranking.annotator, "rankings": 0, "last": 0.0})
                person["rankings"] += 1
                person["last"] = max(person["last"], ranking.time)
            several: dict[str, list[Ranking]] = {}
            for _, ranking in sorted(self._standing.items()):
                several.setdefault(ranking.candidates.key, []).append(ranking)
            pairs = annotators_agreement(
                [[ranking.groups for ranking in rankings] for rankings in several.values()],
                [[ranking.annotator for ranking in rankings] for rankings in several.values()],
                [len(rankings[0].completions) for rankings in several.values()],
            )
            for name, person in found.items():
                met = [(pair["kendall_tau"], pair["prompts"]) for pair in pairs if name in pair["annotators"]]
                known = [(tau, prompts) for tau, prompts in met if tau is not None]
                common = sum(prompts for _, prompts in known)
                reliability, error = self._asker.reliability(name) or (None, None)
                person |= {
                    "left": len(self._open(name)),
                    "tau": sum(tau * prompts for tau, prompts in known) / common if common else None,
                    "common": common,
                    "reliability": reliability,
                    "reliability_error": error,
                }
            people = sorted(found.values(), key=lambda person: (-person["rankings"], person["name"].casefold()))
            gains = {name: question.gain for name in found if (question := self._next(name)) is not None}
            return {
                "prompts": len(self.waiting),
                "rankings": len(self._standing),
                "ask_next": max(sorted(gains), key=lambda name: round(gains[name], 9), default=None),
                "people": people,
            }

    def _choose(self, annotator: str, skipped: Collection[str]) -> Asked | None:
        now = time.monotonic()
        self._held = {who: held for who, held in self._held.items() if held[1] > now and who != annotator}
        open_ = [at for at in self._open(annotator) if self.waiting[at].key not in skipped]
        held = {at for at, _ in self._held.values()}
        told = {at: own for at in open_ if (own := self._own(at, annotator))}
        question = self._asker.question(annotator, [at for at in open_ if at not in held] or open_, told)
        if question is None:
            return None
        self._held[annotator] = question.prompt, now + HELD
        return self.question(annotator, self.waiting[question.prompt], question.completions)

    def _next(self, annotator: str) -> Any:
        open_ = self._open(annotator)
        return self._asker.question(annotator, open_, {at: own for at in open_ if (own := self._own(at, annotator))})

    def _own(self, place: int, annotator: str) -> list[Groups]:
        return [ranking.groups for ranking in self._of_prompt[place].values() if ranking.annotator == annotator]

    def _open(self, annotator: str) -> list[int]:
        """The prompts of which this person has not placed all."""
        placed: dict[int, set[int]] = {}
        for place, rankings in enumerate(self._of_prompt):
            for ranking in rankings.values():
                if ranking.annotator == annotator:
                    placed.setdefault(place, set()).update(index for group in ranking.groups for index in group)
        return [at for at, all_ in enumerate(self._distinct) if not placed.get(at, set()).issuperset(all_)]

    def _read(self, learn: bool = False) -> None:
        """Take note of what everybody, here and elsewhere, has ranked or taken back by now."""
        fresh, gone = self.store.changes(self._standing)
        touched = {self.place.get(self._standing.pop(number).candidates.key) for number in gone}
        self._standing |= fresh
        for place in touched - {None}:
            assert place is not None
            self._of_prompt[place] = {n: one for n, one in self._of_prompt[place].items() if n not in gone}
        for number, ranking in sorted(fresh.items()):
            place = self.place.get(ranking.candidates.key)
            touched.add(place)
            if place is not None:
                self._of_prompt[place][number] = ranking
        self._news += len(fresh) + len(gone)
        learn = learn or self._news >= LEARN
        for place in sorted(touched - {None}):  # type: ignore[type-var]
            assert place is not None
            standing = self._of_prompt[place].values()
            groups, who = [ranking.groups for ranking in standing], [ranking.annotator for ranking in standing]
            if learn:
                self._asker.prompts[place], self._asker.annotators[place] = list(groups), who
            else:
                self._asker.update(place, groups, who)
        if learn:
            self._asker.learn()
            self._news = 0


def shuffled(candidates: Candidates, annotator: str) -> list[list[int]]:
    """For each letter, the indices of the (equal) completions under it."""
    places: dict[str, list[int]] = {}
    for index, completion in enumerate(candidates.completions):
        places.setdefault(completion.strip(), []).append(index)
    order = list(places.values())
    random.Random(f"{annotator} {candidates.key}").shuffle(order)
    return order
