"""A vocabulary: text to token ids and back, trained here or anyone's, kept as a Hugging Face tokenizer directory."""

import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from anatomia.base.files import write_bytes, write_json
from anatomia.tokens.directory import read_directory
from anatomia.tokens.pieces import readable, token_bytes
from anatomia.tokens.template import BEGIN, END, OURS, PADDING, SPECIAL

SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Llama 3's rule for cutting text before any merging; llama.cpp knows it as `llama-bpe`."""

SMALLEST = 256 + len(SPECIAL)
"""Every byte and every special token: a vocabulary cannot be smaller."""


class Vocabulary:
    """A tokenizer and what a language model must know of it.

    `tokenizer` is the plain `tokenizers.Tokenizer` as it lies in tokenizer.json, `config` the content of
    tokenizer_config.json, `template` the chat template and `templates` all of them by name, `notes` sentences for the
    user about what had to be assumed, `stops` further ids, beside `end`, that end a text according to
    generation_config.json.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        config: dict[str, Any],
        name: str,
        stops: tuple[int, ...] = (),
        notes: tuple[str, ...] = (),
    ) -> None:
        self.tokenizer = tokenizer
        self.config = config
        self.name = name
        self.stops = stops
        self.notes = notes
        self.templates = _templates(config["chat_template"])
        self.template = self.templates.get("default") or next(iter(self.templates.values()))
        self.begin = self._id("bos_token")
        self.padding = self._id("pad_token")
        end = self._id("eos_token")
        assert end is not None, "read_directory finds an end token or raises"
        self.end: int = end

    @staticmethod
    def load(path: Path | str) -> "Vocabulary":
        """The vocabulary in a Hugging Face directory, or in a tokenizer.json (and the files beside it, if any).

        Raises:
            UserError: there is none, it cannot be read, or it has no end token.
        """
        found = read_directory(Path(path))
        return Vocabulary(found.tokenizer, found.config, str(path), found.stops, found.notes)

    def save(self, directory: Path) -> None:
        """Write tokenizer.json and tokenizer_config.json (with the chat template) for `AutoTokenizer`."""
        directory.mkdir(parents=True, exist_ok=True)
        write_bytes(directory / "tokenizer.json", self.tokenizer.to_str(pretty=True).encode())
        write_json(directory / "tokenizer_config.json", self.config)

    @cached_property
    def size(self) -> int:
        """How many rows an embedding needs: the highest id and one."""
        return max(self.tokenizer.get_vocab(with_added_tokens=True).values()) + 1

    @cached_property
    def specials(self) -> dict[str, int]:
        """The special tokens: their text and ids."""
        return {token.content: i for i, token in self.added.items() if token.special}

    @cached_property
    def special_texts(self) -> dict[str, str]:
        """What a chat template may call them: `bos_token`, `eos_token`, … and their texts."""
        names = ("bos_token", "eos_token", "pad_token", "unk_token")
        return {name: _text(self.config[name]) for name in names if self.config.get(name)}

    def encode(self, text: str) -> list[int]:
        """The ids of `text`, nothing added. What looks like a special token in it ("<|end|>") stays ordinary text."""
        return self.literal.encode(text, add_special_tokens=False).ids

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """`encode` for many texts at once, in parallel (RAYON_NUM_THREADS limits it)."""
        return [encoding.ids for encoding in self.literal.encode_batch_fast(list(texts), add_special_tokens=False)]

    def decode(self, ids: Sequence[int], special: bool = False) -> str:
        """The text of `ids`; special tokens are left out unless `special`. Bytes that are no UTF-8 become U+FFFD."""
        return self.tokenizer.decode(list(ids), skip_special_tokens=not special)

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """One readable string per token; bytes of a character that is split over tokens appear as "⟨c5⟩".

        Where no character is split, the pieces joined are the text, special tokens written out.
        """
        return [readable(self.bytes_of(i)) for i in ids]

    def bytes_of(self, token: int) -> bytes:
        """The UTF-8 bytes that a token stands for; none for an id that the tokenizer does not use."""
        if token in self.added:
            return self.added[token].content.encode()
        text = self.tokenizer.id_to_token(token)
        return b"" if text is None else token_bytes(text, self.byte_level)

    @cached_property
    def literal(self) -> Tokenizer:
        """The tokenizer as documents need it: special tokens are never read out of text, nothing is added or cut."""
        tokenizer = _bare(self.tokenizer)
        tokenizer.encode_special_tokens = True
        return tokenizer

    @cached_property
    def parsing(self) -> Tokenizer:
        """The tokenizer as rendered templates need it: special tokens are read out of the text, nothing is added."""
        return _bare(self.tokenizer)

    @cached_property
    def added(self) -> dict[int, AddedToken]:
        """The tokens added beside the model, special or not, by id."""
        return self.tokenizer.get_added_tokens_decoder()

    @cached_property
    def byte_level(self) -> bool:
        """Whether tokens are named in the byte-level alphabet (GPT-2's kind)."""
        return '"ByteLevel"' in str(self.tokenizer.decoder.__getstate__()) if self.tokenizer.decoder else False

    def _id(self, name: str) -> int | None:
        value = self.config.get(name)
        return None if not value else self.tokenizer.token_to_id(_text(value))


def train_vocabulary(texts: Iterable[str], size: int) -> Vocabulary:
    """A byte-level BPE of `size` tokens learnt from `texts`; fewer where the texts hold too few repeated pairs.

    The same texts in the same order give the same vocabulary, whatever the number of threads. Merging stops at pairs
    that occur once. (Byte-level BPE: Radford et al. 2019, section 2.2.)

    Raises:
        ValueError: `size` is below `SMALLEST`.
    """
    if size < SMALLEST:
        raise ValueError(f"a vocabulary of {size} tokens cannot hold 256 bytes and {len(SPECIAL)} special tokens")
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=2,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    begin = SPECIAL.index(BEGIN)
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single=f"{BEGIN} $A", pair=f"{BEGIN} $A {BEGIN}:1 $B:1", special_tokens=[(BEGIN, begin)]
            ),
        ]
    )
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BEGIN,
        "eos_token": END,
        "pad_token": PADDING,
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
        "chat_template": OURS,
    }
    return Vocabulary(tokenizer, config, "the trained vocabulary")


def _bare(tokenizer: Tokenizer) -> Tokenizer:
    """A copy that neither cuts, pads nor adds.

    Without a post-processor offsets are true even for white space. Special tokens are matched in the text as it is,
    even where a file says `normalized` of them (a normaliser that puts "▁" before everything would hide them).
    """
    content = json.loads(tokenizer.to_str())
    for token in content["added_tokens"]:
        token["normalized"] = token["normalized"] and not token["special"]
    content |= {"truncation": None, "padding": None, "post_processor": None}
    return Tokenizer.from_str(json.dumps(content))


def _templates(value: Any) -> dict[str, str]:
    """Chat templates by name: configs hold one, or several as objects with `name` and `template`."""
    return {"default": value} if isinstance(value, str) else {entry["name"]: entry["template"] for entry in value}


def _text(value: Any) -> str:
    """A special token's text: configs hold it as a string or as an object with `content`."""
    return str(value["content"] if isinstance(value, dict) else value)
