"""The layouts in which datasets keep what people preferred, told apart by their keys."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from anatomia.feedback.ranking import Groups, Ranking, name_of
from anatomia.feedback.scores import rank_from_stars
from anatomia.text.dialogue import Turn
from anatomia.text.dialogue_layouts import ask, spoken
from anatomia.text.messages import text, turns
from anatomia.text.records import Record
from anatomia.text.trees import as_messages, is_kept, sibling_groups

SPEAKER = re.compile(r"(?:\n\n|  )(Human|Assistant):")  # in some transcripts spaces stand for the line breaks
Key = TypeVar("Key")


@dataclass(frozen=True)
class Layout:
    """One way to write rankings down.

    Attributes:
        keys: a record with all of them is in this layout (the first layout in `LAYOUTS` that fits wins).
        read: the rankings of consecutive records of one file; a string says what was left out, or odd, and why.
    """

    name: str
    keys: tuple[str, ...]
    read: Callable[[Iterable[Record]], Iterator[Ranking | str]]


def layout_of(record: Record) -> Layout:
    """The layout of a record.

    Raises:
        UserError: it is unknown, or holds no rankings.
    """
    layout = next((layout for layout in LAYOUTS if all(key in record.value for key in layout.keys)), None)
    if layout is None:
        if {"prompt", "completions"} <= record.value.keys():
            record.fail("holds completions that nobody ranked; add groups (best first) or stars")
        known = "; ".join(f"{layout.name} ({', '.join(layout.keys)})" for layout in LAYOUTS)
        record.fail(f"unknown layout with the keys {', '.join(record.value) or 'none'}; known are: {known}")
    return layout


def _ranking(
    record: Record, prompt: Sequence[Turn], completions: Sequence[str], groups: Groups, annotator: str = ""
) -> Ranking | str:
    """The ranking that a record holds; or why it holds none."""
    prompt = [turn for turn in prompt if turn.content]
    if not prompt or prompt[-1].role != "user":
        return "the prompt does not end with a user's turn"
    if len(set(completions)) < len(completions):
        return "equal completions"
    messages = tuple({"role": turn.role, "content": turn.content} for turn in prompt)
    name = f"file:{record.name}:{annotator}" if annotator else f"file:{record.name}"
    return Ranking(name_of(messages, completions), messages, tuple(completions), groups, name)


def _by_place(places: Iterable[tuple[int, float | None]]) -> Groups:
    """Groups from (index, place) pairs, 1 best, equal places tied; without a place, in no group."""
    tied = defaultdict(list)
    for index, place in places:
        if place is not None:
            tied[place].append(index)
    return tuple(tuple(tied[place]) for place in sorted(tied))


def _each(read: Callable[[Record], Iterable[Ranking | str]]) -> Callable[[Iterable[Record]], Iterator[Ranking | str]]:
    """A reader of records that stand for themselves."""

    def read_all(records: Iterable[Record]) -> Iterator[Ranking | str]:
        for record in records:
            try:
                yield from read(record)
            except (KeyError, TypeError, AttributeError) as error:
                record.fail(f"is not what its keys promise ({type(error).__name__}: {error})")

    return read_all


def _number(record: Record, value: Any, key: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        record.fail(f"{key} is a number, not {value!r}")


def _strings(record: Record, key: str) -> list[str]:
    value = record.value[key]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        record.fail(f"{key} is a list of texts")
    return value


def _own(record: Record) -> Iterator[Ranking | str]:
    """What `Ranking.to_json` wrote."""
    try:
        yield Ranking.from_json(record.value)
    except (KeyError, TypeError, ValueError) as error:
        record.fail(f"no ranking of ours ({type(error).__name__}: {error})")


def _stars(record: Record) -> Iterator[Ranking | str]:
    """Each completion rated by itself; sorting makes it a ranking, null means not rated."""
    completions, stars = _strings(record, "completions"), record.value["stars"]
    if not isinstance(stars, list) or len(stars) != len(completions):
        record.fail(f"stars has one number for each completion ({len(completions)})")
    rated = [float("nan") if star is None else _number(record, star, "stars") for star in stars]
    annotator = text(record, record.value.get("annotator"), "annotator")
    prompt = spoken(record, record.value["prompt"], "user")
    yield _ranking(record, prompt, completions, rank_from_stars(rated), annotator)


def _hh_turns(record: Record, key: str) -> list[Turn]:
    """The turns of one of Anthropic's transcripts, or of a list of messages."""
    if isinstance(record.value[key], list):
        return list(turns(record, record.value[key]))
    parts = SPEAKER.split("\n\n" + text(record, record.value[key], key))
    pairs = zip(parts[1::2], parts[2::2], strict=True)
    return [Turn("user" if speaker == "Human" else "assistant", content.strip()) for speaker, content in pairs]


