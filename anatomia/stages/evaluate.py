"""evaluate: the same held-out prompts to every model of the run, side by side, judged where judging is possible."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import torch
from pydantic import Field, NonNegativeInt

from anatomia.base.artifact import Artifact
from anatomia.base.files import write_json, write_jsonl
from anatomia.base.machine import recall
from anatomia.base.settings import Settings
from anatomia.explain.baselines import MOST, ngram_bits_per_byte, xz_bits_per_byte
from anatomia.explain.predictions import generation
from anatomia.generate.engine import Completion, generate
from anatomia.generate.sampling import Sampling, stream_seed
from anatomia.model.decoder import Decoder
from anatomia.objectives.next_token import batch_loss
from anatomia.objectives.rollout import lay_out, log_probabilities
from anatomia.stages.answers import describe, expected, figures, mean, preferred
from anatomia.stages.corpus import WorldSettings
from anatomia.stages.dialogues import dialogue_files, ids_of, load_demonstrations, load_prompts, messages
from anatomia.stages.finetune import to_shard
from anatomia.stages.models import check_room, open_model, policy_stage
from anatomia.stages.scorers import load_reward_model, needs_reward_model
from anatomia.stages.shots import Shots, answer_after
from anatomia.stages.stage import Context, Metrics, Stage
from anatomia.text.dialogue import Dialogue, Turn
from anatomia.tokens.batches import Packed
from anatomia.tokens.shards import read_shard
from anatomia.tokens.template import BASE, PLAIN
from anatomia.tokens.vocabulary import Vocabulary
from anatomia.world import World

NAMES = {"pretrain": "base", "finetune": "finetuned", "align": "aligned"}
IN_CONTEXT = frozenset(("base", "finetuned"))  # the models that are also asked after demonstrations
SHOWABLE = 2000  # of the world's demonstrations, of which those that are shown are drawn
ROWS = 32  # sequences scored at a time


class EvaluateSettings(Settings):
    """The section [evaluate].

    Attributes:
        prompts: files (globs) of dialogues, of which the held-out share is asked, or "world" (held-out facts).
        count: how many prompts. temperature: of the sampled answers (the most probable ones are compared as well).
        shots: after how many demonstrations the base and the fine-tuned model are asked again.
    """

    prompts: tuple[str, ...] = ()
    count: int = Field(default=400, ge=1)
    temperature: float = Field(default=0.7, ge=0)
    max_new: int = Field(default=48, ge=1)
    shots: tuple[NonNegativeInt, ...] = (0, 4)


def run(context: Context) -> Metrics:
    """Ask, judge, compare; write every answer."""
    settings, world = context.settings["evaluate"], context.settings["world"]
    assert isinstance(settings, EvaluateSettings)
    assert isinstance(world, WorldSettings)
    models = {NAMES[name]: artifact for name, artifact in context.inputs.items() if name in NAMES}
    drawn = load_prompts(
        context, settings.prompts, "evaluate.prompts", settings.count, held_out=True, purpose="to evaluate"
    )
    prompts = fitting(drawn, list(models.values())[-1], settings.max_new)
    metrics: Metrics = {"prompts": len(prompts), "prompts_too_long": len(drawn) - len(prompts), **baselines(context)}
    if not prompts:
        context.ledger.note(
            f"evaluate.prompts: no held-out prompt (of {len(drawn)}) leaves room for evaluate.max_new = "
            f"{settings.max_new}, so the models were asked nothing; give more dialogues"
        )
        write_jsonl(context.work / "answers.jsonl", [])
        return metrics
    judge = World(world.seed) if any(prompt.meta.get("question_id") for prompt in prompts) else None
    rows: list[dict[str, Any]] = [
        {
            "prompt": messages(prompt),
            "expected": expected(prompt, judge),
            "greedy": {},
            "sampled": {},
            "in_context": {},
            "meta": prompt.meta,
        }
        for prompt in prompts
    ]
    shots = to_show(context, settings)
    done, total = 0, 2 * len(models) + len(settings.shots) * len(models.keys() & IN_CONTEXT)
    for name, artifact in models.items():
        model, vocabulary = open_model(artifact)
        for kind, temperature in (("greedy", 0.0), ("sampled", settings.temperature)):
            answers = ask(model, vocabulary, prompts, temperature, settings.max_new, context.seed)
            for row, prompt, completion in zip(rows, prompts, answers, strict=True):
                row[kind][name] = describe(prompt, completion, vocabulary.decode(completion.ids), judge)
            done += 1
            context.ledger.progress(done, total, "passes")
        metrics[name] = {
            kind: figures([prompt.meta for prompt in prompts], [row[kind][name] for row in rows])
            for kind in ("greedy", "sampled")
        }
        metrics[name] |= expected_loss(model, vocabulary, prompts, rows)
        if judge is not None:
            metrics[name] |= further_exactness(judge, model, vocabulary, settings, context.seed)
        if name in IN_CONTEXT and settings.shots:
            metrics[name] |= in_context(name, model, vocabulary, shots, rows, prompts, settings, judge)
            done += len(settings.shots)
            context.ledger.progress(done, total, "passes")
    names = list(models)
    if judge is not None and len(names) > 1:
        for kind in ("greedy", "sampled"):
            metrics[f"preferred_{kind}"] = preferred(rows, kind, names[-1], names[-2])
    if "aligned" in models:
        metrics |= against_reference(context, prompts, settings)
    write_jsonl(context.work / "answers.jsonl", rows)
    write_json(context.work / "specimens.json", specimens(rows, models, prompts) | shown_in_context(rows, settings))
    return metrics


def fitting(prompts: list[Dialogue], artifact: Artifact, max_new: int) -> list[Dialogue]:
    """The prompts that leave room for an answer in the model's context."""
    model, vocabulary = open_model(artifact)
    room = model.config.context - max_new
    return [prompt for prompt in prompts if len(ids_of(vocabulary, prompt)) <= room]


