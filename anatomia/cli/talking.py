"""Commands that let models speak, and people judge: chat, complete, compare, rank."""

import getpass
from contextlib import suppress
from typing import Annotated

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
    console,
    messages,
    show,
)


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

    if count < 1:
        raise UserError(f"--count {count}: give 1 or more")
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
) -> None:
    """Put the completions of a run's prompts in order yourself, best first; the next run learns from it.

    **Examples**

    - `anatomia rank runs/world`
    - `anatomia rank runs/world --name Ala`
    """
    from anatomia.base.files import read_jsonl
    from anatomia.feedback.ranking import Candidates
    from anatomia.feedback.store import STORE, RankingStore
    from anatomia.feedback.terminal import rank_in_terminal

    samples = run / "sample" / "samples.jsonl"
    if not samples.is_file():
        raise UserError(f"{run} holds no completions to rank (no {samples}); make them: anatomia run … --until sample")
    among = [Candidates.from_sample(sample) for sample in read_jsonl(samples)]
    annotator = name or getpass.getuser()
    rank_in_terminal(among, RankingStore(run / STORE), annotator, console(), language=messages().language)
