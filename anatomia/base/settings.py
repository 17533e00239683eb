"""The base of every settings class: frozen, closed to unknown keys, read from a recipe's TOML."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Typed settings of one section of a recipe. Unknown keys are errors; values never change after reading,
    and numbers are finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