def baselines(context: Context) -> Metrics:
    """Bits per byte of the base model on held-out text beside what simple models achieve there: `xz -9e`, which knows
    nothing else, and 5-grams of (at most `MOST` of) the tokens that the base model learnt from."""
    texts = pyarrow.parquet.read_table(context.inputs["corpus"].file("validation.parquet"), columns=["text"])
    tokenizer = context.inputs["tokenizer"]
    size, count = tokenizer.metrics["validation_bytes"], tokenizer.metrics["vocabulary"]
    if not size:
        return {}
    train, validation = (read_shard(tokenizer.path, name) for name in ("train", "validation"))
    found = {
        "xz_bits_per_byte": round(xz_bits_per_byte(texts["text"].to_pylist()), 5),
        "ngram_bits_per_byte": round(ngram_bits_per_byte(train, validation, size, count), 5),
        "base_bits_per_byte": context.inputs["pretrain"].metrics["bits_per_byte"],
        "validation_bytes": size,
        "ngram_tokens": min(len(train.tokens), MOST),
    }
    return {"baselines": found}


def to_show(context: Context, settings: EvaluateSettings) -> Shots:
    """Demonstrations for the prompts, drawn from what is not held out."""
    patterns = settings.prompts if any(settings.shots) else ()
    found = load_demonstrations(context, patterns, "evaluate.prompts", SHOWABLE)
    return Shots(found, max(settings.shots, default=0), context.seed)


def ask(
    model: Decoder, vocabulary: Vocabulary, prompts: list[Dialogue], temperature: float, max_new: int, seed: int
) -> list[Completion]:
    """One completion per prompt."""
    encoded = [ids_of(vocabulary, prompt) for prompt in prompts]
    seeds = [stream_seed(seed, "evaluate", place) for place in range(len(prompts))]
    return generate(model, encoded, seeds, Sampling(temperature, max_new=max_new), 256)


