"""What a model thinks comes next: candidates with their probabilities, along a text or while it writes."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from anatomia.generate.engine import decode
from anatomia.generate.sampling import Sampling
from anatomia.model.decoder import Decoder
from anatomia.tokens.vocabulary import Vocabulary

Specimen = dict[str, Any]


def candidates(logits: Tensor, vocabulary: Vocabulary, count: int = 5) -> list[Specimen]:
    """The `count` most probable next tokens: [{"token", "probability"}], best first. logits: [V]."""
    best = torch.softmax(logits.float(), -1).topk(min(count, logits.shape[-1]))
    pieces = [vocabulary.pieces([token])[0] for token in best.indices.tolist()]
    values = best.values.tolist()
    return [{"token": p, "probability": round(v, 4)} for p, v in zip(pieces, values, strict=True)]


@torch.inference_mode()
def window(model: Decoder, vocabulary: Vocabulary, ids: Sequence[int], lengths: Sequence[int]) -> Specimen:
    """A training window: for each prefix length, the token that follows and what the model expected there."""
    logits = model(torch.tensor([list(ids)]))[0]
    pieces = vocabulary.pieces(ids)
    predictions = [
        {"context": length, "next": pieces[length], "candidates": candidates(logits[length - 1], vocabulary)}
        for length in lengths
        if 0 < length < len(ids)
    ]
    return {"tokens": pieces, "predictions": predictions}


def generation(
    model: Decoder, vocabulary: Vocabulary, prompt: Sequence[int], sampling: Sampling, seed: int = 0
) -> list[Specimen]:
    """A completion growing token by token: [{"token", "candidates"}], the end token included if it came."""
    return [
        {"token": vocabulary.pieces(step.ids)[0], "candidates": candidates(step.logits[0], vocabulary)}
        for step in decode(model, [prompt], [seed], sampling)
    ]
