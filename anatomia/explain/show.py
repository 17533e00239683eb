"""What `anatomia show` shows of any text, tokenizer or model, as JSON-able dictionaries; `explain.render` paints them.

`tokenizer` and `model` are paths of Hugging Face directories (or of a tokenizer.json). Heavy imports wait until a model
is really needed.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anatomia.base.errors import UserError
from anatomia.explain.specimens import (
    Candidates,
    generation_specimen,
    mask_specimen,
    packed_specimen,
    padding_specimen,
    tokens_specimen,
    window_specimen,
)
from anatomia.tokens.vocabulary import Vocabulary

if TYPE_CHECKING:
    import torch

    from anatomia.feedback.ranking import Ranking
    from anatomia.generate.sampling import Sampling

Messages = list[dict[str, str]]


def show_tokens(texts: Sequence[str], tokenizer: Path) -> dict[str, Any]:
    """Texts cut into tokens: {"vocabulary", "texts": [{"text", "tokens": [{"id", "text"}], "characters", "bytes"}]}."""
    vocabulary = Vocabulary.load(tokenizer)
    return {"vocabulary": vocabulary.size, "texts": [tokens_specimen(vocabulary, text) for text in texts]}


def show_windows(text: str, model: Path, most: int = 16, candidates: int = 5) -> dict[str, Any]:
    """Context → next token at the first `most` places of a text, with a model's likeliest candidates for each.

    Given a tokenizer without a model, the places are shown without candidates.

    Raises:
        UserError: the text has fewer than two tokens.
    """
    vocabulary = Vocabulary.load(model)
    ids = with_begin(vocabulary, text)[: most + 1]
    if len(ids) < 2:
        raise UserError(f"the text {text!r} has no token to predict; give a longer one")
    places: dict[int, Candidates] = {length: [] for length in range(1, len(ids))}
    if (model / "config.json").is_file():
        import torch

        from anatomia.model.checkpoint import load_model

        decoder = load_model(model).eval()
        ids = ids[: decoder.config.context]
        with torch.inference_mode():
            logits = decoder(torch.tensor([ids]))[0].float()
        places = {length: likeliest(logits[length - 1], vocabulary, candidates) for length in range(1, len(ids))}
    return window_specimen(vocabulary.pieces(ids), places)


def show_padding(texts: Sequence[str], tokenizer: Path) -> dict[str, Any]:
    """Texts in one batch, filled up to the longest ("rows"), and the same texts packed into rows of that length.

    Rows are what the model reads, so a text's last token, which it only ever predicts, is in neither. The second is
    `packed`: {"tokens", "documents", "positions"} per row, document −1 where a row stays empty.

    Raises:
        UserError: a text has no token.
    """
    import numpy as np

    from anatomia.tokens.batches import Packed
    from anatomia.tokens.shards import Shard

    vocabulary = Vocabulary.load(tokenizer)
    rows = [[*with_begin(vocabulary, text), vocabulary.end] for text in texts]
    if not rows or min(map(len, rows)) < 2:
        raise UserError("a text without a token cannot be shown in a batch; give texts that are not empty")
    filler = vocabulary.end if vocabulary.padding is None else vocabulary.padding
    starts = np.cumsum([0, *map(len, rows)])
    shard = Shard(np.array([i for row in rows for i in row]), starts, None)
    context = max(map(len, rows)) - 1
    plan = Packed(shard, context, 1, 0, filler)
    batches = list(plan.once())
    packed = [packed_specimen(batch, row, vocabulary) for batch in batches for row in range(len(batch.ids))]
    shown = padding_specimen([vocabulary.pieces(row[:-1]) for row in rows], vocabulary.pieces([filler])[0])
    return {**shown, "packed": packed}


def show_generation(
    prompt: str | Messages, model: Path, sampling: "Sampling | None" = None, seed: int = 0, candidates: int = 5
) -> dict[str, Any]:
    """A completion growing token by token until the end token: each step's choice and its likeliest candidates.

    A prompt given as messages is put to the model as a dialogue; a plain text is simply continued. The probabilities
    are the model's own, before temperature and truncation.

    Raises:
        UserError: the prompt leaves no room in the model's context.
    """
    from anatomia.generate.engine import decode
    from anatomia.generate.sampling import Sampling
    from anatomia.model.checkpoint import load_model
    from anatomia.tokens.dialogue import prompt_ids

    vocabulary = Vocabulary.load(model)
    decoder = load_model(model).eval()
    ids = with_begin(vocabulary, prompt) if isinstance(prompt, str) else prompt_ids(vocabulary, prompt)
    steps: list[tuple[str, Candidates]] = []
    finished = False
    for step in decode(decoder, [ids], [seed], sampling or Sampling(temperature=0.0)):
        steps.append((vocabulary.pieces(step.ids)[0], likeliest(step.logits[0], vocabulary, candidates)))
        finished = step.ids[0] in decoder.config.end
    said = prompt if isinstance(prompt, str) else prompt[-1]["content"]
    return generation_specimen(said, steps, finished)


def show_dialogue(messages: Messages, tokenizer: Path) -> dict[str, Any]:
    """A dialogue as the model reads it: roles, the template's text, its tokens and which carry loss.

    A dialogue that ends with the user's turn is shown as a prompt: nothing in it carries loss.

    Raises:
        UserError: the template refuses the dialogue.
    """
    from anatomia.text.dialogue import Dialogue, Turn
    from anatomia.tokens.dialogue import encode_dialogue, prompt_ids, render

    vocabulary = Vocabulary.load(tokenizer)
    asks = messages[-1]["role"] != "assistant"
    if asks:
        ids = prompt_ids(vocabulary, messages)
        weights = [0] * len(ids)
    else:
        turns = tuple(map(Turn.from_message, messages))
        ids, weights = encode_dialogue(vocabulary, Dialogue(turns, "dialogue"))
    mask = mask_specimen(vocabulary.pieces(ids), weights)
    return {"messages": messages, "rendered": render(vocabulary, messages, asks), "prompt": asks, **mask}


def show_ranking(rankings: str | Path, most: int = 3, language: str = "en") -> dict[str, Any]:
    """Rankings, the stars they become four ways with intervals, and how far annotators are to be believed and agree.

    Args:
        rankings: orders such as "b > a = d > c", one per line or separated by semicolons, each by another annotator;
            or the path of a file of rankings (`rankings.jsonl`, or any form that the stage `rank` reads).
        most: prompts of a file to show; those with the most different answers come first, having the most to say.
        language: "en" or "pl", of what is said of an order that cannot be read.

    Returns:
        `rankings`; `annotators` and `pairs` as in the stage's annotators.json, out of all prompts; `tie`, how often
        two equally good answers are called tied.

    Raises:
        UserError: an order cannot be read, or the file holds no ranking.
    """
    from anatomia.feedback.agreement import annotators_agreement
    from anatomia.feedback.ranked import believed, by_prompt, score, who_ranked
    from anatomia.feedback.sources import read_rankings

    found = orders(rankings, language) if isinstance(rankings, str) else list(read_rankings([rankings]))
    if not found:
        raise UserError(f"{rankings} holds no ranking that can be read; give a rankings.jsonl")
    prompts = by_prompt(found)
    fit, annotators = believed(prompts)
    pairs = annotators_agreement(
        [[ranking.groups for ranking in group] for group in prompts],
        [[ranking.annotator for ranking in group] for group in prompts],
        [len(group[0].completions) for group in prompts],
    )
    chosen = sorted(range(len(prompts)), key=lambda place: _sameness(prompts[place]))[:most]
    return {
        "rankings": [
            {
                "prompt": ranked.candidates.prompt[-1]["content"] if ranked.candidates.prompt else "",
                "completions": list(ranked.candidates.completions),
                "annotators": [{"name": r.annotator, "groups": [list(g) for g in r.groups]} for r in ranked.rankings],
                **ranked.stars(),
                "davidson_interval": ranked.between(),
            }
            for ranked in score([prompts[place] for place in chosen], 0.0, fit=fit.of(chosen))
        ],
        **who_ranked(annotators, pairs),
        "tie": round(fit.tie, 4),
    }


def _sameness(rankings: "Sequence[Ranking]") -> int:
    return -len({completion.strip() for completion in rankings[0].candidates.completions})


def orders(written: str, language: str = "en") -> "list[Ranking]":
    """Orders written by hand as rankings of answers called a, b, c…: as many as the highest letter says."""
    from anatomia.feedback.ranking import Ranking
    from anatomia.feedback.terminal import LETTERS, TEXTS, parse_order

    lines = [line.strip() for line in written.replace(";", "\n").splitlines() if line.strip()]
    count = max((LETTERS.index(sign) + 1 for sign in written.lower() if sign in LETTERS), default=0)
    if count < 2:
        raise UserError(f"{written!r} ranks fewer than two answers; write for example b > a = d > c")
    try:
        return [
            Ranking("orders", (), tuple(LETTERS[:count]), parse_order(line, count, TEXTS[language]), str(number))
            for number, line in enumerate(lines, 1)
        ]
    except ValueError as error:
        raise UserError(f"{written!r} is no ranking: {error}") from error


def read_messages(text: str) -> Messages:
    """Messages from JSON ({"messages": […]} or the list itself), or the text as a user's turn.

    Raises:
        UserError: the JSON is of another form.
    """
    try:
        value = json.loads(text)
    except ValueError:
        return [{"role": "user", "content": text.strip()}]
    found = value.get("messages") if isinstance(value, dict) else value
    if (
        not isinstance(found, list)
        or not found
        or not all(isinstance(m, dict) and {"role", "content"} <= m.keys() for m in found)
    ):
        raise UserError('a dialogue as JSON is [{"role": "user", "content": "…"}, …] or {"messages": […]}')
    return [{"role": str(m["role"]), "content": str(m["content"])} for m in found]


def with_begin(vocabulary: Vocabulary, text: str) -> list[int]:
    """The ids of a document: its begin token, where the tokenizer has one, and the text."""
    return [*([] if vocabulary.begin is None else [vocabulary.begin]), *vocabulary.encode(text)]


def likeliest(logits: "torch.Tensor", vocabulary: Vocabulary, count: int) -> list[tuple[str, float]]:
    """The `count` likeliest tokens after `logits` [vocabulary], with their probabilities."""
    top = logits.float().softmax(-1).topk(min(count, logits.shape[-1]))
    return list(zip(vocabulary.pieces(top.indices.tolist()), top.values.tolist(), strict=True))
