"""Settings of encoders of gene expression, and of what they are trained to predict."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from ...config.base import AttentionSettings, Share
from ...config.floors import UntrainedModel
from ...config.objective import Objective
from ...config.predictor import sized
from ...config.run import JepaRun


class ExpressionModel(AttentionSettings):
    """Gene tokenizer and transformer."""

    tokenizer: Literal["modules", "mlp"] = "modules"
    """modules: a token is a linear map of genes that vary together, and sees no other gene. mlp: all
    genes to all tokens through two hidden layers."""
    tokens: Annotated[int, Field(ge=1)] = 64
    """Tokens of a cell."""
    hidden: Annotated[int, Field(ge=2)] = 2048
    """First hidden width of mlp; the second is half of it."""
    linear_path: bool = False
    """With mlp: add a linear map of all genes to the tokens, so that an embedding can say what principal
    components say. Tokens of modules are linear maps themselves."""
    dim: Annotated[int, Field(ge=4, multiple_of=4)] = 256
    """Embedding width D; a multiple of 4 (position codes) and of heads."""
    depth: Annotated[int, Field(ge=0)] = 4
    """Encoder blocks; 0 with one token, to which a block has nothing to add that mlp has not."""
    heads: Annotated[int, Field(ge=1)] = 8
    """Attention heads."""
    mlp_ratio: Annotated[float, Field(gt=0)] = 4.0
    """Hidden width of a block's MLP over dim."""

    @model_validator(mode="after")
    def _linear_path_is_of_mlp(self) -> "ExpressionModel":
        if self.linear_path and self.tokenizer != "mlp":
            raise ValueError(
                f"linear_path: found true with tokenizer {self.tokenizer}, expected false: its tokens "
                "are linear maps"
            )
        return self


class CellPredictor(AttentionSettings):
    """Predictor of the tokens of perturbed cells, or of hidden genes."""

    dim: Annotated[int, Field(ge=4, multiple_of=4)] | None = None
    """Width, of condition tokens, too; a multiple of 4 and of heads. null = half of the encoder's."""
    depth: Annotated[int, Field(ge=0)] = 0
    """Blocks. 0, for task perturbation: a gene shifts all cells alike, and the shifts of a combination
    add up; better where perturbations are few. masked genes needs some, about half of the encoder's."""
    heads: Annotated[int, Field(ge=1)] | None = None
    """Attention heads. null = the encoder's."""


_OBJECTIVE: dict[str, Any] = {
    "kind": "ema_target+vicreg",
    "variance": 1.0,
    "covariance": 0.04,
    "ema_momentum": (0.98, 1.0),
}


class ExpressionJepa(JepaRun):
    """A JEPA of gene expression."""

    encoder: Literal["bio-jepa"]
    """bio-jepa: trained by prediction in embedding space, on cells."""
    task: Literal["perturbation", "masked genes", "thinned counts"] = "perturbation"
    """perturbation: from a control cell and a perturbation to the perturbed cell. masked genes: from
    visible modules to hidden ones of the same cell. thinned counts: from one part of a cell's counts to
    the other part; what both tell is the cell, and what one tells alone is noise."""
    thinning: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Share of each cell's counts that the context sees; the target sees the others. Counts are drawn
    anew in each epoch. null = both see all counts. Takes counts, or values from which they can be
    recovered; prepare says whether these can."""
    model: ExpressionModel = ExpressionModel()
    """The encoder."""
    predictor: CellPredictor = CellPredictor()
    """The predictor."""
    objective: Objective = Objective(**_OBJECTIVE)
    """What is minimised; a block without a kind changes this default. ema_target alone collapses here:
    no cell is measured twice, so a control cannot tell which of the perturbed cells is meant, and what
    is predicted best is that all are alike."""
    pairing: Literal["random", "mean", "transport"] = "random"
    """What stands for a perturbed cell before the perturbation, among the controls of its batch and
    context: one drawn anew in each epoch, their mean, or one drawn by optimal transport (extra
    transport: POT)."""
    hidden_share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Share of the modules that masked genes hides in each cell."""
    unknown_share: Share = 0.1
    """Share of the draws in which a perturbed gene is shown as the unknown one, so that an unseen gene
    without features means the average gene."""
    control_share: Share = 0.2
    """Share of the draws in which the perturbed cell gives way to a second control and the condition to
    none, so that no perturbation means no change."""

    @field_validator("objective", mode="before")
    @classmethod
    def _objective_of_cells(cls, value: Any) -> Any:
        return value if not isinstance(value, dict) or "kind" in value else {**_OBJECTIVE, **value}

    @model_validator(mode="after")
    def _task_fits(self) -> "ExpressionJepa":
        sized(self.predictor, self.model)
        if self.task == "masked genes" and self.model.tokenizer == "mlp":
            raise ValueError(
                "task: found masked genes with tokenizer mlp, whose every token sees all genes; "
                "expected tokenizer modules"
            )
        if self.task == "masked genes" and not 0 < self.hidden < self.model.tokens:
            raise ValueError(
                f"hidden_share: {self.hidden_share:g} of {self.model.tokens} tokens hides "
                f"{self.hidden}; expected at least one hidden and one visible"
            )
        if self.task == "masked genes" and not self.predictor.depth:
            raise ValueError("predictor.depth: found 0 with task masked genes, expected 1 or more")
        if self.objective.level == "pooled" and self.task != "thinned counts":
            raise ValueError(
                f"objective.level: found pooled with task {self.task}, expected tokens: a predictor is "
                "needed"
            )
        if self.task == "thinned counts":
            self._thinned_counts_fit()
        if self.thinning and self.pairing == "mean" and self.task == "perturbation":
            raise ValueError(
                "pairing: found mean with thinning, expected random or transport: a mean of cells has "
                "no counts"
            )
        return self

    def _thinned_counts_fit(self) -> None:
        if self.thinning is None:
            raise ValueError(
                "thinning: found null with task thinned counts, expected a share of the counts such as "
                "0.5"
            )
        if self.objective.level == "tokens" and not self.predictor.depth:
            raise ValueError(
                "predictor.depth: found 0 with task thinned counts and objective.level tokens, expected "
                "1 or more; or level pooled"
            )

    @property
    def hidden(self) -> int:
        """Modules that the task hides in each cell."""
        return round(self.hidden_share * self.model.tokens) if self.task == "masked genes" else 0


class UntrainedCells(UntrainedModel):
    """Floor: the same architecture with its initial weights."""

    encoder: Literal["bio-untrained"]
    """bio-untrained: random initial weights."""
    model: ExpressionModel = ExpressionModel()
    """The encoder."""
