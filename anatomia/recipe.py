"""A recipe: TOML in, typed settings out. An error is one line that names file, key, value and the way out."""

import difflib
import json
import os
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from pydantic import BaseModel, Field, ValidationError, field_validator

from anatomia.base.errors import UserError
from anatomia.base.settings import Settings
from anatomia.base.trackers import LogSettings
from anatomia.stages.stage import Stage

PACKAGED = ("world", "own-texts", "rl-from-base", "lora")
PATHS = {
    "corpus.sources",
    "tokenizer.from",
    "pretrain.from",
    "finetune.dialogues",
    "sample.prompts",
    "rank.rankings",
    "align.prompts",
    "align.judge",
    "evaluate.prompts",
}
"""The settings that are paths or globs."""
FUNCTIONS = {"align.reward"}  # "reward.py:score" is a path too; "package.module:score" is none
KEYWORDS = ("world", "auto", "none")  # what may stand in place of a path
Sections = Mapping[str, type[Settings]]
T = TypeVar("T", bound=BaseModel)


class Top(Settings):
    """What stands at the top of a recipe, before its sections."""

    name: str = Field("run", description="names the run's directory")
    seed: int = Field(0, ge=0, description="every random stream of the run grows from it")
    languages: tuple[str, ...] = Field(("pl", "en"), description="of every section that does not say it itself")
    log: LogSettings = Field(LogSettings(), description="who else gets the run's events; no stage reads it")

    @field_validator("name")
    @classmethod
    def _one_directory(cls, name: str) -> str:
        if not name.strip(" .") or any(sign in "/\\" or not sign.isprintable() for sign in name):
            raise ValueError("should be the name of a directory, without / and \\; where it lies --out says")
        return name


@dataclass(frozen=True)
class Recipe:
    """Typed settings of a whole run. Each section is an attribute: `recipe.pretrain.steps`."""

    top: Top
    sections: dict[str, Settings] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Names the run's directory."""
        return self.top.name

    @property
    def seed(self) -> int:
        """The seed of every random stream."""
        return self.top.seed

    @property
    def languages(self) -> tuple[str, ...]:
        """ISO 639-1 codes."""
        return self.top.languages

    @property
    def log(self) -> LogSettings:
        """Who else gets the run's events."""
        return self.top.log

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and name in self.__dict__.get("sections", {}):
            return self.sections[name]
        raise AttributeError(f"the recipe has no section {name!r}")

    def to_json(self) -> dict[str, Any]:
        """Every setting, defaults included, as plain JSON values."""
        return self.top.model_dump(mode="json") | {name: plain(value) for name, value in self.sections.items()}

    def to_toml(self) -> str:
        """Every setting, defaults included, as a recipe that reads back equal."""
        return to_toml(self.to_json())


def find(name: str) -> Path:
    """The recipe called `name`: a path, or the name of one that comes with the package.

    Raises:
        UserError: there is no such recipe.
    """
    path = Path(name)
    if path.is_file():
        return path
    for directory in (_package() / "recipes", _package().parent / "recipes"):
        packaged = directory / f"{name.removesuffix('.toml')}.toml"
        if path.parent == Path() and packaged.is_file():
            return packaged
    known = ", ".join(PACKAGED)
    raise UserError(f"{name} is no recipe{meant(name, PACKAGED)}; give the path of a .toml file, or one of: {known}")


def root_of(name: str) -> Path:
    """Where relative paths in the recipe called `name` start from.

    That is beside a file; for a recipe that comes with the package it is the working directory.
    """
    return Path(name).parent if Path(name).is_file() else Path()


def section_classes(modules: Sequence[ModuleType]) -> dict[str, type[Settings]]:
    """The settings class of every section: section `x` is the class `XSettings` of a stage's module that reads it."""
    classes: dict[str, type[Settings]] = {}
    for module in modules:
        for section in module.STAGE.sections:
            found = getattr(module, f"{section.title().replace('_', '')}Settings", None)
            if found is not None:
                classes.setdefault(section, found)
    return classes


