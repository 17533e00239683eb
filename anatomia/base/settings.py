"""The base of every settings class: frozen, closed to unknown keys, read from a recipe's TOML."""

from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError


class Settings(BaseModel):
    """Typed settings of one section of a recipe. Unknown keys are errors; values never change after reading,
    and numbers are finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _numbers_are_written_as_such(cls, value: Any, info: ValidationInfo) -> Any:
        annotation = cls.model_fields[str(info.field_name)].annotation
        kinds = {annotation, *get_args(annotation)}
        if kinds & {int, float} and not kinds & {bool, str} and isinstance(value, bool | str):
            raise PydanticCustomError(
                "number", "Input should be a valid number" if float in kinds else "Input should be a valid integer"
            )
        return value
