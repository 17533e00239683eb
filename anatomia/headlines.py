"""The figures that say most about each stage. Which they are is data; what a stage did not measure is left out."""

import re
from collections.abc import Mapping
from typing import Any

from anatomia.base.plural import plural
from anatomia.messages import Messages

# Per stage, phrases in English and Polish. {a.b} is the metric b within a of artifact.json, {a%} a as a percentage,
# {a|token|tokens} the form of the word that goes with the number a (in Polish three forms, see base.plural).
# A phrase with a metric that is missing is not said; of what stands in [brackets], only that part.
HEADLINES: dict[str, tuple[tuple[str, str], ...]] = {
    "corpus": (
        (
            "{documents_kept} of {documents_read} {documents_read|document|documents} kept",
            "zachowano {documents_kept} z {documents_read} {documents_read|dokumentu|dokumentów|dokumentów}",
        ),
        (
            "{characters_kept} {characters_kept|character|characters}",
            "{characters_kept} {characters_kept|znak|znaki|znaków}",
        ),
    ),
    "tokenizer": (
        ("{vocabulary} {vocabulary|token|tokens}", "{vocabulary} {vocabulary|token|tokeny|tokenów}"),
        (
            "bytes a token:[ Polish {bytes_per_token.pl},][ English {bytes_per_token.en},]",
            "bajtów na token:[ po polsku {bytes_per_token.pl},][ po angielsku {bytes_per_token.en},]",
        ),
    ),
    "pretrain": (
        ("{bits_per_byte} {bits_per_byte|bit|bits} a byte", "{bits_per_byte} bitu na bajt"),
        ("{parameters} {parameters|parameter|parameters}", "{parameters} {parameters|parametr|parametry|parametrów}"),
        (
            "{tokens} {tokens|token|tokens} read",
            "{tokens} {tokens|przeczytany token|przeczytane tokeny|przeczytanych tokenów}",
        ),
    ),
    "finetune": (
        (
            "loss on held-out answers {held_out_loss_before} → {held_out_loss}",
            "strata na odłożonych odpowiedziach {held_out_loss_before} → {held_out_loss}",
        ),
        ("{dialogues} {dialogues|dialogue|dialogues}", "{dialogues} {dialogues|dialog|dialogi|dialogów}"),
        (
            "adapter {adapter}, {trained_parameters} {trained_parameters|parameter|parameters}",
            "adapter {adapter}, {trained_parameters} {trained_parameters|parametr|parametry|parametrów}",
        ),
    ),
    "sample": (
        (
            "{completions} {completions|answer|answers} to {prompts} {prompts|prompt|prompts}",
            "{completions} {completions|odpowiedź|odpowiedzi|odpowiedzi} "
            "na {prompts} {prompts|polecenie|polecenia|poleceń}",
        ),
        ("{finished_share%} finished", "{finished_share%} dokończonych"),
    ),
    "rank": (
        (
            "{rankings} {rankings|ranking|rankings} by {annotators} {annotators|annotator|annotators}",
            "{rankings} {rankings|ranking|rankingi|rankingów}, oceniających: {annotators}",
        ),
        ("agreement (alpha) {krippendorff_alpha}", "zgodność (alfa) {krippendorff_alpha}"),
    ),
    "reward": (
        (
            "right about {held_out_accuracy%} of {held_out_pairs} held-out {held_out_pairs|pair|pairs}",
            "trafia w {held_out_accuracy%} z {held_out_pairs} "
            "{held_out_pairs|odłożonej pary|odłożonych par|odłożonych par}",
        ),
    ),
    "judge": (
        (
            "right about {accuracy%} of the pairs of {tested_prompts} other {tested_prompts|prompt|prompts}",
            "trafia w {accuracy%} par z {tested_prompts} "
            "{tested_prompts|innego polecenia|innych poleceń|innych poleceń}",
        ),
        ("learnt from {prompts}", "wyuczony na {prompts}"),
    ),
    "align": (
        ("{steps} {steps|update|updates} of the policy", "{steps} {steps|poprawka|poprawki|poprawek} modelu"),
        ("last reward {last.reward}", "ostatnia nagroda {last.reward}"),
        ("{last.accuracy%} of its pairs right", "{last.accuracy%} par ustawionych jak w rankingach"),
        ("KL {last.kl}", "KL {last.kl}"),
    ),
    "evaluate": (
        (
            "preferred to the model before: {preferred_sampled.share%}",
            "lepszy od poprzedniego modelu: {preferred_sampled.share%}",
        ),
        (
            "exact answers {base.greedy.exact%}[ → {finetuned.greedy.exact%}][ → {aligned.greedy.exact%}]",
            "dokładne odpowiedzi {base.greedy.exact%}[ → {finetuned.greedy.exact%}][ → {aligned.greedy.exact%}]",
        ),
        (
            "bits a byte of unseen text: base model {baselines.base_bits_per_byte}, "
            "5-grams {baselines.ngram_bits_per_byte}, xz {baselines.xz_bits_per_byte}",
            "bity na bajt nieznanego tekstu: model bazowy {baselines.base_bits_per_byte}, "
            "5-gramy {baselines.ngram_bits_per_byte}, xz {baselines.xz_bits_per_byte}",
        ),
    ),
}


def headline(stage: str, metrics: Mapping[str, Any], messages: Messages) -> str:
    """What the stage achieved, in one line."""
    phrases = (polish if messages.language == "pl" else english for english, polish in HEADLINES.get(stage, ()))
    return ", ".join(said for said in (_phrase(phrase, metrics, messages) for phrase in phrases) if said)


def _phrase(phrase: str, metrics: Mapping[str, Any], messages: Messages) -> str:
    """The phrase with its figures and those of its parts that have theirs, or "" if nothing is left to say."""
    needed, *rest = re.split(r"\[(.*?)\]", phrase)  # now the parts in brackets stand at even places
    parts = [_fill(part, metrics, messages) for part in rest]
    start = _fill(needed, metrics, messages)
    if start is None or ("{" not in needed and not any(parts)):
        return ""
    return (start + "".join(part or "" for part in parts)).rstrip(",")


def _fill(phrase: str, metrics: Mapping[str, Any], messages: Messages) -> str | None:
    """The words with their figures, or None if a figure is missing."""
    hole = r"{([\w.]+)(%?)((?:\|[^|}]+)*)}"
    figures = {name: _lookup(metrics, name) for name, *_ in re.findall(hole, phrase)}
    if not all(isinstance(value, int | float) for value in figures.values()):
        return None

    def said(match: re.Match[str]) -> str:
        value = figures[match[1]]
        if match[3]:
            return plural(messages.language, value, match[3].split("|")[1:])
        return messages.share(value) if match[2] else messages.number(value)

    return re.sub(hole, said, phrase)


def _lookup(metrics: Mapping[str, Any], name: str) -> Any:
    value: Any = metrics
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
