"""The figures that say most about each stage. Which they are is data; what a stage did not measure is left out."""

import re
from collections.abc import Mapping
from typing import Any

from anatomia.messages import Messages

# Per stage, phrases in English and Polish. {a.b} is the metric b within a of artifact.json, {a%} a as a percentage.
# A phrase with a metric that is missing is not said.
HEADLINES: dict[str, tuple[tuple[str, str], ...]] = {
    "corpus": (
        (
            "{documents_kept} of {documents_read} documents kept",
            "zachowano {documents_kept} z {documents_read} dokumentów",
        ),
        ("{characters_kept} characters", "{characters_kept} znaków"),
    ),
    "tokenizer": (
        ("{vocabulary} tokens", "{vocabulary} tokenów"),
        ("bytes a token: Polish {bytes_per_token.pl}", "bajtów na token: po polsku {bytes_per_token.pl}"),
        ("English {bytes_per_token.en}", "po angielsku {bytes_per_token.en}"),
    ),
    "pretrain": (
        ("{bits_per_byte} bits a byte", "{bits_per_byte} bitu na bajt"),
        ("{parameters} parameters", "{parameters} parametrów"),
        ("{tokens} tokens read", "{tokens} przeczytanych tokenów"),
    ),
    "finetune": (
        (
            "loss on held-out answers {held_out_loss_before} → {held_out_loss}",
            "strata na odłożonych odpowiedziach {held_out_loss_before} → {held_out_loss}",
        ),
        ("{dialogues} dialogues", "{dialogues} dialogów"),
    ),
    "sample": (
        ("{completions} answers to {prompts} prompts", "{completions} odpowiedzi na {prompts} poleceń"),
        ("{finished_share%} finished", "{finished_share%} dokończonych"),
    ),
    "rank": (
        ("{rankings} rankings by {annotators} annotators", "{rankings} rankingów, oceniających: {annotators}"),
        ("agreement (alpha) {krippendorff_alpha}", "zgodność (alfa) {krippendorff_alpha}"),
    ),
    "reward": (
        (
            "right about {held_out_accuracy%} of {held_out_pairs} held-out pairs",
            "trafia w {held_out_accuracy%} z {held_out_pairs} odłożonych par",
        ),
    ),
    "align": (
        ("{steps} updates of the policy", "{steps} poprawek modelu"),
        ("last reward {last.reward}", "ostatnia nagroda {last.reward}"),
        ("KL {last.kl}", "KL {last.kl}"),
    ),
    "evaluate": (
        (
            "preferred to the model before: {preferred_sampled.share%}",
            "lepszy od poprzedniego modelu: {preferred_sampled.share%}",
        ),
        (
            "exact answers {base.greedy.exact%} → {finetuned.greedy.exact%} → {aligned.greedy.exact%}",
            "dokładne odpowiedzi {base.greedy.exact%} → {finetuned.greedy.exact%} → {aligned.greedy.exact%}",
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
    return ", ".join(said for said in (_fill(phrase, metrics, messages) for phrase in phrases) if said)


def _fill(phrase: str, metrics: Mapping[str, Any], messages: Messages) -> str:
    """The phrase with its figures, or "" if one is missing."""
    figures = {name: _lookup(metrics, name) for name in re.findall(r"{([\w.]+)%?}", phrase)}
    if not all(isinstance(value, int | float) for value in figures.values()):
        return ""

    def said(match: re.Match[str]) -> str:
        value = figures[match[1]]
        return messages.share(value) if match[2] else messages.number(value)

    return re.sub(r"{([\w.]+)(%?)}", said, phrase)


def _lookup(metrics: Mapping[str, Any], name: str) -> Any:
    value: Any = metrics
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
