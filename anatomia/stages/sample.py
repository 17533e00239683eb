"""sample: several completions per prompt, for people (or simulated rankers) to rank."""

from collections import Counter
from pathlib import Path
from typing import Any

from pydantic import Field

from anatomia.base.errors import UserError
from anatomia.base.files import digest, write_json, write_jsonl
from anatomia.base.settings import Settings
from anatomia.generate.engine import Completion, generate
from anatomia.generate.sampling import Sampling, stream_seed
from anatomia.stages.dialogues import dialogue_files, ids_of, load_prompts, messages
from anatomia.stages.models import check_room, open_model, policy_stage
from anatomia.stages.scorers import needs_rankings
from anatomia.stages.stage import Context, Metrics, Stage
from anatomia.text.dialogue import Dialogue
from anatomia.tokens.vocabulary import Vocabulary

CHUNK = 128  # prompts between two reports of progress


class SampleSettings(Settings):
    """The section [sample].

    Attributes:
        prompts: files (globs) of dialogues, whose prompts are taken, or "world".
        count: how many prompts. completions: how many answers to each.
    """

    prompts: tuple[str, ...] = ()
    count: int = Field(default=600, ge=1)
    completions: int = Field(default=4, ge=2)
    temperature: float = Field(default=1.0, gt=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    max_new: int = Field(default=48, ge=1)


def run(context: Context) -> Metrics:
    """Write the completions with their log-probabilities."""
    settings = context.settings["sample"]
    assert isinstance(settings, SampleSettings)
    (parent,) = context.inputs.values()
    model, vocabulary = open_model(parent)
    prompts = load_prompts(
        context, settings.prompts, "sample.prompts", settings.count, held_out=False, purpose="to rank"
    )
    sampling = Sampling(settings.temperature, top_p=settings.top_p, max_new=settings.max_new)
    rows: list[dict[str, Any]] = []
    completions: list[Completion] = []
    left_out = 0
    for start in range(0, len(prompts), CHUNK):
        part = [(prompt, ids_of(vocabulary, prompt)) for prompt in prompts[start : start + CHUNK]]
        fitting = [(prompt, ids) for prompt, ids in part if len(ids) + settings.max_new <= model.config.context]
        left_out += len(part) - len(fitting)
        copies = [ids for _, ids in fitting for _ in range(settings.completions)]
        names = [prompt_name(prompt) for prompt, _ in fitting]
        seeds = [
            stream_seed(context.seed, "sample", name, number)
            for name in names
            for number in range(settings.completions)
        ]
        found = generate(model, copies, seeds, sampling, rows=256) if copies else []
        completions += found
        for place, (prompt, _) in enumerate(fitting):
            group = found[place * settings.completions : (place + 1) * settings.completions]
            rows.append(record(names[place], prompt, group, vocabulary))
        context.ledger.progress(min(start + CHUNK, len(prompts)), len(prompts), "prompts")
    if not rows:
        raise UserError(
            f"sample.prompts: no prompt (of {len(prompts)}) leaves room for sample.max_new = {settings.max_new}"
        )
    write_jsonl(context.work / "samples.jsonl", rows)
    write_json(context.work / "specimens.json", {"prompts": [specimen(row, vocabulary) for row in rows[:6]]})
    distinct = [len({completion["text"] for completion in row["completions"]}) for row in rows]
    return {
        "prompts": len(rows),
        "prompts_too_long": left_out,
        "completions": len(completions),
        "finished_share": round(sum(c.finished for c in completions) / len(completions), 4),
        "mean_length": round(sum(len(c.ids) for c in completions) / len(completions), 2),
        "mean_distinct": round(sum(distinct) / len(distinct), 3),
        "languages": dict(Counter(row["meta"].get("language", "") for row in rows)),
    }


def prompt_name(prompt: Dialogue) -> str:
    """A prompt's id: a digest of its messages."""
    return digest(messages(prompt))[:16]


def record(name: str, prompt: Dialogue, group: list[Completion], vocabulary: Vocabulary) -> dict[str, Any]:
    """One line of `samples.jsonl`."""
    written = [
        {
            "text": vocabulary.decode(completion.ids),
            "ids": completion.ids,
            "logprobs": [round(value, 5) for value in completion.logprobs],
            "finished": completion.finished,
        }
        for completion in group
    ]
    meta = prompt.meta | {"source": prompt.source}
    return {"prompt_id": name, "prompt": messages(prompt), "completions": written, "meta": meta}


def specimen(row: dict[str, Any], vocabulary: Vocabulary) -> dict[str, Any]:
    """A prompt and its completions, token by token."""
    completions = []
    for completion in row["completions"]:
        pieces = vocabulary.pieces(completion["ids"])
        tokens = [{"text": p, "logprob": v} for p, v in zip(pieces, completion["logprobs"], strict=True)]
        completions.append({"text": completion["text"], "tokens": tokens, "finished": completion["finished"]})
    return {"prompt": row["prompt"][-1]["content"], "completions": completions}


def check(recipe: Any, root: Path) -> None:
    if not recipe.sample.prompts:
        raise UserError('sample.prompts = [] is empty; name files of dialogues or "world"')
    dialogue_files(recipe.sample.prompts, root, "sample.prompts")
    check_room(recipe, root, "sample")


STAGE = Stage(
    name="sample",
    version=2,
    sections=("sample", "world", "instructions"),
    run=run,
    parents=lambda recipe: (policy_stage(recipe),),
    enabled=needs_rankings,
    check=check,
    reads=lambda recipe, root: dialogue_files(recipe.sample.prompts, root, "sample.prompts"),
)