def read(path: Path, sections: Sections, overrides: Sequence[str] = (), root: Path = Path()) -> Recipe:
    """The recipe in `path` with the overrides (`pretrain.steps=100`) laid over it.

    Paths in the recipe start from `root`, those in overrides in the working directory, as any path on a command line;
    they are written anew to start from `root`, so that the run reads them like all others.

    Raises:
        UserError: it cannot be read, or a key or a value is wrong.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path} is not valid TOML: {error}") from error
    overridden = {_override(raw, override, root) for override in overrides}
    return build(raw, sections, lambda key: "--set" if overridden.intersection(_prefixes(key)) else str(path))


def build(raw: dict[str, Any], sections: Sections, where: Callable[[str], str] = lambda key: "recipe") -> Recipe:
    """Typed settings of the raw values; `where` says in which file (or option) a key was given.

    Raises:
        UserError: a key or a value is wrong.
    """
    names = [*Top.model_fields, *sections]
    for key, value in raw.items():
        if key not in names:
            raise UserError(_unknown(key, value, sections, where))
        if key in sections and not isinstance(value, dict):
            raise UserError(
                f"{where(key)}: {key} = {_show(value)}: {key} is a section; write [{key}] and its keys below it"
            )
    top = _validate(Top, {key: raw[key] for key in Top.model_fields if key in raw}, "", where)
    parts = {}
    for name, kind in sections.items():
        given = raw.get(name, {})
        if "languages" in kind.model_fields and "languages" in raw:  # said once for all sections
            given = {"languages": raw["languages"], **given}
        parts[name] = _validate(kind, given, name, where)
    return Recipe(top, parts)


def _unknown(key: str, value: Any, sections: Sections, where: Callable[[str], str]) -> str:
    """One line for a name that no recipe has at its top."""
    if isinstance(value, dict):
        known = [*sections, "log"]
        place = where(f"{key}.{next(iter(value), '')}")
        return f"{place}: {key} is no section of a recipe{meant(key, known)}; there are: {', '.join(known)}"
    homes = [f"{name}.{key}" for name, kind in sections.items() if key in _fields(kind, [])]
    if homes:
        return f"{where(key)}: {key} stands outside of its section; there are: {', '.join(homes)}"
    known = [name for name in Top.model_fields if name != "log"]
    said = ", ".join(known)
    return f"{where(key)}: {key} is no key outside of a section{meant(key, [*known, *sections])}; there are: {said}"


def check(recipe: Recipe, root: Path, stages: Sequence[Stage]) -> None:
    """Everything that can be found wrong before anything is written, for every stage that takes part.

    Raises:
        UserError: the first thing that is wrong.
    """
    taking_part = [stage for stage in stages if stage.enabled(recipe)]
    names = [stage.name for stage in taking_part]
    for place, stage in enumerate(taking_part):
        for parent in stage.parents(recipe):
            if parent not in names[:place]:
                raise UserError(
                    f"stage {stage.name} needs stage {parent}, which this recipe leaves out; take it back in"
                )
        stage.check(recipe, root)


def plain(section: Settings) -> dict[str, Any]:
    """A section's settings under the names they have in a recipe, as plain JSON values."""
    return section.model_dump(mode="json", by_alias=True)


def to_toml(value: Mapping[str, Any], prefix: str = "") -> str:
    """TOML of nested mappings of JSON values. Nulls are left out: TOML has none, and absent means the default."""
    plain = {key: item for key, item in value.items() if not isinstance(item, Mapping) and item is not None}
    tables = {key: item for key, item in value.items() if isinstance(item, Mapping)}
    lines = [f"[{prefix}]"] if prefix and (plain or not tables) else []
    lines += [f"{_key(key)} = {_literal(item)}" for key, item in plain.items()]
    parts = ["\n".join(lines) + "\n"] if lines else []
    parts += [to_toml(item, f"{prefix}.{_key(key)}" if prefix else _key(key)) for key, item in tables.items()]
    return "\n".join(parts)


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_literal(item) for item in value) + "]"
    if isinstance(value, Mapping):
        return (
            "{ "
            + ", ".join(f"{_key(key)} = {_literal(item)}" for key, item in value.items() if item is not None)
            + " }"
        )
    return repr(value)


