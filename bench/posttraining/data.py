"""What all contestants work on: one vocabulary, one model, dialogues, rankings and prompts, written once as files."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import torch

from anatomia.model.checkpoint import save_model
from anatomia.model.config import DecoderConfig
from anatomia.model.decoder import Decoder
from anatomia.model.scalar import ScalarModel
from anatomia.text.dialogue import Dialogue, Turn
from anatomia.text.dialogues import read_dialogues
from anatomia.tokens.dialogue import encode_dialogue, prompt_ids
from anatomia.tokens.template import OURS
from anatomia.tokens.vocabulary import Vocabulary, train_vocabulary
from anatomia.world import World
from bench.posttraining.options import NEW

SHAPE: dict[str, Any] = {
    "width": 256,
    "layers": 4,
    "heads": 4,
    "hidden": 704,
    "context": 256,
}  # size S of bench.pretraining
VOCABULARY = 4096
FILES = (
    "instruct/alpaca_en_demo.json",
    "instruct/rasbt-instruction-data.json",
    "instruct/dolly_hhrlhf_train_small.jsonl.gz",
)


def prepare(work: Path, data: Path | None, completions: int) -> dict[str, Any]:
    """Write `policy/`, `reward/` (Hugging Face directories, random weights of size S) and `data.json` into `work`.

    Args:
        data: holds `FILES`; None takes the made-up world's dialogues.
        completions: per ranking. They are answers from the data, one of them the prompt's own, in an order of places
            drawn at random: what is measured does not depend on who was right.

    Returns:
        How many there are of everything, and how long.
    """
    dialogues = list(read_dialogues([data / name for name in FILES])) if data else World(1).dialogues(1, 6000)
    Random(1).shuffle(dialogues)
    vocabulary = train_vocabulary([turn.content for one in dialogues for turn in one.turns], VOCABULARY)
    vocabulary.config["chat_template"] = OURS
    vocabulary = Vocabulary(vocabulary.tokenizer, vocabulary.config, "bench")
    size = SHAPE["width"] // SHAPE["heads"]
    config = DecoderConfig(
        **SHAPE, vocabulary=VOCABULARY, kv_heads=SHAPE["heads"], head_size=size, tied=False, qk_norm=False,
        family="llama", begin=vocabulary.begin, end=(vocabulary.end,), padding=vocabulary.padding,
    )  # fmt: skip
    for name, number in (("policy", 0), ("reward", 1)):
        model = Decoder(config)
        model.initialize(torch.Generator().manual_seed(number))
        scalar = ScalarModel(model)
        torch.nn.init.normal_(scalar.score, std=0.02, generator=torch.Generator().manual_seed(number))
        save_model(work / name, scalar if name == "reward" else model)
        vocabulary.save(work / name)
    limit = config.context
    encoded = [encode_dialogue(vocabulary, one) for one in dialogues]
    fitting = [(ids, weights) for ids, weights in encoded if len(ids) <= limit][:3000]
    single = [one for one in dialogues if [turn.role for turn in one.turns] == ["user", "assistant"]]
    prompts = [[{"role": "user", "content": one.turns[0].content}] for one in single]
    asked = [(messages, ids) for messages in prompts if len(ids := prompt_ids(vocabulary, messages)) <= limit - NEW]
    found: dict[str, list[Any]] = {
        "dialogues": fitting,
        "prompts": asked[:1500],
        "pairs": list(rankings(vocabulary, single, 2, 1500, limit)),
        "rankings": list(rankings(vocabulary, single, completions, 1000, limit)),
    }
    (work / "data.json").write_text(json.dumps(found))
    sizes = {
        "dialogues": [len(ids) for ids, _ in found["dialogues"]],
        "prompts": [len(ids) for _, ids in found["prompts"]],
        "completions": [len(ids) for one in found["rankings"] for ids in one["sequences"]],
    }
    return {name: {"count": len(many), "mean": round(sum(many) / len(many), 1)} for name, many in sizes.items()}


def rankings(
    vocabulary: Vocabulary, dialogues: Sequence[Dialogue], completions: int, count: int, limit: int
) -> Iterator[dict[str, Any]]:
    """Prompts with several answers and their places, all sequences of at most `limit` tokens."""
    random = Random(completions)
    for one in dialogues:
        others = random.sample(dialogues, completions - 1)
        answers = [dialogue.turns[1].content for dialogue in (one, *others)]
        pieces = [
            encode_dialogue(vocabulary, Dialogue((one.turns[0], Turn("assistant", text)), "bench")) for text in answers
        ]
        if len(set(answers)) == completions and max(len(ids) for ids, _ in pieces) <= limit:
            places = list(range(completions))
            random.shuffle(places)
            prompt = pieces[0][1].index(1)
            yield {"sequences": [ids for ids, _ in pieces], "places": places, "prompt": prompt}
            count -= 1
            if not count:
                return
