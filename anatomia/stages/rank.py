"""rank: completions put in order by simulated rankers, people or files, and the stars that follow from the orders."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, field_validator

from anatomia.base.errors import UserError
from anatomia.base.files import read_jsonl, typed, write_json, write_jsonl
from anatomia.base.globs import expand
from anatomia.base.settings import Settings
from anatomia.feedback.agreement import annotators_agreement, kendall_tau_b, order_kappas, rankings_agreement
from anatomia.feedback.ranked import Annotator, Ranked, believed, by_prompt, score, who_ranked
from anatomia.feedback.ranking import Candidates, Ranking
from anatomia.feedback.sources import read_rankings
from anatomia.feedback.store import STORE, RankingStore
from anatomia.stages.corpus import WorldSettings
from anatomia.stages.scorers import needs_rankings
from anatomia.stages.stage import Context, Metrics, Stage
from anatomia.text.dialogue import Dialogue
from anatomia.world import SimulatedRankers, World

WORLD = "world"
SPECIMENS = 8


class RankSettings(Settings):
    """The section [rank]."""

    by: tuple[Literal["simulated", "people", "files"], ...] = Field(
        ("simulated",),
        min_length=1,
        description="who ranks: simulated rankers (who know the made-up world only), people (`anatomia rank`), files",
    )
    rankings: tuple[str, ...] = Field((), description="paths or globs of files of rankings, pairs or star ratings")
    simulated_rankers: int = Field(
        4, ge=1, description="how many simulated rankers put each prompt's completions in order"
    )
    held_out_fraction: float = Field(
        0.1, ge=0, lt=1, description="share of the prompts that the reward model is tested on and never learns from"
    )

    @field_validator("by")
    @classmethod
    def _once(cls, by: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(by)) < len(by):
            raise ValueError("names one twice")
        return by


def run(context: Context) -> Metrics:
    """Write the rankings and the stars."""
    settings = context.settings["rank"]
    assert isinstance(settings, RankSettings)
    remarks: Counter[str] = Counter()
    rankings = list(read_rankings(ranking_files(settings, context.root), remarks))
    people = rankings_of_people(context.work.parent)
    rankings += people
    if "simulated" in settings.by:
        rankings += simulated(context, settings, {ranking.candidates.key for ranking in people}, remarks)
    if not rankings:
        raise UserError(nothing_ranked(settings, context.work.parent))
    prompts = by_prompt(rankings)
    fit, annotators = believed(prompts)
    ranked = score(
        prompts,
        settings.held_out_fraction,
        lambda done, total: context.ledger.progress(done, total, "prompts scored"),
        fit,
    )
    pairs = annotators_agreement(
        [[ranking.groups for ranking in one.rankings] for one in ranked],
        [[ranking.annotator for ranking in one.rankings] for one in ranked],
        [len(one.candidates.completions) for one in ranked],
    )
    write_jsonl(context.work / "rankings.jsonl", lines_of_rankings(ranked))
    write_jsonl(context.work / "stars.jsonl", map(line_of_stars, ranked))
    shown = sorted(ranked, key=lambda one: (-len(one.rankings), -len(one.candidates.completions), one.candidates.key))
    write_json(context.work / "specimens.json", {"rankings": [specimen(one) for one in shown[:SPECIMENS]]})
    write_json(context.work / "annotators.json", who_ranked(annotators, pairs))
    return metrics(ranked, annotators, pairs, remarks)


def ranking_files(settings: RankSettings, root: Path) -> list[Path]:
    """The files of rankings that the recipe names.

    Raises:
        UserError: a pattern matches nothing, or `by` and `rankings` contradict each other.
    """
    patterns = [pattern for pattern in settings.rankings if pattern != WORLD]
    if patterns and "files" not in settings.by:
        raise UserError(
            f'rank.rankings names files, but rank.by = {list(settings.by)} does not; add "files" to rank.by'
        )
    if not patterns and "files" in settings.by:
        raise UserError('rank.by has "files", but rank.rankings names none; name some or take "files" out')
    return expand(patterns, root, "rank.rankings")


def rankings_of_people(run: Path) -> list[Ranking]:
    """What people ranked in this run's own store, if it has one."""
    return RankingStore(run / STORE).rankings() if (run / STORE).is_file() else []


def simulated(
    context: Context, settings: RankSettings, ranked_by_people: set[str], remarks: Counter[str]
) -> Iterator[Ranking]:
    """The simulated rankers' rankings of the samples; where people ranked, they keep silent."""
    world = context.settings["world"]
    assert isinstance(world, WorldSettings)
    rankers = SimulatedRankers(World(world.seed), settings.simulated_rankers, context.seed)
    samples = list(read_jsonl(context.inputs["sample"].file("samples.jsonl")))
    for done, sample in enumerate(samples, 1):
        candidates = Candidates.from_sample(sample)
        if "question_id" not in sample["meta"]:
            remarks["prompts that the simulated rankers know nothing about"] += 1
        elif candidates.key not in ranked_by_people:
            prompt = Dialogue.from_json({"messages": sample["prompt"], "meta": sample["meta"]})
            finished = [completion["finished"] for completion in sample["completions"]]
            yield from rankers.rank(prompt, list(candidates.completions), finished, candidates.prompt_id)
        context.ledger.progress(done, len(samples), "prompts")