def _key(key: str) -> str:
    bare = key.replace("-", "").replace("_", "")
    return key if bare.isascii() and bare.isalnum() else _literal(key)


def _override(raw: dict[str, Any], override: str, root: Path) -> str:
    """Lay one `key=value` over the raw recipe; its dotted key."""
    key, equals, text = override.partition("=")
    key = key.strip()
    if not equals or not all(key.split(".")):
        raise UserError(f"--set {override}: give it as section.key=value, such as pretrain.steps=100")
    *tables, last = key.split(".")
    target = raw
    for table in tables:
        target = target.setdefault(table, {})
        if not isinstance(target, dict):
            raise UserError(f"--set {override}: {table} is a value, not a section")
    target[last] = _from_root(key, _value(text.strip()), root)
    return key


def _from_root(key: str, value: Any, root: Path) -> Any:
    """The value of an override, with paths that start in the working directory made to start from `root`."""
    if isinstance(value, dict):
        return {name: _from_root(f"{key}.{name}", item, root) for name, item in value.items()}
    if isinstance(value, list):
        return [_from_root(key, item, root) for item in value]
    if not isinstance(value, str) or value in KEYWORDS:
        return value
    if key not in PATHS and not (key in FUNCTIONS and ".py:" in value):
        return value
    if os.path.isabs(os.path.expanduser(value)):
        return value
    try:
        return os.path.relpath(value, root.resolve())
    except ValueError:  # on another drive of Windows
        return os.path.abspath(value)


def _value(text: str) -> Any:
    """A TOML value; a string may come without quotes, in a list too."""
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        if text.startswith("[") and text.endswith("]"):
            return [_value(item.strip()) for item in text[1:-1].split(",") if item.strip()]
        return text
    return parsed["value"] if len(parsed) == 1 else text


def _validate(kind: type[T], raw: dict[str, Any], section: str, where: Callable[[str], str]) -> T:
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise UserError(_explain(kind, first, section, where) + more) from error


def _explain(kind: type[BaseModel], error: Any, section: str, where: Callable[[str], str]) -> str:
    """One line for one pydantic error."""
    path = [str(part) for part in error["loc"]]
    key = ".".join([section, *path] if section else path)
    place = where(key)
    if error["type"] == "extra_forbidden":
        fields = _fields(kind, path[:-1])
        return f"{place}: {key} is not a setting{meant(path[-1], fields)}; there are: {', '.join(fields)}"
    if error["type"] == "missing":
        return f"{place}: {key} is missing; set it"
    if error["type"] == "too_short":
        return f"{place}: {key} = {_show(error['input'])} is empty; name something, or leave the key out"
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if error["type"] == "literal_error":
        options = re.findall(r"'([^']*)'", str(error["ctx"]["expected"]))
        message += meant(str(error["input"]), options)
    if error["type"] == "tuple_type":
        message = "should be a list, in brackets"
    if not path:  # a validator over the whole section names the key itself
        return f"{place}: {message}"
    return f"{place}: {key} = {_show(error['input'])}: {message}"


def _prefixes(key: str) -> list[str]:
    """a.b.c, a.b, a."""
    parts = key.split(".")
    return [".".join(parts[:count]) for count in range(len(parts), 0, -1)]


def _fields(kind: type[BaseModel], path: list[str]) -> list[str]:
    """The names of settings under `path` within `kind`."""
    for part in path:
        field = kind.model_fields.get(part)
        if field is None or not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
            return []
        kind = field.annotation
    return [field.alias or name for name, field in kind.model_fields.items()]


def _show(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:77] + "..."


def meant(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _package() -> Path:
    return Path(str(resources.files("anatomia")))
