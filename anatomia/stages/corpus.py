"""The corpus stage: from the files a recipe names, and the made-up world, to clean and distinct documents."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import Field

from anatomia.base.errors import UserError
from anatomia.base.files import write_json
from anatomia.base.settings import Settings
from anatomia.stages.stage import Context, Metrics, Stage
from anatomia.text.crawl import Page, Refused
from anatomia.text.document import Document
from anatomia.text.engine import map_ordered
from anatomia.text.gather import Gathered, gather
from anatomia.text.language import recognised
from anatomia.text.parts import Part, key_of, read_part, write_part
from anatomia.text.quality import RULES, Limits
from anatomia.text.refine import Refinement, refine
from anatomia.text.sources import WORLD, files_of, read

BATCH = 1_000_000  # characters (bytes of pages) that one process takes at a time
WORLD_BATCH = 1_000  # documents of the world that one process makes at a time
NOTES = 20  # troubles told one by one; the rest is counted
ORDER = (
    "unreadable",
    "crawl_type",
    "crawl_status",
    "extraction",
    "empty",
    "language",
    *RULES,
    "exact_duplicate",
    "near_duplicate",
)


class WorldSettings(Settings):
    """The made-up world, if "world" is among the sources."""

    seed: int = Field(default=1, ge=0, description="which world: its people, places and facts")
    documents: int = Field(default=60_000, ge=1, description="documents the world writes for the corpus")


class CorpusSettings(Settings):
    """What the corpus is made of."""

    sources: tuple[str, ...] = Field(
        default=("world",), min_length=1, description='paths or globs of files; "world" is the made-up world'
    )
    languages: tuple[str, ...] = Field(
        default=("pl", "en"), description="ISO 639-1 codes to keep; empty keeps every text"
    )
    quality: bool = Field(
        default=True, description="whether the quality rules apply (all but the duplicates' and the language's)"
    )
    fewest_words: int = Field(default=10, ge=1, description="a text of fewer words is dropped")
    near_duplicates: float = Field(
        default=0.8, gt=0.5, le=1, description="similarity from which texts are alike; 1 = exact only"
    )
    validation_fraction: float = Field(default=0.02, ge=0, lt=1, description="share of documents kept from training")


@dataclass(frozen=True)
class WorldRange:
    """Documents `first` … `first + count - 1` of a world."""

    seed: int
    stream: int
    first: int
    count: int

    def documents(self) -> list[Document]:
        """The documents, made here."""
        return list(_world(self.seed).documents(self.stream, self.first, self.count))


@dataclass(frozen=True)
class Task:
    """One batch for one process."""

    directory: Path
    wanted: Refinement
    found: Sequence[Document | Page | Refused] | WorldRange
    share: float  # of all input, how much lies before the end of this batch


def run(context: Context) -> Metrics:
    """Read, refine in parallel, gather; write the corpus, its funnel and specimens.

    Raises:
        UserError: nothing is left.
    """
    settings: Any = context.settings["corpus"]
    directory = context.resume / "parts"
    directory.mkdir(exist_ok=True)
    wanted = Refinement(settings.languages, settings.quality, Limits(settings.fewest_words))
    parts: list[Part] = []
    done = 0
    for part, share in map_ordered(refine_task, _tasks(context, directory, wanted)):
        parts.append(part)
        done += part.read[0]
        context.ledger.progress(done, max(done, round(done / share)), "documents")
    _tell_troubles(context, parts)
    gathered = gather(parts, context.work, context.resume, settings.near_duplicates, settings.validation_fraction)
    funnel = _funnel(parts, gathered)
    if not gathered.documents:
        drops = ", ".join(f"{row['rule']} {row['documents']}" for row in funnel[1:-1]) or "there was nothing to read"
        raise UserError(
            f"corpus.sources: no document (of {funnel[0]['documents']}) is left ({drops}); "
            "loosen those rules or add sources"
        )
    write_json(context.work / "funnel.json", funnel)
    write_json(context.work / "specimens.json", {"kept": gathered.kept, "dropped": _dropped(parts, gathered)})
    return _metrics(funnel, gathered)


def refine_task(task: Task) -> tuple[Part, float]:
    """In some process: the task's part, made now or found finished."""
    found = task.found
    settings = asdict(task.wanted)
    key = key_of([], [settings, asdict(found)]) if isinstance(found, WorldRange) else key_of(found, settings)
    part = read_part(task.directory, key)
    if part is None:
        documents = found.documents() if isinstance(found, WorldRange) else found
        part = write_part(task.directory, key, refine(documents, task.wanted))
    return part, task.share


