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
    """How genes become tokens. modules: a module is a group of genes that vary together; each token is a
    linear map of one module and sees no other gene. mlp: two hidden layers map all genes to all
    tokens."""
    tokens: Annotated[int, Field(ge=1)] = 64
    """Tokens per cell."""
    hidden: Annotated[int, Field(ge=2)] = 2048
    """With mlp: width of the first hidden layer; the second is half as wide."""
    linear_path: bool = False
    """With mlp: also add a linear map of all genes to the tokens, so that embeddings can express what
    principal components express. Tokens of modules are linear maps anyway."""
    dim: Annotated[int, Field(ge=4, multiple_of=4)] = 256
    """Embedding width D. It must be a multiple of 4 (for the position codes) and of heads."""
    depth: Annotated[int, Field(ge=0)] = 4
    """Transformer blocks of the encoder. With a single token, set 0: a block then adds nothing to
    mlp."""
    heads: Annotated[int, Field(ge=1)] = 8
    """Attention heads."""
    mlp_ratio: Annotated[float, Field(gt=0)] = 4.0
    """Hidden width of a block's MLP, divided by dim."""

    @model_validator(mode="after")
    def _linear_path_is_of_mlp(self) -> "ExpressionModel":
        if self.linear_path and self.tokenizer != "mlp":
            raise ValueError(
                f"linear_path: found true with tokenizer {self.tokenizer}, expected false: its tokens "
                "are linear maps"
            )
        return self


class CellPredictor(AttentionSettings):
    """Predicts the tokens of perturbed cells, or of hidden genes."""

    dim: Annotated[int, Field(ge=4, multiple_of=4)] | None = None
    """Width of the predictor and of its condition tokens. It must be a multiple of 4 and of heads. null
    = half of the encoder's width."""
    depth: Annotated[int, Field(ge=0)] = 0
    """Transformer blocks. With task perturbation and 0 blocks, a gene shifts all cells by the same
    amount, and the shifts of a combination add up; this is better if there are few perturbations. Task
    masked genes needs blocks: about half as many as the encoder has."""
    heads: Annotated[int, Field(ge=1)] | None = None
    """Attention heads. null = as many as the encoder has."""


_OBJECTIVE: dict[str, Any] = {
    "kind": "ema_target+vicreg",
    "variance": 1.0,
    "covariance": 0.04,
    "ema_momentum": (0.98, 1.0),
}


class ExpressionJepa(JepaRun):
    """A JEPA of gene expression."""

    encoder: Literal["bio-jepa"]
    """bio-jepa: a JEPA, trained on cells by prediction in embedding space."""
    task: Literal["perturbation", "masked genes", "thinned counts"] = "perturbation"
    """What is predicted. perturbation: the perturbed cell, from a control cell and the perturbation.
    masked genes: hidden modules (groups) of genes, from the visible modules of the same cell. thinned
    counts: a random part of a cell's counts, from the other part. What both parts share describes the
    cell, and what only one part holds is noise."""
    thinning: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Share of each cell's counts that the context sees; the target sees the rest. The counts are
    divided anew in each epoch. null = both see all counts. Needs counts, or values from which counts can
    be recovered; prepare prints whether they can."""
    model: ExpressionModel = ExpressionModel()
    """The encoder."""
    predictor: CellPredictor = CellPredictor()
    """The predictor."""
    objective: Objective = Objective(**_OBJECTIVE)
    """What is minimised. If you set values of this block but not kind, they change this default. If you
    set kind, the defaults of train.objective apply. With task perturbation, ema_target alone collapses.
    No cell is measured twice, so a control cell does not determine which perturbed cell is meant, and
    the loss is lowest when all embeddings are equal."""
    pairing: Literal["random", "mean", "transport"] = "random"
    """Which control stands for a perturbed cell before its perturbation. Candidates are the controls of
    the same part, batch and context; if there are none, those of the same part and context, else all of
    the part. random: one control, drawn anew in each epoch. mean: the mean of the controls. transport:
    one control, drawn by optimal transport (needs the extra transport, which installs POT)."""
    hidden_share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """With task masked genes: share of the modules that are hidden in each cell."""
    unknown_share: Share = 0.1
    """Share of the training draws in which a perturbed gene gets the code of unknown genes instead of
    its own. For an unseen gene without features, the model then predicts the effect of an average
    gene."""
    control_share: Share = 0.2
    """Share of the training draws in which a second control replaces the perturbed cell and the
    condition is "no perturbation". From these the model learns that no perturbation means no change."""

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
