"""Ranking in a terminal: the prompt, its completions under letters, and one line that puts them in order."""

from collections.abc import Callable, Sequence

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from anatomia.feedback.desk import Asked, Desk
from anatomia.feedback.ranking import Candidates, Groups
from anatomia.feedback.store import RankingStore

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
        "elsewhere": "You had answered this in another window; that answer stands.",
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
        "elsewhere": "Na to już była odpowiedź w innym oknie i ona zostaje.",
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
    desk = Desk(samples, store)
    skipped: set[str] = set()
    given: list[int] = []
    again: Asked | None = None
    console.print(texts["help"], highlight=False, markup=False)
    while True:
        asked, again = again or desk.ask(annotator, skipped), None
        left = desk.left(annotator)
        answer: str | Groups = "q"
        if asked is not None:
            _show(asked, texts["left"].format(at=len(given) + 1, left=left), texts, console)
            answer = _ask(texts["ask"], len(asked.order), texts, console, read)
        elif given:
            answer = _ask(texts["last"], 0, texts, console, read)
        if asked is not None and not isinstance(answer, str):
            number = desk.keep(asked, answer)
            console.print(
                texts["elsewhere" if number is None else "saved"], style="yellow" if number is None else "green"
            )
            given += [] if number is None else [number]
        elif answer == "u":
            console.print(texts["undone" if given else "no undo"], style="yellow")
            again = desk.take_back(annotator, given.pop()) if given else asked
        elif answer == "s" and asked is not None:
            skipped.add(asked.candidates.key)
        else:
            console.print(texts["end"].format(count=len(given), left=left), highlight=False)
            return len(given)


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


def _show(asked: Asked, title: str, texts: dict[str, str], console: Console) -> None:
    shown = asked.candidates
    console.rule(title)
    for message in shown.prompt:
        name = Text(f"{texts[message['role']]}: ", style="bold")
        console.print(name + Text(_visible(message["content"]), style="none"))
    for letter, indices in zip(LETTERS, asked.order, strict=False):
        completion = _visible(shown.completions[indices[0]].strip())
        body = Text(completion) if completion else Text(texts["empty"], style="dim italic")
        console.print(Panel(body, title=f"[bold]{letter.upper()}[/bold]", title_align="left"))


def _visible(text: str) -> str:
    """Text that cannot command the terminal: a model may write an escape character."""
    return text.replace("\x1b", "\N{SYMBOL FOR ESCAPE}")