def _tasks(context: Context, directory: Path, wanted: Refinement) -> Iterator[Task]:
    """Batches in the order of the sources; the world's ranges where the word stands."""
    settings: Any = context.settings["corpus"]
    groups = [(source, files_of([source], context.root)) for source in settings.sources]
    files = dict.fromkeys(path for _, found in groups for path in found)
    sizes = {path: path.stat().st_size for path in files}
    world: Any = context.settings["world"]
    weight = world.documents * 500 if WORLD in settings.sources else 0
    total, passed = max(1, sum(sizes.values()) + weight), 0
    for source, found in groups:
        if source == WORLD:
            for first in range(0, world.documents, WORLD_BATCH):
                count = min(WORLD_BATCH, world.documents - first)
                share = (passed + weight * (first + count) / world.documents) / total
                yield Task(directory, wanted, WorldRange(world.seed, context.seed, first, count), share)
            passed += weight
        for path in found:
            if path not in files:
                continue
            del files[path]
            passed += sizes[path]
            for batch in _batches(read(path, _name(path, context.root))):
                yield Task(directory, wanted, batch, max(passed, 1) / total)


def _batches(found: Iterator[Document | Page | Refused]) -> Iterator[list[Document | Page | Refused]]:
    batch: list[Document | Page | Refused] = []
    size = 0
    for item in found:
        batch.append(item)
        size += 200 + len(item.body if isinstance(item, Page) else item.text)
        if size >= BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


@lru_cache(maxsize=1)
def _world(seed: int) -> Any:
    from anatomia.world import World  # a process that reads files has no need of it

    return World(seed)


def _name(path: Path, root: Path) -> str:
    """A file's name as it shall stand in the corpus: the same wherever the recipe's directory lies."""
    return os.path.relpath(path, root) if path.is_relative_to(root) else str(path)


def _tell_troubles(context: Context, parts: Sequence[Part]) -> None:
    troubles = [trouble for part in parts for trouble in part.troubles]
    for source, reason in troubles[:NOTES]:
        context.ledger.note(f"corpus: {source} could not be read whole: {reason}")
    if len(troubles) > NOTES:
        context.ledger.note(
            f"corpus: {len(troubles) - NOTES} more could not be read; the funnel counts them as unreadable"
        )


def _funnel(parts: Sequence[Part], gathered: Gathered) -> list[dict[str, Any]]:
    counts = {rule: [0, 0] for rule in ORDER}
    for refused in (*(part.refused for part in parts), gathered.duplicates):
        for rule, (documents, characters) in refused.items():
            counts[rule][0] += documents
            counts[rule][1] += characters
    rows = [("read", [sum(part.read[0] for part in parts), sum(part.read[1] for part in parts)])]
    rows += [(rule, count) for rule, count in counts.items() if count[0]]
    rows += [("kept", [gathered.documents, gathered.characters])]
    return [{"rule": rule, "documents": documents, "characters": size} for rule, (documents, size) in rows]


def _dropped(parts: Sequence[Part], gathered: Gathered) -> list[dict[str, str]]:
    specimens: dict[str, list[Refused]] = {rule: [] for rule in ORDER}
    for refused in (*(part.specimens for part in parts), gathered.refused):
        for item in refused:
            if len(specimens[item.rule]) < 3:
                specimens[item.rule].append(item)
    return [
        {"source": item.source, "rule": item.rule, "reason": item.reason, "text": item.text}
        for items in specimens.values()
        for item in items
    ]


def _metrics(funnel: list[dict[str, Any]], gathered: Gathered) -> Metrics:
    """The names documented in docs/stages/corpus.md."""
    return {
        "documents_read": funnel[0]["documents"],
        "documents_kept": gathered.documents,
        "documents_dropped": {row["rule"]: row["documents"] for row in funnel[1:-1]},
        "characters_kept": gathered.characters,
        "bytes_kept": gathered.bytes,
        "language_share": {
            language: round(characters / max(1, gathered.characters), 4)
            for language, characters in sorted(gathered.languages.items())
        },
        "validation_documents": gathered.validation_documents,
    }


def _check(recipe: Any, root: Path) -> None:
    files = files_of(recipe.corpus.sources, root)
    if files and WORLD not in recipe.corpus.sources and not any(path.stat().st_size for path in files):
        raise UserError(
            f"corpus.sources: there is nothing in {files[0]} or any other of these files; give files with text"
        )
    for language in recipe.corpus.languages:
        if language not in recognised():
            raise UserError(
                f"languages: {language!r} is none that is recognised; give codes of ISO 639-1, such as 'pl'"
            )


def _reads(recipe: Any, root: Path) -> list[Path]:
    return files_of(recipe.corpus.sources, root)


STAGE = Stage(name="corpus", version=2, sections=("world", "corpus"), run=run, check=_check, reads=_reads)
