"""Talking to models: raw completions, replies in a chat, the same prompt to several models."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anatomia.base.errors import UserError
from anatomia.base.machine import recall
from anatomia.generate.engine import Completion, decode, generate
from anatomia.generate.sampling import Sampling, stream_seed
from anatomia.generate.stopping import cut, settled
from anatomia.model.adapters_files import base_of
from anatomia.model.checkpoint import check_vocabulary, load_config, load_model
from anatomia.model.decoder import Decoder
from anatomia.tokens.dialogue import prompt_ids
from anatomia.tokens.vocabulary import Vocabulary

Message = dict[str, str]


@dataclass(frozen=True)
class Speaker:
    """A model with its vocabulary, opened from a directory."""

    model: Decoder
    vocabulary: Vocabulary

    @staticmethod
    def open(directory: Path) -> "Speaker":
        """The model in `directory`, on this machine's device.

        Raises:
            UserError: there is no model, or no tokenizer, or they do not fit each other.
        """
        told = (directory / "tokenizer.json").is_file()  # an adapter alone may come without
        config, vocabulary = load_config(directory), Vocabulary.load(directory if told else base_of(directory))
        check_vocabulary(config, vocabulary.size, directory)
        model = load_model(directory).requires_grad_(False)  # which lets decoding remember what it made of the weights
        return Speaker(model.to(recall().device).eval(), vocabulary)

    def room(self, ids: Sequence[int], sampling: Sampling) -> None:
        """Raise `UserError` if a prompt and its answer do not fit the model's context."""
        context = self.model.config.context
        if len(ids) + 1 > context:
            raise UserError(f"the prompt is {len(ids)} tokens long, the model's context only {context}; shorten it")


def complete(speaker: Speaker, prompt: str, sampling: Sampling, seed: int = 0, count: int = 1) -> list[dict[str, Any]]:
    """Raw continuations of a text, no chat template: [{"text", "finished", "tokens", "logprob", "drawn"}].

    logprob and drawn are sums over the continuation's tokens, in nats: under the model's plain distribution, and under
    the one that the tokens were drawn from.
    """
    begin = speaker.vocabulary.begin
    ids = [*([] if begin is None else [begin]), *speaker.vocabulary.encode(prompt)]
    if not ids:
        raise UserError("the prompt is empty; give --prompt some text")
    speaker.room(ids, sampling)
    seeds = [stream_seed(seed, "complete", number) for number in range(count)]
    found = generate(speaker.model, [ids] * count, seeds, sampling, vocabulary=speaker.vocabulary)
    return [describe(speaker, completion, sampling) for completion in found]


def reply(speaker: Speaker, messages: list[Message], sampling: Sampling, seed: int = 0) -> dict[str, Any]:
    """One answer to a dialogue that ends with the user's turn, through the model's chat template."""
    ids = prompt_ids(speaker.vocabulary, messages)
    speaker.room(ids, sampling)
    (found,) = generate(speaker.model, [ids], [stream_seed(seed, "reply")], sampling, vocabulary=speaker.vocabulary)
    return describe(speaker, found, sampling)


def describe(speaker: Speaker, completion: Completion, sampling: Sampling) -> dict[str, Any]:
    """A completion as plain values; its text ends before a stop string."""
    return {
        "text": cut(speaker.vocabulary.decode(completion.ids), sampling.stop),
        "finished": completion.finished,
        "tokens": len(completion.ids),
        "logprob": round(sum(completion.logprobs), 4),
        "drawn": round(sum(completion.drawn), 4),
    }


def stream(speaker: Speaker, messages: list[Message], sampling: Sampling, seed: int = 0) -> Iterator[str]:
    """The answer as it is written, piece by piece; a piece never ends inside a character, and no stop string shows."""
    ids = prompt_ids(speaker.vocabulary, messages)
    speaker.room(ids, sampling)
    written: list[int] = []
    shown = ""
    for step in decode(speaker.model, [ids], [stream_seed(seed, "reply")], sampling, speaker.vocabulary):
        written += step.ids
        text = settled(speaker.vocabulary.decode(written), sampling.stop)
        if len(text) > len(shown):
            yield text[len(shown) :]
            shown = text
    rest = cut(speaker.vocabulary.decode(written), sampling.stop)[len(shown) :]
    if rest:
        yield rest


def compare(
    directories: Sequence[Path], prompts: Sequence[str], sampling: Sampling, seed: int = 0
) -> list[dict[str, Any]]:
    """The same prompts to several models: [{"prompt", "answers": [{"model", "text", "finished", …}]}]."""
    speakers = [(str(directory), Speaker.open(directory)) for directory in directories]
    return [
        {
            "prompt": prompt,
            "answers": [
                {"model": name, **reply(speaker, [{"role": "user", "content": prompt}], sampling, seed)}
                for name, speaker in speakers
            ],
        }
        for prompt in prompts
    ]


def fitted(speaker: Speaker, messages: list[Message], sampling: Sampling) -> list[Message]:
    """The dialogue without its oldest turns, as far as needed to leave room for an answer in the context."""
    kept = list(messages)
    while len(kept) > 1 and len(prompt_ids(speaker.vocabulary, kept)) + sampling.max_new > speaker.model.config.context:
        kept = kept[2:]
    return kept


def chat(
    speaker: Speaker, sampling: Sampling, read: Callable[[], str | None], write: Callable[[str], None], seed: int = 0
) -> list[Message]:
    """A conversation until `read` gives None. "/new" begins a new one; the dialogue so far is returned.

    Args:
        read: asks the person for a turn; None ends the chat.
        write: shows a piece of the answer; "" marks the answer's end.
    """
    messages: list[Message] = []
    turn = 0
    while (text := read()) is not None:
        if not text.strip():
            continue
        if text.strip() == "/new":
            messages = []
            continue
        messages = fitted(speaker, [*messages, {"role": "user", "content": text.strip()}], sampling)
        answer = ""
        for piece in stream(speaker, messages, sampling, seed + turn):
            answer += piece
            write(piece)
        write("")
        turn += 1
        messages.append({"role": "assistant", "content": answer})
    return messages
