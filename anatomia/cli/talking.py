"""Commands that let models speak, and people judge: chat, complete, compare, rank."""

import getpass
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.markup import escape

from anatomia.base.errors import UserError
from anatomia.cli.options import (
    Json,
    Length,
    MinP,
    ModelPath,
    RepetitionPenalty,
    RunPath,
    Seed,
    Stop,
    Temperature,
    TopK,
    TopP,
    at_least,
    console,
    messages,
    show,
)
from anatomia.messages import Messages
from anatomia.sentences import sentence

if TYPE_CHECKING:
    from rich.console import RenderableType


def chat(
    model: ModelPath,
    /,
    *,
    temperature: Temperature = 0.7,
    top_p: TopP = 0.95,
    top_k: TopK = 0,
    min_p: MinP = 0.0,
    repetition_penalty: RepetitionPenalty = 1.0,
    stop: Stop = (),
    length: Length = 200,
    seed: Seed = 0,
) -> None:
    """Talk to a model; its answer grows as it is written. /new begins a new dialogue, Ctrl-D ends it.

    **Examples**

    - `anatomia chat runs/world` – the best model of a run
    - `anatomia chat runs/world/pretrain` – the base model, which has not learnt to answer
    - `anatomia chat runs/world --temperature 0` – always the likeliest answer
    """
    from anatomia import runs
    from anatomia.generate import chat as chats
    from anatomia.generate.sampling import Sampling

    with suppress(ImportError):  # where there is readline, input lines can be edited and called back
        import readline  # noqa: F401

    sampling = Sampling(temperature, top_k, top_p, length, min_p, repetition_penalty, stop)
    directory = runs.model_directory(model)
    speaker = chats.Speaker.open(directory)
    screen, say = console(), messages()
    screen.print(f"[bold]{directory}[/]  [dim]{say('/new begins a new dialogue, Ctrl-D ends')}[/]", highlight=False)

    def read() -> str | None:
        try:
            return screen.input("[bold cyan]>[/] ")
        except (EOFError, KeyboardInterrupt):
            screen.print()
            return None

    def write(piece: str) -> None:
        screen.print(piece or "\n", end="", markup=False, highlight=False, soft_wrap=True)

    chats.chat(speaker, sampling, read, write, seed)


