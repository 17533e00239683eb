"""evaluate: the same held-out prompts to every model of the run, side by side, judged where judging is possible."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import torch
from pydantic import Field

from anatomia.base.artifact import Artifact
from anatomia.base.files import read_json, write_json, write_jsonl
from anatomia.base.machine import recall
from anatomia.base.settings import Settings
from anatomia.explain.baselines import MOST, ngram_bits_per_byte, xz_bits_per_byte
from anatomia.explain.predictions import generation
from anatomia.generate.engine import Completion, generate
from anatomia.generate.sampling import Sampling, stream_seed
from anatomia.model.checkpoint import load_scalar
from anatomia.model.decoder import Decoder
from anatomia.objectives.rollout import lay_out, log_probabilities, score_completions
from anatomia.stages.corpus import WorldSettings
from anatomia.stages.dialogues import dialogue_files, load_prompts, messages
from anatomia.stages.models import check_room, open_model, policy_stage
from anatomia.stages.stage import Context, Metrics, Stage
from anatomia.text.dialogue import Dialogue
from anatomia.tokens.dialogue import prompt_ids
from anatomia.tokens.shards import read_shard
from anatomia.tokens.vocabulary import Vocabulary
from anatomia.world import World

NAMES = {"pretrain": "base", "finetune": "finetuned", "align": "aligned"}
RESAMPLES = 2000
ROWS = 32  # sequences scored at a time


class EvaluateSettings(Settings):
    """The section [evaluate].

    Attributes:
        prompts: files (globs) of dialogues, of which the held-out share is asked, or "world" (held-out facts).
        count: how many prompts. temperature: of the sampled answers (the most probable ones are compared as well).
    """

    prompts: tuple[str, ...] = ()
    count: int = Field(default=400, ge=1)
    temperature: float = Field(default=0.7, ge=0)
    max_new: int = Field(default=48, ge=1)


def run(context: Context) -> Metrics:
    """Ask, judge, compare; write every answer."""
    settings, world = context.settings["evaluate"], context.settings["world"]
    assert isinstance(settings, EvaluateSettings)
    assert isinstance(world, WorldSettings)
    models = {NAMES[name]: artifact for name, artifact in context.inputs.items() if name in NAMES}
    drawn = load_prompts(
        settings.prompts, context.root, "evaluate.prompts", world, settings.count, held_out=True, purpose="to evaluate"
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
            "meta": prompt.meta,
        }
        for prompt in prompts
    ]
    total = 2 * len(models)
    for number, (name, artifact) in enumerate(models.items()):
        model, vocabulary = open_model(artifact)
        for place, (kind, temperature) in enumerate((("greedy", 0.0), ("sampled", settings.temperature))):
            answers = ask(model, vocabulary, prompts, temperature, settings.max_new, context.seed)
            for row, prompt, completion in zip(rows, prompts, answers, strict=True):
                row[kind][name] = describe(prompt, completion, vocabulary, judge)
            context.ledger.progress(2 * number + place + 1, total, "passes")
        metrics[name] = figures(rows, name, judge is not None)
        if judge is not None:
            metrics[name] |= further_exactness(judge, model, vocabulary, settings, context.seed)
    names = list(models)
    if judge is not None and len(names) > 1:
        for kind in ("greedy", "sampled"):
            metrics[f"preferred_{kind}"] = preferred(rows, kind, names[-1], names[-2])
    if "aligned" in models:
        metrics |= against_reference(context, prompts, settings)
    write_jsonl(context.work / "answers.jsonl", rows)
    write_json(context.work / "specimens.json", specimens(rows, models, prompts))
    return metrics


def fitting(prompts: list[Dialogue], artifact: Artifact, max_new: int) -> list[Dialogue]:
    """The prompts that leave room for an answer in the model's context."""
    model, vocabulary = open_model(artifact)
    room = model.config.context - max_new
    return [prompt for prompt in prompts if len(prompt_ids(vocabulary, messages(prompt))) <= room]


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


def ask(
    model: Decoder, vocabulary: Vocabulary, prompts: list[Dialogue], temperature: float, max_new: int, seed: int
) -> list[Completion]:
    """One completion per prompt."""
    encoded = [prompt_ids(vocabulary, messages(prompt)) for prompt in prompts]
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
        verdicts = [describe(p, a, vocabulary, judge)["verdict"] for p, a in zip(prompts, answers, strict=True)]
        found[f"exact_{name}"] = round(float(np.mean([verdict["exact"] for verdict in verdicts])), 4)
    return found


def describe(prompt: Dialogue, completion: Completion, vocabulary: Vocabulary, judge: World | None) -> dict[str, Any]:
    """An answer's text and, for questions of the world, its verdict."""
    text = vocabulary.decode(completion.ids)
    found: dict[str, Any] = {"text": text, "finished": completion.finished, "verdict": None}
    if judge is not None and prompt.meta.get("question_id"):
        found["verdict"] = dict(vars(judge.judge(prompt.meta["question_id"], text, completion.finished)))
    return found