def _hh(record: Record) -> Iterator[Ranking | str]:
    """Two whole transcripts (Bai et al. 2022): what they share up to a user's turn is the prompt.

    Where they part before the last turn, the assistant's turns at which they part are compared and what follows is
    left out.
    """
    chosen, rejected = _hh_turns(record, "chosen"), _hh_turns(record, "rejected")
    shared = 0
    while shared < min(len(chosen), len(rejected)) and chosen[shared] == rejected[shared]:
        shared += 1
    while shared and chosen[shared - 1].role != "user":
        shared -= 1
    if not shared or shared >= min(len(chosen), len(rejected)):
        yield "the transcripts do not part at an answer" if shared else "the transcripts share no prompt"
        return
    if max(len(chosen), len(rejected)) > shared + 1:
        yield "transcripts that part before the last turn (kept up to there)"
    completions = chosen[shared].content, rejected[shared].content
    yield _ranking(record, chosen[:shared], completions, ((0,), (1,)))


def _said(record: Record, key: str) -> str:
    """A chosen or rejected answer: a text, a message, or messages of which the last counts."""
    found = spoken(record, record.value[key], "assistant")
    return found[-1].content if found else ""


def _pair(prompt: Callable[[Record], Sequence[Turn]]) -> Callable[[Record], Iterable[Ranking | str]]:
    """A reader for `chosen` and `rejected` answers to a prompt given beside them."""

    def read(record: Record) -> Iterator[Ranking | str]:
        yield _ranking(record, prompt(record), (_said(record, "chosen"), _said(record, "rejected")), ((0,), (1,)))

    return read


def _instruction(record: Record) -> tuple[Turn, ...]:
    value = record.value
    return (Turn("user", ask(*(text(record, value.get(key), key) for key in ("instruction", "input")))),)


def _pandalm(record: Record) -> Iterator[Ranking | str]:
    """Three annotators (Wang et al. 2023): 1 or 2 for the better answer, 0 for a tie."""
    completions = [text(record, record.value.get(key), key) for key in ("response1", "response2")]
    labels: dict[Any, Groups] = {0: ((0, 1),), 1: ((0,), (1,)), 2: ((1,), (0,))}
    for annotator in (key for key in record.value if key.startswith("annotator")):
        label = record.value[annotator]
        if label not in labels:
            record.fail(f"{annotator} is 0 (tie), 1 or 2, not {label!r}")
        yield _ranking(record, _instruction(record), completions, labels[label], annotator)


def _tree(record: Record) -> Iterator[Ranking | str]:
    """OpenAssistant's trees: every group of sibling answers of which at least two were ranked."""
    root = record.value["prompt"]
    if not isinstance(root, dict):
        record.fail("prompt is the first message of a tree, an object with text, role and replies")
    if not is_kept(root):
        yield "deleted"
        return
    for path, answers in sibling_groups(root):
        groups = _by_place((index, answer.get("rank")) for index, answer in enumerate(answers))
        completions = [answer["text"].strip() for answer in answers]
        yield _ranking(record, turns(record, as_messages(path)), completions, groups)


