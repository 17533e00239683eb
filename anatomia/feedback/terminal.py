"""Ranking in a terminal: the prompt, its completions under letters, and one line that puts them in order."""

import random
import time
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from anatomia.feedback.asking import Asker, Question
from anatomia.feedback.ranking import Candidates, Groups, Ranking
from anatomia.feedback.scores import Places
from anatomia.feedback.store import RankingStore

LEARN = 50  # rankings between two estimates of what all prompts share
LETTERS = "abcdefghijklmnopqrstuvwxyz"
TEXTS = {
    "en": {
        "help": (
            "Put the answers in order, best first: b > a = d > c. Answers joined by = are equally good. "
            "Shorter: ba=dc.\n"
            "s skips a prompt, u takes your last ranking back, q ends. Every ranking is saved at once."
        ),
        "left": "Prompt {at}; still to rank: {left}",
        "user": "Person",
        "assistant": "Model",
        "system": "Instructions",
        "empty": "(an empty answer)",
        "ask": "Order (? for help): ",
        "saved": "Saved.",
        "undone": "Taken back; rank it again.",
        "no undo": "There is no ranking to take back in this session.",
        "unknown": "“{what}” is none of the answers; they are {letters}.",
        "twice": "{what} stands there twice.",
        "missing": "Still to place: {what}. Give all of them, for example {example}.",
        "dangling": "= joins two answers: write, for example, {example}.",
        "last": "Nothing is left to rank. Enter ends, u takes your last ranking back: ",
        "end": "Rankings given: {count}. Still to rank: {left}.",
    },
    "pl": {
        "help": (
            "Ustaw odpowiedzi od najlepszej: b > a = d > c. Odpowiedzi połączone znakiem = są równie dobre. "
            "Krócej: ba=dc.\n"
            "s pomija polecenie, u cofa ostatni ranking, q kończy. Każdy ranking jest od razu zapisywany."
        ),
        "left": "Polecenie {at}; do oceny zostało: {left}",
        "user": "Człowiek",
        "assistant": "Model",
        "system": "Instrukcje",
        "empty": "(pusta odpowiedź)",
        "ask": "Kolejność (? – pomoc): ",
        "saved": "Zapisano.",
        "undone": "Cofnięto; oceń jeszcze raz.",
        "no undo": "W tej sesji nie ma rankingu do cofnięcia.",
        "unknown": "„{what}” nie oznacza żadnej odpowiedzi; są: {letters}.",
        "twice": "{what} występuje dwa razy.",
        "missing": "Brakuje: {what}. Podaj wszystkie, na przykład {example}.",
        "dangling": "Znak = łączy dwie odpowiedzi: napisz na przykład {example}.",
        "last": "Nie ma już nic do oceny. Enter kończy, u cofa ostatni ranking: ",
        "end": "Podane rankingi: {count}. Do oceny zostało: {left}.",
    },
}


def rank_in_terminal(
    samples: Sequence[Candidates],
    store: RankingStore,
    annotator: str,
    console: Console,
    read: Callable[[str], str] = input,
    language: str = "en",
) -> int:
    """Let `annotator` rank what they have not ranked yet, the most telling first; how many rankings they gave.

    Of many completions only some are shown, those whose order would say most (see `asking`); the others may follow.
    Equal completions are shown as one and are tied; prompts with fewer than two different ones are passed over. The
    letters' order is shuffled, and is the same for the same annotator and texts. Each ranking is in the store before
    the next prompt is shown. Ends when nothing is left, at "q", at the end of the input or at Ctrl-C.

    Args:
        read: shows a question and returns the line typed.
        language: "en" or "pl".
    """
    texts = TEXTS[language]
    waiting = [each for each in samples if len(shuffled(each, annotator)) > 1]
    asker = Asker(
        [len(each.completions) for each in waiting],
        distinct=[sorted(indices[0] for indices in shuffled(each, annotator)) for each in waiting],
    )
    skipped: set[str] = set()
    given: list[tuple[int, Question]] = []
    again: Question | None = None
    console.print(texts["help"], highlight=False, markup=False)
    while True:
        open_ = _look(asker, waiting, store, annotator, relearn=len(given) % LEARN == 0)
        asked = again or asker.question(annotator, [place for place in open_ if waiting[place].key not in skipped])
        again = None
        answer: str | Groups = "q"
        if asked is not None:
            shown = waiting[asked.prompt]
            order = [indices for indices in shuffled(shown, annotator) if indices[0] in asked.completions]
            _show(shown, order, texts["left"].format(at=len(given) + 1, left=len(open_)), texts, console)
            answer = _ask(texts["ask"], len(order), texts, console, read)
        elif given:
            answer = _ask(texts["last"], 0, texts, console, read)
        if asked is not None and not isinstance(answer, str):
            groups = tuple(tuple(sorted(index for at in group for index in order[at])) for group in answer)
            given.append((store.add(_ranking(shown, groups, annotator)), asked))
            console.print(texts["saved"], style="green")
        elif answer == "u":
            again = asked
            console.print(texts["undone" if given else "no undo"], style="yellow")
            if given:
                number, again = given.pop()
                store.retract(number)
        elif answer == "s" and asked is not None:
            skipped.add(shown.key)
        else:
            console.print(texts["end"].format(count=len(given), left=len(open_)), highlight=False)
            return len(given)


