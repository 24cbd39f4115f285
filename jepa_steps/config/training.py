"""The blocks whose settings depend on the kind of data, validated one by one: a step on images reads no
settings of another kind."""

from functools import cache
from typing import Annotated, Any, Union

from pydantic import BaseModel, Field, create_model

from ..errors import InputError
from ..modalities import part
from .base import Settings
from .floors import PcaEncoder, RawEncoder
from .reading import parse


def training_type(modality: str) -> Any:
    """The type of a ``train`` block: the encoders of a kind of data, and the floors that all have."""
    encoders = (*part(modality, "settings").ENCODERS, PcaEncoder, RawEncoder)
    return Annotated[Union[encoders], Field(discriminator="encoder")]  # noqa: UP007, of a tuple


def check_fit(modality: str, dataset: Settings, train: Settings, where: str) -> None:
    """Whether a training block can work on a data set of its kind.

    Raises:
        ValueError: it cannot; the text begins with ``where`` and the setting.
    """
    try:
        part(modality, "settings").check(dataset, train)
    except ValueError as error:
        raise ValueError(f"{where}.{error}") from None


def check_evaluate(
    modality: str, dataset: Settings, train: Settings, evaluate: Settings, where: str
) -> None:
    """The same for what ``evaluate`` is asked, before anything is trained."""
    check = getattr(part(modality, "settings"), "check_evaluate", None)
    try:
        if check is not None:
            check(dataset, train, evaluate)
    except InputError as error:
        raise ValueError(f"{where}.{error}") from None


def given_path(train: Settings) -> str | None:
    """File or folder of weights that a training block reads beside the data: published ones, a program,
    a start."""
    return getattr(train, "init", None) or getattr(train, "path", None)


def parse_training(value: Any, source: str, modality: str) -> Settings:
    """Validate one ``train`` block: any encoder of a kind of data, or a floor.

    Raises:
        InputError: one line naming ``source`` and the field.
    """
    return parse(_train_block(modality), {"train": value}, source).train


@cache
def _train_block(modality: str) -> type[BaseModel]:
    return create_model("Experiment", train=(training_type(modality), ...))


def parse_dataset(value: Any, source: str, modality: str) -> Settings:
    """Validate the settings of one data set.

    Raises:
        InputError: one line naming ``source`` and the field.
    """
    return parse(part(modality, "settings").Dataset, value, source)
