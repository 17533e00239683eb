"""Reading anyone's tokenizer: tokenizer.json, and what its Hugging Face directory says about it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from anatomia.base.errors import UserError
from anatomia.base.files import read_json
from anatomia.tokens.template import PLAIN

NAMES = {"bos_token": "bos_token_id", "eos_token": "eos_token_id", "pad_token": "pad_token_id"}
USUAL_ENDS = ("<|end|>", "<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<|im_end|>", "<|eot_id|>", "[EOS]")
USUAL_BEGINS = ("<|begin|>", "<|begin_of_text|>", "<s>", "<bos>", "[BOS]")


@dataclass(frozen=True)
class Found:
    """A tokenizer, its config (special tokens and chat template filled in), further end ids, and what was assumed."""

    tokenizer: Tokenizer
    config: dict[str, Any]
    stops: tuple[int, ...]
    notes: tuple[str, ...]


def read_directory(path: Path) -> Found:
    """The tokenizer at `path`, a directory or a tokenizer.json.

    Special tokens come from tokenizer_config.json, else special_tokens_map.json, else the ids in
    generation_config.json or config.json, else, for begin and end and with a note, from well-known names. A begin or
    padding token that tokenizer_config.json declares null does not exist.

    Raises:
        UserError: no tokenizer there, an unreadable one, or one without an end token.
    """
    file = path / "tokenizer.json" if path.is_dir() else path
    if not path.exists():
        raise UserError(f"{path} does not exist; give a tokenizer.json or a directory with one")
    if not file.is_file():
        hint = "it has a SentencePiece tokenizer.model only; " if (file.parent / "tokenizer.model").is_file() else ""
        raise UserError(f"{path} holds no tokenizer: {hint}give a tokenizer.json or a directory with one")
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises bare Exception
        raise UserError(f"{file} is no tokenizer.json that the tokenizers library reads ({error})") from error
    directory = file.parent
    config = _json(directory / "tokenizer_config.json")
    maps = _json(directory / "special_tokens_map.json")
    generation = {**_json(directory / "config.json"), **_json(directory / "generation_config.json")}
    absent = {name for name, value in config.items() if value is None} - {"eos_token"}  # told: there is none
    for name, key in NAMES.items():
        if name in absent:
            continue
        value = config.get(name) or maps.get(name) or _token(tokenizer, generation.get(key))
        if value:
            config[name] = value
    notes = []
    for name, usual in (("bos_token", USUAL_BEGINS), ("eos_token", USUAL_ENDS)):
        guess = next((token for token in usual if tokenizer.token_to_id(token) is not None), None)
        if not config.get(name) and guess and name not in absent:
            config[name] = guess
            notes.append(f"{path} does not say what its {name} is; {guess} is taken")
    end = config.get("eos_token")
    if not end or tokenizer.token_to_id(end["content"] if isinstance(end, dict) else end) is None:
        raise UserError(f"{path} has no end token; name it as eos_token in {directory / 'tokenizer_config.json'}")
    templates = _templates(directory, config)
    if not templates:
        notes.append(f"{path} has no chat template; turns are marked in plain text (User:, Assistant:)")
    config["chat_template"] = templates or PLAIN
    config.setdefault("tokenizer_class", "PreTrainedTokenizerFast")
    return Found(tokenizer, config, tuple(_ids(generation.get("eos_token_id"))), tuple(notes))


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return dict(read_json(path))
    except (ValueError, TypeError) as error:
        raise UserError(f"{path} is not readable JSON ({error.__cause__ or error}); mend it or take it away") from error


def _ids(value: Any) -> list[int]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _token(tokenizer: Tokenizer, value: Any) -> str | None:
    ids = _ids(value)
    return tokenizer.id_to_token(ids[0]) if ids else None


def _templates(directory: Path, config: dict[str, Any]) -> str | list[dict[str, str]] | None:
    """The chat template, or several by name: in files of their own in newer directories, else in the config."""
    file = directory / "chat_template.jinja"
    more = sorted((directory / "additional_chat_templates").glob("*.jinja"))
    if file.is_file() and not more:
        return file.read_text(encoding="utf-8")
    named = {path.stem: path.read_text(encoding="utf-8") for path in more}
    if file.is_file():
        named = {"default": file.read_text(encoding="utf-8"), **named}
    if named:
        return [{"name": name, "template": template} for name, template in named.items()]
    found = config.get("chat_template")
    if isinstance(found, list):
        try:
            return [{"name": str(entry["name"]), "template": str(entry["template"])} for entry in found]
        except (KeyError, TypeError) as error:
            raise UserError(
                f"{directory / 'tokenizer_config.json'}: chat_template is a list, but not of objects with name and "
                "template; mend it or take it away"
            ) from error
    return found
