"""pretrain: a base model that only guesses the next token, from the corpus's shards."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import ConfigDict, Field
from torch import nn

from anatomia.base.errors import UserError
from anatomia.base.events import Ledger
from anatomia.base.files import write_json
from anatomia.base.machine import recall
from anatomia.base.settings import Settings
from anatomia.explain.predictions import window
from anatomia.explain.specimens import samples_on_the_way
from anatomia.generate.engine import generate
from anatomia.generate.sampling import Sampling, stream_seed
from anatomia.model.adapters_files import base_of
from anatomia.model.checkpoint import check_vocabulary, load_config, load_model
from anatomia.model.config import DecoderConfig
from anatomia.model.decoder import Decoder
from anatomia.objectives.next_token import NextToken, batch_loss
from anatomia.stages.models import (
    TrainingSettings,
    context_of,
    fuse,
    limit_of,
    loop_settings,
    save,
    training_metrics,
    with_template,
)
from anatomia.stages.stage import Context, Metrics, Stage
from anatomia.tokens.batches import Packed
from anatomia.tokens.shards import Shard, read_shard
from anatomia.tokens.template import BASE, OURS
from anatomia.tokens.vocabulary import Vocabulary
from anatomia.train.loop import train
from anatomia.train.objective import Sums


class ModelSettings(Settings):
    """The section [model]: the shape of the decoder (Qwen3's layout).

    Attributes:
        hidden: width of the feed-forward; by default 8/3 of `width`, rounded up to a multiple of 64.
        head_size: by default width / heads.
        context: the largest number of tokens the model ever sees at once.
        tied: whether the output matrix is the embedding.
    """

    layers: int = Field(default=4, ge=1)
    width: int = Field(default=256, ge=8)
    heads: int = Field(default=4, ge=1)
    kv_heads: int | None = None
    head_size: int | None = None
    hidden: int | None = None
    context: int = Field(default=256, ge=8, le=1 << 20)
    rope_theta: float = 10000.0
    tied: bool = True

    def decoder(self, vocabulary: Vocabulary) -> DecoderConfig:
        """The configuration of a decoder for `vocabulary`."""
        shape, end = self.shape(vocabulary.size), (vocabulary.end,)
        return replace(shape, begin=vocabulary.begin, end=end, padding=vocabulary.padding)

    def shape(self, tokens: int) -> DecoderConfig:
        """The configuration of a decoder for a vocabulary of so many tokens."""
        return DecoderConfig(
            vocabulary=math.ceil(tokens / 8) * 8,
            width=self.width,
            layers=self.layers,
            heads=self.heads,
            kv_heads=self.kv_heads or self.heads,
            head_size=self.head_size or self.width // self.heads,
            hidden=self.hidden or math.ceil(self.width * 8 / 3 / 64) * 64,
            context=self.context,
            rope_theta=self.rope_theta,
            tied=self.tied,
        )


class PretrainSettings(TrainingSettings):
    """The section [pretrain].

    Attributes:
        from_: (`from`) a model directory to go on from instead of fresh weights; with `steps = 0` it is used as it is.
        steps: updates. batch: rows of `context` tokens per update. context: by default the model's.
        validate_every: steps between looks at validation loss and samples.
    """

    model_config = ConfigDict(populate_by_name=True)

    from_: str | None = Field(default=None, alias="from")
    steps: int = Field(default=1500, ge=0, le=10**9)
    batch: int = Field(default=16, ge=1)
    context: int | None = Field(default=None, ge=8, le=1 << 20)
    optimizer: Literal["adamw", "muon"] = "muon"
    learning_rate: float = Field(default=3e-3, gt=0)
    validate_every: int = Field(default=250, ge=1)


def run(context: Context) -> Metrics:
    """Train the base model and keep what a reader will want to see of it."""
    settings, shape = context.settings["pretrain"], context.settings["model"]
    assert isinstance(settings, PretrainSettings)
    assert isinstance(shape, ModelSettings)
    tokenizer = context.inputs["tokenizer"]
    vocabulary = Vocabulary.load(tokenizer.path)
    if settings.from_ is not None:
        model = load_model(context.root / settings.from_)
    else:
        model = Decoder(shape.decoder(vocabulary))
        model.initialize(torch.Generator().manual_seed(stream_seed(context.seed, "weights")))
    model.to(recall().device)
    length = settings.context or model.config.context
    data = Packed(read_shard(tokenizer.path, "train"), length, settings.batch, context.seed, vocabulary.padding or 0)
    watch = Watch(read_shard(tokenizer.path, "validation"), vocabulary, data, settings, context.ledger)
    watch.bytes = tokenizer.metrics["validation_bytes"]
    trained: dict[str, Any] = {"steps": 0}
    if settings.steps:
        objective = NextToken(data, settings.micro_batch, watch)
        fuse(model, length, settings.steps * settings.batch * length, context.ledger)
        loop = loop_settings(settings, settings.steps, limit_of(model.config, length))
        trained = train(model, objective, loop, context.ledger, context.resume)
    model.eval()
    loss, bits = watch.validate(model, whole=True)
    samples = watch.samples(model, settings.steps)
    template = BASE if vocabulary.template == OURS else vocabulary.template
    save(context.work, model, with_template(vocabulary, template))
    write_json(context.work / "specimens.json", specimens(model, vocabulary, data, watch, samples, context.work))
    return {
        "parameters": model.config.parameters(),
        "context": length,
        "epochs": round(settings.steps / data.steps_per_epoch, 3),
        "validation_loss": round(loss, 5),
        "bits_per_byte": round(bits, 5),
        **training_metrics(trained),
    }


class Watch:
    """Looks at the model on the way: validation loss, bits per byte, and how it continues a few beginnings."""

    bytes: int = 0

    def __init__(
        self, shard: Shard, vocabulary: Vocabulary, data: Packed, settings: PretrainSettings, ledger: Ledger
    ) -> None:
        self.shard, self.vocabulary, self.settings, self.ledger = shard, vocabulary, settings, ledger
        self.data = Packed(shard, data.context, data.rows, 0, data.padding) if len(shard) else None
        self.prompts = beginnings(shard, vocabulary)

    def __call__(self, model: nn.Module, step: int) -> Sums:
        assert isinstance(model, Decoder)
        done = step + 1
        if done % self.settings.validate_every == 0 and done < self.settings.steps:
            model.eval()
            loss, bits = self.validate(model, whole=False)
            self.ledger.event("validation", step=done, loss=round(loss, 5), bits_per_byte=round(bits, 5))
            for sample in self.samples(model, done):
                self.ledger.event("sample", **sample)
            model.train()
        return {}

    @torch.no_grad()
    def validate(self, model: Decoder, whole: bool) -> tuple[float, float]:
        """Mean loss in nats per token and bits per byte, over all of the validation documents or their first rows.

        Bits per byte count the loss of every token, end tokens included, over the bytes of the text.
        """
        if self.data is None:
            return math.nan, math.nan
        total = weight = 0.0
        for number, batch in enumerate(self.data.once()):
            if not whole and number >= 8:
                break
            total += float(batch_loss(model, batch, batch.weights))
            weight += float(batch.weights.sum())
        mean = total / weight
        return mean, mean * self.data.tokens_per_epoch / math.log(2) / max(self.bytes, 1)

    def samples(self, model: Decoder, step: int) -> list[dict[str, Any]]:
        """Continuations of a few beginnings of validation documents."""
        sampling = Sampling(temperature=0.7, max_new=min(48, model.config.context // 2))
        seeds = [stream_seed(0, "sample on the way", number) for number in range(len(self.prompts))]
        found = generate(model, self.prompts, seeds, sampling) if self.prompts else []
        decode = self.vocabulary.decode
        return [
            {"step": step, "prompt": decode(prompt), "text": decode(completion.ids)}
            for prompt, completion in zip(self.prompts, found, strict=True)
        ]


def beginnings(shard: Shard, vocabulary: Vocabulary, count: int = 4, length: int = 6) -> list[list[int]]:
    """The first few tokens of some validation documents, spread over the shard."""
    if not len(shard):
        return []
    chosen = [number * len(shard) // count for number in range(min(count, len(shard)))]
    prompts = [shard.document(number)[:length].tolist() for number in chosen]
    return [[token for token in prompt if token != vocabulary.end] for prompt in prompts]


def specimens(
    model: Decoder, vocabulary: Vocabulary, data: Packed, watch: Watch, samples: list[dict[str, Any]], work: Path
) -> dict[str, Any]:
    """Training windows with what the finished model expects, one packed row, and all samples from the way."""
    batch = data.batch(0)
    windows = []
    for number in range(min(3, len(watch.shard))):
        ids = watch.shard.document(number * len(watch.shard) // 3)[: min(40, model.config.context)].tolist()
        windows.append(window(model, vocabulary, ids, [2, 4, 8, 12, 16, 24, 32]))
    row = {"tokens": vocabulary.pieces(batch.ids[0].tolist())}
    row |= {"documents": batch.documents[0].tolist(), "positions": batch.positions[0].tolist()}
    return {"windows": windows, "packed": row, "samples": samples_on_the_way(work, samples)}


def check(recipe: Any, root: Path) -> None:
    settings, shape = recipe.pretrain, recipe.model
    limit, key = context_of(recipe, root)
    if settings.from_ is not None:
        if recipe.tokenizer.from_ is None:
            name = settings.from_
            raise UserError(f"pretrain.from = {name!r} needs that model's own tokens; set tokenizer.from = {name!r}")
        vocabulary = Vocabulary.load(root / recipe.tokenizer.from_)
        check_vocabulary(load_config(root / settings.from_), vocabulary.size, settings.from_)
    if settings.context is not None and settings.context > limit:
        raise UserError(f"pretrain.context = {settings.context} is longer than {key} = {limit}; lower it")
    if settings.from_ is None:
        heads, kv = shape.heads, shape.kv_heads or shape.heads
        if heads % kv:
            raise UserError(f"model.heads = {heads} is not a multiple of model.kv_heads = {kv}; change one of them")
        size = shape.head_size or shape.width // heads
        if size % 2 or (shape.head_size is None and shape.width % heads):
            raise UserError(f"model.width = {shape.width} over model.heads = {heads} gives no even head size")


def reads(recipe: Any, root: Path) -> list[Path]:
    """The files of a model to go on from."""
    if recipe.pretrain.from_ is None:
        return []
    directory = root / recipe.pretrain.from_
    kinds = ("*.json", "*.safetensors", "*.bin", "adapter/*.json", "adapter/*.safetensors")
    return sorted({path for place in (directory, base_of(directory)) for kind in kinds for path in place.glob(kind)})


STAGE = Stage(
    name="pretrain",
    version=1,
    sections=("model", "pretrain"),
    run=run,
    parents=lambda recipe: ("tokenizer",),
    check=check,
    reads=reads,
    trains=lambda recipe: recipe.pretrain.steps > 0,
)