def _look(asker: Asker, waiting: Sequence[Candidates], store: RankingStore, annotator: str, relearn: bool) -> list[int]:
    """Tell the asker what everybody has ranked by now; the prompts that the annotator has not wholly ranked."""
    standing: dict[str, list[Ranking]] = {}
    for ranking in store.rankings():
        standing.setdefault(ranking.candidates.key, []).append(ranking)
    open_ = []
    for place, each in enumerate(waiting):
        rankings = standing.get(each.key, [])
        groups: list[Places] = [ranking.groups for ranking in rankings]
        names = [ranking.annotator for ranking in rankings]
        if relearn:
            asker.prompts[place], asker.annotators[place] = groups, names
        elif (groups, names) != (asker.prompts[place], asker.annotators[place]):
            asker.update(place, groups, names)
        own = (ranking.groups for ranking in rankings if ranking.annotator == annotator)
        placed = {index for ranked in own for group in ranked for index in group}
        if not placed.issuperset(asker.distinct[place]):
            open_.append(place)
    if relearn:
        asker.learn()
    return open_


def shuffled(candidates: Candidates, annotator: str) -> list[list[int]]:
    """For each letter, the indices of the (equal) completions under it."""
    places: dict[str, list[int]] = {}
    for index, completion in enumerate(candidates.completions):
        places.setdefault(completion.strip(), []).append(index)
    order = list(places.values())
    random.Random(f"{annotator} {candidates.key}").shuffle(order)
    return order


def parse_order(answer: str, count: int, texts: dict[str, str] = TEXTS["en"]) -> Groups:
    """The order that a line such as "b > a = d > c" or "ba=dc" puts the first `count` letters in, as groups.

    Raises:
        ValueError: it is none; its text, out of `texts`, says to the person what is wrong.
    """
    letters = LETTERS[:count]
    example = " > ".join([*letters[1:-1][::-1], f"{letters[0]} = {letters[-1]}"]) if count > 1 else letters
    groups: list[list[int]] = []
    tie = False
    for sign in answer.lower():
        if sign == "=":
            if tie or not groups:
                raise ValueError(texts["dangling"].format(example=example))
            tie = True
        elif sign in letters:
            place = letters.index(sign)
            if any(place in group for group in groups):
                raise ValueError(texts["twice"].format(what=sign))
            if tie:
                groups[-1].append(place)
            else:
                groups.append([place])
            tie = False
        elif sign == ">" and tie:
            raise ValueError(texts["dangling"].format(example=example))
        elif sign not in " \t>,;.":
            raise ValueError(texts["unknown"].format(what=sign, letters=", ".join(letters)))
    if tie:
        raise ValueError(texts["dangling"].format(example=example))
    missing = [letter for place, letter in enumerate(letters) if not any(place in group for group in groups)]
    if missing:
        raise ValueError(texts["missing"].format(what=", ".join(missing), example=example))
    return tuple(tuple(group) for group in groups)


def _ask(
    question: str, count: int, texts: dict[str, str], console: Console, read: Callable[[str], str]
) -> str | Groups:
    """A command (q, s, u) or an order of the first `count` letters; asks until it is one. Without letters, anything
    else means q."""
    while True:
        try:
            answer = read(question).strip()
        except (EOFError, KeyboardInterrupt):
            console.print()
            return "q"
        if answer.lower() in ("q", "s", "u"):
            return answer.lower()
        if not count:
            return "q"
        if answer.lower() in ("?", "h", "help", "pomoc"):
            console.print(texts["help"], highlight=False, markup=False)
            continue
        try:
            return parse_order(answer, count, texts)
        except ValueError as error:
            console.print(str(error), style="yellow", highlight=False, markup=False)


def _show(shown: Candidates, order: list[list[int]], title: str, texts: dict[str, str], console: Console) -> None:
    console.rule(title)
    for message in shown.prompt:
        name = Text(f"{texts[message['role']]}: ", style="bold")
        console.print(name + Text(_visible(message["content"]), style="none"))
    for letter, indices in zip(LETTERS, order, strict=False):
        completion = _visible(shown.completions[indices[0]].strip())
        body = Text(completion) if completion else Text(texts["empty"], style="dim italic")
        console.print(Panel(body, title=f"[bold]{letter.upper()}[/bold]", title_align="left"))


def _visible(text: str) -> str:
    """Text that cannot command the terminal: a model may write an escape character."""
    return text.replace("\x1b", "\N{SYMBOL FOR ESCAPE}")


def _ranking(shown: Candidates, groups: Groups, annotator: str) -> Ranking:
    return Ranking(shown.prompt_id, shown.prompt, shown.completions, groups, annotator, round(time.time(), 3))
