"""`anatomia show …`: what happens inside, on any text with any tokenizer or model."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from anatomia.base.errors import UserError
from anatomia.cli.options import Json, Length, ModelPath, Seed, Temperature, TopK, TopP, at_least, messages
from anatomia.cli.options import show as print_shown

Tokenizer = Annotated[Path, Parameter(help="A tokenizer.json, a directory with one, or a run's.")]
Texts = Annotated[str, Parameter(help="Texts; standard input if none is given.")]
OneText = Annotated[str | None, Parameter(help="A text; standard input if not given.")]

app = App(
    name="show",
    help="See what happens inside: tokens, windows, padding, generation, dialogues, rankings, rewards, trainings.",
)


@app.command
def tokens(tokenizer: Tokenizer, /, *texts: Texts, as_json: Json = False) -> None:
    """Texts cut into tokens, in colours, with their ids.

    **Examples**

    - `anatomia show tokens runs/world "The river flows." "Rzeka płynie."`
    - `anatomia show tokens somebody/tokenizer.json < page.txt`
    """
    from anatomia.explain.render import render_tokens
    from anatomia.explain.show import show_tokens
    from anatomia.runs import tokenizer_path

    shown = show_tokens(list(texts) or [_text(None)], tokenizer_path(tokenizer))
    print_shown(shown, render_tokens(shown, messages().language), as_json)


@app.command
def windows(
    model: ModelPath,
    text: OneText = None,
    /,
    *,
    most: Annotated[int, Parameter(help="Show so many places.")] = 16,
    candidates: Annotated[int, Parameter(help="Show so many of the model's guesses.")] = 5,
    as_json: Json = False,
) -> None:
    """A text as the model learns from it: each context, the token that comes next, and what the model expected.

    **Examples**

    - `anatomia show windows runs/world/pretrain "The river flows to the sea."`
    - `anatomia show windows runs/world/tokenizer "Rzeka płynie."` – without a model's guesses
    """
    from anatomia.explain.render import render_windows
    from anatomia.explain.show import show_windows
    from anatomia.runs import tokenizer_path

    at_least("--most", most)
    at_least("--candidates", candidates, 0)
    shown = show_windows(_text(text), tokenizer_path(model), most, candidates)
    print_shown(shown, render_windows(shown, messages().language), as_json)


@app.command
def padding(tokenizer: Tokenizer, /, *texts: Texts, as_json: Json = False) -> None:
    """Texts of different lengths in one batch: filled up with padding, and packed without it.

    **Examples**

    - `anatomia show padding runs/world "Short." "This one is quite a bit longer." "Krótki."`
    """
    from anatomia.explain.render import render_padding
    from anatomia.explain.show import show_padding
    from anatomia.runs import tokenizer_path

    shown = show_padding(list(texts) or [_text(None)], tokenizer_path(tokenizer))
    print_shown(shown, render_padding(shown, messages().language), as_json)


@app.command
def generation(
    model: ModelPath,
    prompt: OneText = None,
    /,
    *,
    raw: Annotated[bool, Parameter(negative=(), help="Go on from the prompt itself; no chat template.")] = False,
    candidates: Annotated[int, Parameter(help="Show so many likely tokens.")] = 5,
    temperature: Temperature = 0.0,
    top_p: TopP = 1.0,
    top_k: TopK = 0,
    length: Length = 64,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """An answer growing token by token until the end token, with what else was likely at each step.

    **Examples**

    - `anatomia show generation runs/world "What is a river?"`
    - `anatomia show generation runs/world/pretrain "Once upon a time" --raw --temperature 0.8`
    """
    from anatomia.explain.render import render_generation
    from anatomia.explain.show import read_messages, show_generation
    from anatomia.generate.sampling import Sampling
    from anatomia.runs import model_directory

    at_least("--candidates", candidates, 0)
    said = _text(prompt) if raw else read_messages(_text(prompt))
    sampling = Sampling(temperature, top_k, top_p, length)
    shown = show_generation(said, model_directory(model), sampling, seed, candidates)
    print_shown(shown, render_generation(shown, messages().language), as_json)


@app.command
def dialogue(
    tokenizer: Tokenizer,
    text: Annotated[
        str | None, Parameter(help='A question, or JSON: [{"role": "user", "content": "…"}, …]; else standard input.')
    ] = None,
    /,
    *,
    as_json: Json = False,
) -> None:
    """A dialogue as the model reads it: the chat template's text, its tokens, and which of them carry loss.

    **Examples**

    - `anatomia show dialogue runs/world "What is a river?"`
    - `anatomia show dialogue runs/world < dialogue.json`
    """
    from anatomia.explain.render import render_dialogue
    from anatomia.explain.show import read_messages, show_dialogue
    from anatomia.runs import tokenizer_path

    shown = show_dialogue(read_messages(_text(text)), tokenizer_path(tokenizer))
    print_shown(shown, render_dialogue(shown, messages().language), as_json)


@app.command
def ranking(
    rankings: Annotated[str, Parameter(help='A run, a file of rankings, or orders such as "b > a = d > c; a > b".')],
    /,
    *,
    most: Annotated[int, Parameter(help="Show so many prompts.")] = 3,
    as_json: Json = False,
) -> None:
    """Rankings, the stars they become four ways and how sure they are, and how far annotators agree.

    **Examples**

    - `anatomia show ranking runs/world`
    - `anatomia show ranking "b > a = d > c; a > b > c > d"`
    """
    from anatomia.explain.rankings import render_ranking
    from anatomia.explain.show import show_ranking

    at_least("--most", most)
    path = Path(rankings)
    if rankings and path.is_dir():
        places = (path / "rank" / "rankings.jsonl", path / "rankings.jsonl")
        found = next((place for place in places if place.is_file()), None)
        if found is None:
            raise UserError(f"{path} holds no rankings (no {places[0]}); finish the run's stage rank, or give a file")
        path = found
    elif path.suffix and not path.exists():
        raise UserError(f"{path} does not exist; give a run, a file of rankings, or orders such as 'b > a = c'")
    shown = show_ranking(path if path.is_file() else rankings, most, messages().language)
    print_shown(shown, render_ranking(shown, messages().language), as_json)


@app.command
def reward(
    run: Annotated[Path, Parameter(help="A run's directory, or that of a reward model.")], /, *, as_json: Json = False
) -> None:
    """What a reward model is worth: how it agrees with people beside their own agreement, what fools it, where it errs.

    **Examples**

    - `anatomia show reward runs/world`
    """
    from anatomia.explain.rewards import render_reward, show_reward

    shown = show_reward(run)
    print_shown(shown, render_reward(shown, messages().language), as_json)


@app.command
def training(run: Annotated[Path, Parameter(help="A run's directory.")], /, *, as_json: Json = False) -> None:
    """What went wrong in a run's trainings, what RL's judge saw, and what each token brought to the loss.

    **Examples**

    - `anatomia show training runs/world`
    """
    from anatomia.explain.training import render_training, show_training

    shown = show_training(run)
    print_shown(shown, render_training(shown, messages().language), as_json)


def _text(argument: str | None) -> str:
    """The argument, or standard input where there is none."""
    text = sys.stdin.read() if argument is None else argument
    if not text:
        raise UserError("there is no text; give one as an argument or on standard input")
    return text