def complete(
    model: ModelPath,
    /,
    *,
    prompt: Annotated[str, Parameter(help="The text to go on from; no chat template is put round it.")],
    count: Annotated[int, Parameter(help="So many continuations.")] = 1,
    temperature: Temperature = 0.7,
    top_p: TopP = 0.95,
    top_k: TopK = 0,
    min_p: MinP = 0.0,
    repetition_penalty: RepetitionPenalty = 1.0,
    stop: Stop = (),
    length: Length = 100,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Let a model go on from a text.

    **Examples**

    - `anatomia complete runs/world/pretrain --prompt "Once upon a time"`
    - `anatomia complete runs/world/pretrain --prompt "Dawno temu" --count 4 --json`
    """
    from rich.text import Text

    from anatomia import runs
    from anatomia.generate import chat as chats
    from anatomia.generate.sampling import Sampling

    at_least("--count", count)
    sampling = Sampling(temperature, top_k, top_p, length, min_p, repetition_penalty, stop)
    found = chats.complete(chats.Speaker.open(runs.model_directory(model)), prompt, sampling, seed, count)
    texts = Text("\n\n").join(Text(prompt, "cyan") + Text(one["text"]) for one in found)
    show({"prompt": prompt, "completions": found}, texts, as_json)


def compare(
    model: ModelPath,
    /,
    *models: ModelPath,
    prompt: Annotated[list[str], Parameter("--prompt", negative=(), help="What to ask; repeatable.")],
    temperature: Temperature = 0.0,
    top_p: TopP = 1.0,
    top_k: TopK = 0,
    length: Length = 40,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """The same questions to several models, their answers side by side.

    **Examples**

    - `anatomia compare runs/world/pretrain runs/world/align --prompt "What is a river?"`
    - `anatomia compare runs/a runs/b --prompt "Kto?" --prompt "Gdzie?" --max-new 200 --json` – long answers
    """
    from rich.box import ROUNDED
    from rich.table import Table

    from anatomia import runs
    from anatomia.generate import chat as chats
    from anatomia.generate.sampling import Sampling

    sampling = Sampling(temperature, top_k, top_p, length)
    directories = [runs.model_directory(one) for one in (model, *models)]
    found = chats.compare(directories, prompt, sampling, seed)
    say = messages()
    table = Table(show_lines=True, expand=True, box=ROUNDED, caption_justify="left")
    table.add_column(say("prompt"), style="cyan", ratio=1, overflow="fold")
    for directory in directories:
        table.add_column(str(directory), ratio=2, overflow="fold")
    for row in found:
        texts = (answer["text"].strip() + ("" if answer["finished"] else " …") for answer in row["answers"])
        table.add_row(escape(row["prompt"]), *map(escape, texts))
    if not all(answer["finished"] for row in found for answer in row["answers"]):
        table.caption = say(
            "… the answer goes on: --max-new {number} cuts it; a larger number shows more", number=length
        )
    show(found, table, as_json)


def rank(
    run: RunPath,
    /,
    *,
    name: Annotated[str | None, Parameter(help="Who ranks; your user name if not given.")] = None,
    page: Annotated[
        bool, Parameter(negative=(), help="Rank on a page in the browser, several people at once if you like.")
    ] = False,
    port: Annotated[int, Parameter(help="Where the page is; 0 takes any that is free.")] = 8765,
    host: Annotated[
        str, Parameter(help="The address the page listens at; 0.0.0.0 lets other computers in, who need its key.")
    ] = "127.0.0.1",
    progress: Annotated[
        bool, Parameter(negative=(), help="Only show who has ranked how much, and how far they agree.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Put the completions of a run's prompts in order yourself, best first; the next run learns from it.

    **Examples**

    - `anatomia rank runs/world`
    - `anatomia rank runs/world --name Ala`
    - `anatomia rank runs/world --page` – in the browser, several people at once
    - `anatomia rank runs/world --progress` – who has ranked how much, and how far they agree
    """
    from anatomia.base.files import read_jsonl
    from anatomia.feedback.desk import Desk
    from anatomia.feedback.names import annotator_name
    from anatomia.feedback.ranking import Candidates
    from anatomia.feedback.store import STORE, RankingStore
    from anatomia.feedback.terminal import rank_in_terminal

    samples = run / "sample" / "samples.jsonl"
    if not samples.is_file():
        raise UserError(f"{run} holds no completions to rank (no {samples}); make them: anatomia run … --until sample")
    among = [Candidates.from_sample(sample) for sample in read_jsonl(samples)]
    store = RankingStore(run / STORE)
    if progress:
        found = Desk(among, store).progress()
        show(found, progress_table(found, messages()), as_json)
        return
    proposed = _user_name() if name is None else name
    if page:
        from anatomia.serve.ranking import RankingServer

        say = messages()
        translate = {"pl": sentence}
        server = RankingServer(
            Desk(among, store),
            str(run),
            say.language,
            proposed or "",
            lambda english, language: translate.get(language, str)(english),
            host,
            port,
        )
        console().print(say("Rank at {url} (Ctrl-C ends)", url=server.url), highlight=False, soft_wrap=True)
        with server, suppress(KeyboardInterrupt):
            server.serve_forever()
        return
    if proposed is None:
        raise UserError("nobody knows your user name here; say who ranks: --name NAME")
    annotator = annotator_name(proposed, {ranking.annotator for ranking in store.rankings()})
    rank_in_terminal(among, store, annotator, console(), language=messages().language)


def progress_table(found: dict[str, Any], say: Messages) -> "RenderableType":
    """`Desk.progress` as a person likes to see it."""
    from rich.box import ROUNDED
    from rich.console import Group
    from rich.table import Table

    table = Table(box=ROUNDED)
    for column in ("person", "rankings", "left", "agreement", "reliability"):
        table.add_column(say(column), justify="left" if column == "person" else "right", overflow="fold")
    for one in found["people"]:
        agreement = "–" if one["tau"] is None else f"{say.number(round(one['tau'], 2))} ({say.number(one['common'])})"
        reliability = "–"
        if one["reliability"] is not None:
            reliability = " ± ".join(say.number(round(one[part], 2)) for part in ("reliability", "reliability_error"))
        table.add_row(escape(one["name"]), say.number(one["rankings"]), say.number(one["left"]), agreement, reliability)
    counts = {"rankings": say.number(found["rankings"]), "prompts": say.number(found["prompts"])}
    lines = [say("Rankings: {rankings}; prompts to rank: {prompts}.", **counts)]
    if found["ask_next"] is not None and len(found["people"]) > 1:
        lines.append(say("Most would be learnt from the next ranking by {name}.", name=escape(found["ask_next"])))
    if found["people"]:
        lines.append(say("Agreement: mean Kendall tau with the others on prompts that they ranked too (how many)."))
        lines.append(say("Reliability: how far rankings count, 1 as usual, 0 like chance."))
    return Group(*([table] if found["people"] else []), *lines)


def _user_name() -> str | None:
    with suppress(OSError, KeyError, ImportError):
        return getpass.getuser()
    return None