def further_exactness(
    judge: World, model: Decoder, vocabulary: Vocabulary, settings: EvaluateSettings, seed: int
) -> Metrics:
    """The share of exact greedy answers to other questions of the world: facts that were asked about in training but in
    words that were not, and sums that occur nowhere."""
    found = {}
    for name, split, kind in (("new_wording", "new_wording", "fact"), ("arithmetic", "held_out", "arithmetic")):
        prompts = judge.prompts(split, stream_seed(judge.seed, "to evaluate", name), settings.count // 2 or 1, kind)
        answers = ask(model, vocabulary, prompts, 0.0, settings.max_new, seed)
        texts = [vocabulary.decode(answer.ids) for answer in answers]
        verdicts = [
            describe(prompt, answer, text, judge)["verdict"]
            for prompt, answer, text in zip(prompts, answers, texts, strict=True)
        ]
        found[f"exact_{name}"] = round(float(np.mean([verdict["exact"] for verdict in verdicts])), 4)
    return found


@torch.no_grad()
def expected_loss(
    model: Decoder, vocabulary: Vocabulary, prompts: list[Dialogue], rows: list[dict[str, Any]]
) -> Metrics:
    """Mean loss in nats per token of the expected answers and their ends, after their prompts; {} if none is known."""
    told = [
        Dialogue(
            (*(Turn(one["role"], one["content"]) for one in row["prompt"]), Turn("assistant", row["expected"])), ""
        )
        for row in rows
        if row["expected"]
    ]
    shard, _, _ = to_shard(told, vocabulary, model.config.context)
    if not len(shard):
        return {}
    total = weight = 0.0
    for batch in Packed(shard, model.config.context, ROWS, 0, vocabulary.padding or 0).once():
        total += float(batch_loss(model, batch, batch.weights))
        weight += float(batch.weights.sum())
    return {"loss": round(total / weight, 5)}


def in_context(
    name: str,
    model: Decoder,
    vocabulary: Vocabulary,
    shots: Shots,
    rows: list[dict[str, Any]],
    prompts: list[Dialogue],
    settings: EvaluateSettings,
    judge: World | None,
) -> Metrics:
    """The model's answers after each number of demonstrations, put into the rows, and their figures."""
    as_text = name == "base" and vocabulary.template in (BASE, PLAIN)
    found: Metrics = {}
    for count in settings.shots:
        shown, answers = [], []
        answered = answer_after(model, vocabulary, as_text, shots, count, prompts, settings.max_new)
        for row, prompt, (asked, completion, text) in zip(rows, prompts, answered, strict=True):
            shown.append(asked.shown)
            answers.append(describe(prompt, completion, text, judge))
            row["in_context"].setdefault(str(count), {})[name] = {"asked": asked.text, **answers[-1]}
        found[str(count)] = {"shown": mean(shown), **figures([prompt.meta for prompt in prompts], answers)}
    return {"in_context": found}


@torch.no_grad()
def against_reference(context: Context, prompts: list[Dialogue], settings: EvaluateSettings) -> Metrics:
    """KL(aligned ‖ reference) in nats per completion, from the aligned model's own samples on held-out prompts, and,
    where there is a reward model, its mean scores of both models' samples."""
    policy, vocabulary = open_model(context.inputs["align"])
    name = "finetune" if "finetune" in context.inputs else "pretrain"
    reference, _ = open_model(context.inputs[name])
    encoded = sorted((ids_of(vocabulary, prompt) for prompt in prompts), key=len)
    seeds = [stream_seed(context.seed, "kl", place) for place in range(len(encoded))]
    reward = load_reward_model(context.inputs["reward"]) if "reward" in context.inputs else None
    found: Metrics = {}
    written = {
        key: generate(model, encoded, seeds, Sampling(1.0, max_new=settings.max_new), 256)
        for key, model in (("aligned", policy), ("reference", reference))
    }
    if reward is not None:
        found |= {f"reward_{key}": round(float(reward(encoded, some).mean()), 4) for key, some in written.items()}
    distances: list[float] = []
    for start in range(0, len(encoded), ROWS):
        part = slice(start, start + ROWS)
        laid_out = lay_out(encoded[part], written["aligned"][part], policy.config.padding or 0)
        ids, mask = (tensor.to(recall().device) for tensor in laid_out)
        mine, theirs = (log_probabilities(one, ids, mask)[0] for one in (policy, reference))
        distances += ((mine - theirs) * mask).sum(1).tolist()
    found["kl_to_reference"] = round(float(np.mean(distances)), 4)
    if len(distances) > 1:
        error = float(np.std(distances, ddof=1)) / len(distances) ** 0.5
        found["kl_to_reference_error"] = round(error, 4)
    return found


def specimens(rows: list[dict[str, Any]], models: dict[str, Artifact], prompts: list[Dialogue]) -> dict[str, Any]:
    """A dozen questions with everybody's answers, and one answer of the last model growing token by token."""
    step = max(1, len(rows) // 12)
    questions = [
        {
            "prompt": row["prompt"][-1]["content"],
            "language": row["meta"].get("language", ""),
            "expected": row["expected"],
            "answers": row["greedy"],
        }
        for row in rows[::step][:12]
    ]
    model, vocabulary = open_model(list(models.values())[-1])
    prompt = messages(prompts[0])
    grown = generation(model, vocabulary, ids_of(vocabulary, prompts[0]), Sampling(0.0, max_new=48))
    return {"questions": questions, "generation": {"prompt": prompt[-1]["content"], "steps": grown}}


def shown_in_context(rows: list[dict[str, Any]], settings: EvaluateSettings) -> dict[str, Any]:
    """What the base model read of a prompt of middling length with the most demonstrations, and its answer."""
    most = str(max(settings.shots, default=0))
    read = [row["in_context"][most]["base"] for row in rows if most in row["in_context"]]
    read.sort(key=lambda one: len(one["asked"]))
    middle = read[len(read) // 2] if read else None
    return {"in_context": {"asked": middle["asked"], "answer": middle["text"]}} if middle else {}


def check(recipe: Any, root: Path) -> None:
    dialogue_files(recipe.evaluate.prompts, root, "evaluate.prompts")
    check_room(recipe, root, "evaluate")


STAGE = Stage(
    name="evaluate",
    version=4,
    sections=("evaluate", "world", "instructions"),
    run=run,
    parents=lambda recipe: (
        "corpus",
        "tokenizer",
        "pretrain",
        *(["finetune"] if policy_stage(recipe) == "finetune" else []),
        *(["reward"] if recipe.align.enabled and needs_reward_model(recipe) else []),
        *(["align"] if recipe.align.enabled else []),
    ),
    check=check,
    reads=lambda recipe, root: dialogue_files(recipe.evaluate.prompts, root, "evaluate.prompts"),
)