def nothing_ranked(settings: RankSettings, run: Path) -> str:
    """One line that says why there is no ranking, and the way out."""
    if settings.by == ("people",):
        return (
            f"rank.by = ['people'], but nobody has ranked yet: rank with `anatomia rank {typed(run)}`, then run again"
        )
    if "files" in settings.by:
        return f"rank.rankings = {list(settings.rankings)} holds no ranking that can be used; name other files"
    return (
        "no prompt was ranked: the simulated rankers only know the made-up world's questions; rank yourself with "
        f"`anatomia rank {typed(run)}`, then run again, or name files in rank.rankings"
    )


def lines_of_rankings(ranked: Sequence[Ranked]) -> Iterator[dict[str, Any]]:
    """The lines of rankings.jsonl."""
    for one in ranked:
        for ranking in one.rankings:
            yield ranking.to_json() | {"split": one.split}


def line_of_stars(one: Ranked) -> dict[str, Any]:
    """A line of stars.jsonl."""
    return {
        "prompt_id": one.candidates.prompt_id,
        "prompt": list(one.candidates.prompt),
        "completions": list(one.candidates.completions),
        "annotators": len(one.rankings),
        "split": one.split,
        **one.stars(),
        "davidson_interval": one.between(),
    }


def specimen(one: Ranked) -> dict[str, Any]:
    """A prompt with everyone's order of its completions and the stars they became."""
    prompt = one.candidates.prompt
    return {
        "prompt": prompt[0]["content"]
        if len(prompt) == 1
        else "\n\n".join(f"{m['role']}: {m['content']}" for m in prompt),
        "completions": list(one.candidates.completions),
        "annotators": [{"name": r.annotator, "groups": [list(group) for group in r.groups]} for r in one.rankings],
        **one.stars(),
    }


def metrics(
    ranked: Sequence[Ranked], annotators: Sequence[Annotator], pairs: Sequence[dict[str, Any]], remarks: Counter[str]
) -> Metrics:
    """What stands in artifact.json."""
    rankings = [ranking for one in ranked for ranking in one.rankings]
    kinds = Counter(annotator_kind(ranking.annotator) for ranking in rankings)
    ordered = sum(len(ranking.pairs()) for ranking in rankings)
    tied = sum(len(group) * (len(group) - 1) // 2 for ranking in rankings for group in ranking.groups)
    taus = [kendall_tau_b(one.linear, one.bradley_terry) for one in ranked]
    taus = [tau for tau in taus if not np.isnan(tau)]
    agreement = rankings_agreement(
        [[ranking.groups for ranking in one.rankings] for one in ranked],
        [len(one.candidates.completions) for one in ranked],
    )
    agreement |= order_kappas(
        [[ranking.groups for ranking in one.rankings] for one in ranked],
        [len(one.candidates.completions) for one in ranked],
    )
    kappas = [pair["cohen_kappa"] for pair in pairs if pair["cohen_kappa"] is not None]
    agreement["cohen_kappa"] = float(np.mean(kappas)) if kappas else None
    return {
        "prompts": len(ranked),
        "held_out_prompts": sum(one.split == "held_out" for one in ranked),
        "rankings": len(rankings),
        "rankings_by": dict(kinds),
        "annotators": len({ranking.annotator for ranking in rankings}),
        "completions": sum(len(one.candidates.completions) for one in ranked),
        "tied_share": round(tied / (tied + ordered), 4) if tied + ordered else None,
        **{name: None if value is None else round(value, 4) for name, value in agreement.items()},
        "linear_bradley_terry_tau": round(float(np.mean(taus)), 4) if taus else None,
        "careless_annotators": [one.name for one in annotators if one.careless],
        "contrary_annotators": [one.name for one in annotators if one.contrary],
        "remarks": dict(remarks),
    }


def annotator_kind(annotator: str) -> str:
    """simulated, files or people, by the annotator's name."""
    kind = annotator.partition(":")[0]
    return {"simulated": "simulated", "file": "files"}.get(kind, "people")


def check(recipe: Any, root: Path) -> None:
    """What can be known to be wrong before the run."""
    ranking_files(recipe.rank, root)
    if recipe.rank.by == ("simulated",) and WORLD not in recipe.sample.prompts:
        raise UserError(
            'rank.by = ["simulated"], but the simulated rankers only know the made-up world and sample.prompts has no '
            '"world"; set rank.by = ["people"] to rank yourself, or ["files"] and rank.rankings'
        )


STAGE = Stage(
    name="rank",
    version=2,
    sections=("rank", "world"),
    run=run,
    parents=lambda recipe: ("sample",) if "simulated" in recipe.rank.by else (),
    enabled=needs_rankings,
    check=check,
    reads=lambda recipe, root: ranking_files(recipe.rank, root),
    run_files=(STORE, f"{STORE}-wal"),  # the second is there while someone ranks, or after a ranker was killed
)