def _squality(record: Record) -> Iterator[Ranking | str]:
    """SQuALITY's human evaluation (Wang et al. 2022, section 5): several systems, each placed by the same reviewers.

    The file has neither the story nor the question's words, so the prompt only names them.
    """
    for question, systems in record.value["questions"].items():
        answers = {name: entry for name, entry in systems.items() if isinstance(entry, dict) and "reviews" in entry}
        places: dict[str, list[tuple[int, float | None]]] = defaultdict(list)
        for index, entry in enumerate(answers.values()):
            for review in entry["reviews"]:
                places[str(review["worker_id"])].append((index, review.get("overall-rank")))
        prompt = [Turn("user", f"SQuALITY, passage {record.value['passage-id']}, question {question}")]
        completions = [text(record, entry.get("response"), "response") for entry in answers.values()]
        for worker, placed in places.items():
            yield _ranking(record, prompt, completions, _by_place(placed), f"worker {worker}")


def _wmt_places(record: Record) -> dict[str, float | None]:
    """System → place in a row of WMT's judgements; places below 1 mean that the judge gave none."""
    systems: dict[str, float | None] = {}
    for key in record.value:
        if match := re.fullmatch(r"system(\d+)Id", key):
            place = _number(record, record.value.get(f"system{match[1]}rank"), f"system{match[1]}rank")
            systems[record.value[key]] = place if place >= 1 else None
    return systems


def _wmt_ranking(record: Record, systems: dict[str, float | None]) -> Ranking | str:
    """WMT's files have no texts: the completions are the systems' names, the prompt names the sentence."""
    row = record.value
    prompt = [Turn("user", f"Translate segment {row['segmentId']} from {row['srclang']} to {row['trglang']}.")]
    names = sorted(systems)
    places = ((index, systems[name]) for index, name in enumerate(names))
    return _ranking(record, prompt, names, _by_place(places), row.get("judgeID") or row.get("judgeId") or "")


def _wmt_pairs(records: Iterable[Record]) -> Iterator[Ranking | str]:
    """WMT16 expanded its rankings into pairs; `rankingID` puts them together again (Bojar et al. 2016)."""
    rankings: dict[str, tuple[Record, dict[str, float | None]]] = {}
    for record in records:
        rankings.setdefault(record.value["rankingID"], (record, {}))[1].update(_wmt_places(record))
    for record, systems in rankings.values():
        yield _wmt_ranking(record, systems)


LAYOUTS: tuple[Layout, ...] = (
    Layout("our rankings", ("prompt_id", "completions", "groups", "annotator"), _each(_own)),
    Layout("stars", ("prompt", "completions", "stars"), _each(_stars)),
    Layout(
        "ShareGPT pairs",
        ("conversations", "chosen", "rejected"),
        _each(_pair(lambda record: turns(record, record.value["conversations"]))),
    ),
    Layout(
        "prompt pairs",
        ("prompt", "chosen", "rejected"),
        _each(_pair(lambda record: spoken(record, record.value["prompt"], "user"))),
    ),
    Layout("instruction pairs", ("instruction", "chosen", "rejected"), _each(_pair(_instruction))),
    Layout("HH pairs", ("chosen", "rejected"), _each(_hh)),
    Layout("PandaLM", ("instruction", "response1", "response2", "annotator1"), _each(_pandalm)),
    Layout("OpenAssistant trees", ("message_tree_id", "prompt"), _each(_tree)),
    Layout("SQuALITY", ("passage-id", "questions"), _each(_squality)),
    Layout("WMT pairs", ("rankingID", "segmentId", "srclang", "trglang", "system1Id"), _wmt_pairs),
    Layout(
        "WMT rankings",
        ("segmentId", "srclang", "trglang", "system1Id"),
        _each(lambda record: [_wmt_ranking(record, _wmt_places(record))]),
    ),
)