def expected(prompt: Dialogue, judge: World | None) -> str:
    """A good answer, where one is known: the world's, or what stands in the file."""
    if judge is not None and prompt.meta.get("question_id"):
        return judge.question(prompt.meta["question_id"]).full
    return str(prompt.meta.get("reference", ""))


def figures(rows: list[dict[str, Any]], name: str, judged: bool) -> Metrics:
    """What one model achieved: share finished, length in characters, and the world's verdicts."""
    found: Metrics = {}
    for kind in ("greedy", "sampled"):
        answers = [row[kind][name] for row in rows]
        part: Metrics = {
            "finished": round(float(np.mean([answer["finished"] for answer in answers])), 4),
            "characters": round(float(np.mean([len(answer["text"]) for answer in answers])), 1),
        }
        if judged:
            verdicts = [(row["meta"], row[kind][name]["verdict"]) for row in rows if row[kind][name]["verdict"]]
            for key in ("exact", "right", "complete", "clean", "score"):
                part[key] = round(float(np.mean([verdict[key] for _, verdict in verdicts])), 4)
            part["exact_by_kind"] = shares([(meta.get("kind", ""), v["exact"]) for meta, v in verdicts])
            part["exact_by_language"] = shares([(meta.get("language", ""), v["exact"]) for meta, v in verdicts])
        found[kind] = part
    return found


def shares(pairs: list[tuple[str, bool]]) -> dict[str, float]:
    """The share of true values for each key."""
    groups: dict[str, list[bool]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(bool(value))
    return {key: round(float(np.mean(values)), 4) for key, values in sorted(groups.items())}


def preferred(rows: list[dict[str, Any]], kind: str, first: str, second: str) -> Metrics:
    """How often the world's judge scores `first` above `second`; ties count half. With a bootstrap 95% interval over
    prompts (Efron 1979)."""
    scores = [(row[kind][first]["verdict"], row[kind][second]["verdict"]) for row in rows]
    points = np.asarray([(a["score"] > b["score"]) + 0.5 * (a["score"] == b["score"]) for a, b in scores if a and b])
    draws = np.random.default_rng(0).integers(0, len(points), (RESAMPLES, len(points)))
    low, high = np.quantile(points[draws].mean(1), [0.025, 0.975])
    return {
        "first": first,
        "second": second,
        "share": round(float(points.mean()), 4),
        "interval": [round(float(low), 4), round(float(high), 4)],
        "wins": int((points == 1).sum()),
        "ties": int((points == 0.5).sum()),
        "losses": int((points == 0).sum()),
    }


@torch.no_grad()
def against_reference(context: Context, prompts: list[Dialogue], settings: EvaluateSettings) -> Metrics:
    """KL(aligned ‖ reference) in nats per completion, from the aligned model's own samples on held-out prompts, and the
    reward model's mean scores of both models' samples."""
    policy, vocabulary = open_model(context.inputs["align"])
    name = "finetune" if "finetune" in context.inputs else "pretrain"
    reference, _ = open_model(context.inputs[name])
    encoded = sorted((prompt_ids(vocabulary, messages(prompt)) for prompt in prompts), key=len)
    seeds = [stream_seed(context.seed, "kl", place) for place in range(len(encoded))]
    reward = load_scalar(context.inputs["reward"].path).to(recall().device).eval()
    record = read_json(context.inputs["reward"].file("normalization.json"))
    found: Metrics = {}
    for key, model in (("aligned", policy), ("reference", reference)):
        completions = generate(model, encoded, seeds, Sampling(1.0, max_new=settings.max_new), 256)
        scores, distances = [], []
        for start in range(0, len(encoded), ROWS):
            part = slice(start, start + ROWS)
            laid_out = lay_out(encoded[part], completions[part], policy.config.padding or 0)
            ids, mask = (tensor.to(recall().device) for tensor in laid_out)
            scores += ((score_completions(reward, ids, mask) - record["mean"]) / record["deviation"]).tolist()
            if key == "aligned":
                mine, theirs = (log_probabilities(one, ids, mask)[0] for one in (policy, reference))
                distances += ((mine - theirs) * mask).sum(1).tolist()
        found[f"reward_{key}"] = round(float(np.mean(scores)), 4)
        if key == "aligned":
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
    grown = generation(model, vocabulary, prompt_ids(vocabulary, prompt), Sampling(0.0, max_new=48))
    return {"questions": questions, "generation": {"prompt": prompt[-1]["content"], "steps": grown}}


def check(recipe: Any, root: Path) -> None:
    dialogue_files(recipe.evaluate.prompts, root, "evaluate.prompts")
    check_room(recipe, root, "evaluate")


STAGE = Stage(
    name="evaluate",
    version=3,
    sections=("evaluate", "world"),
    run=run,
    parents=lambda recipe: (
        "corpus",
        "tokenizer",
        "pretrain",
        *(["finetune"] if policy_stage(recipe) == "finetune" else []),
        *(["reward", "align"] if recipe.align.enabled else []),
    ),
    check=check,
    reads=lambda recipe, root: dialogue_files(recipe.evaluate.prompts, root, "evaluate.prompts"),
)
