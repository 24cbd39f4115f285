"""A trained encoder in the formats of other libraries.

Shapes: B images, H x W x C pixels, N tokens, D width.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from ...config.base import both
from ...errors import InputError
from ...files import write_json
from ...model.encoder import TokenEncoder
from ...model.export import Encoder
from ...model.ijepa_weights import EPS, convolution, to_transformers

_METADATA = {"format": "pt"}  # which transformers asks for


def _parts(encoder: Encoder) -> tuple[TokenEncoder, dict[str, Any], dict[str, Tensor]]:
    """(module, its settings, its weights without positions).

    Raises:
        InputError: a floor, or an encoder that came from elsewhere.
    """
    module, train = encoder.module, encoder.config["train"]
    if not isinstance(module, TokenEncoder):
        raise InputError(
            f"--encoder: found {train['encoder']}, expected an encoder that was trained here"
        )
    if values := encoder.config.get("values"):
        raise InputError(
            f"--encoder: found an encoder of {values['dtype']} values, expected one of 8-bit pictures, "
            "as what is exported takes no others; load_encoder takes them"
        )
    weights = {name: x for name, x in module.state_dict().items() if name != "positions"}
    return module, train["model"], weights


def write_transformers(encoder: Encoder, folder: Path) -> None:
    """A folder for ``IJepaModel.from_pretrained`` and ``AutoImageProcessor.from_pretrained``."""
    module, model, weights = _parts(encoder)
    (height, width), channels = both(encoder.config["image_size"]), encoder.config["channels"]
    patch = model["patch_size"]
    theirs = to_transformers(weights, module.positions, patch, channels)
    save_file(theirs, folder / "model.safetensors", _METADATA)
    write_json(
        folder / "config.json",
        {
            "architectures": ["IJepaModel"],
            "model_type": "ijepa",
            "image_size": height if height == width else [height, width],
            "patch_size": patch,
            "num_channels": channels,
            "hidden_size": model["dim"],
            "num_hidden_layers": model["depth"],
            "num_attention_heads": model["heads"],
            "intermediate_size": int(model["dim"] * model["mlp_ratio"]),
            "hidden_act": "gelu",
            "layer_norm_eps": EPS,
            "qkv_bias": True,
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
            "dtype": "float32",
        },
    )
    write_json(
        folder / "preprocessor_config.json",
        {
            "image_processor_type": "ViTImageProcessor",
            "do_resize": True,
            "size": {"height": height, "width": width},
            "resample": 3,
            "do_rescale": True,
            "rescale_factor": 1 / 255,
            "do_normalize": True,
            "image_mean": encoder.config["mean"],
            "image_std": encoder.config["std"],
        },
    )


def write_timm(encoder: Encoder, folder: Path) -> None:
    """A folder for ``timm.create_model("local-dir:FOLDER", pretrained=True)``."""
    module, model, weights = _parts(encoder)
    size, channels = both(encoder.config["image_size"]), encoder.config["channels"]
    patch = model["patch_size"]
    theirs = {
        "pos_embed": module.positions[None].clone(),
        "patch_embed.proj.weight": convolution(weights["tokenizer.embed.weight"], patch, channels),
        "patch_embed.proj.bias": weights["tokenizer.embed.bias"].clone(),
    }
    for name, x in weights.items():
        if name.startswith("transformer."):
            renamed = name.removeprefix("transformer.").replace(".attention.", ".attn.")
            renamed = renamed.replace(".mlp.0.", ".mlp.fc1.").replace(".mlp.2.", ".mlp.fc2.")
            theirs[renamed] = x.clone()
    save_file(theirs, folder / "model.safetensors", _METADATA)
    arguments = {
        "img_size": size[0] if size[0] == size[1] else list(size),
        "patch_size": patch,
        "in_chans": channels,
        "embed_dim": model["dim"],
        "depth": model["depth"],
        "num_heads": model["heads"],
        "mlp_ratio": model["mlp_ratio"],
        "class_token": False,
        "fc_norm": False,
        "global_pool": "avg",
        "num_classes": 0,
    }
    evaluated = {"interpolation": "bicubic", "crop_pct": 1.0, "crop_mode": "center"}
    statistics = {"mean": encoder.config["mean"], "std": encoder.config["std"]}
    write_json(
        folder / "config.json",
        {
            "architecture": "vit_base_patch16_224",  # whose every size the arguments replace
            "num_classes": 0,
            "num_features": model["dim"],
            "global_pool": "avg",
            "model_args": arguments,
            "pretrained_cfg": {
                "input_size": [channels, *size],
                "fixed_input_size": True,
                **evaluated,
                **statistics,
                "num_classes": 0,
                "pool_size": None,
                "first_conv": "patch_embed.proj",
                "classifier": "head",
            },
        },
    )


class _Deployed(nn.Module):
    """uint8 images (B, H, W, C) -> tokens (B, N, D) and their mean (B, D), normalisation included."""

    def __init__(self, encoder: Encoder):
        super().__init__()
        self.module = encoder.module
        for name in ("mean", "std"):
            values = torch.tensor(encoder.config[name]).view(1, -1, 1, 1) * 255
            self.register_buffer(name, values)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        x_BCHW = (images.permute(0, 3, 1, 2).float() - self.mean) / self.std
        tokens_BND = self.module(x_BCHW)
        return tokens_BND, tokens_BND.mean(1)


def write_onnx(encoder: Encoder, folder: Path) -> None:
    """``encoder.onnx``: ``images`` uint8 (batch, H, W, C) -> ``tokens`` float32 (batch, N, D) and
    ``embedding`` float32 (batch, D).

    Raises:
        InputError: onnx or onnxscript is not installed.
    """
    _parts(encoder)
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ModuleNotFoundError as error:
        raise InputError(
            f"--to onnx: {error.name} is not installed; pip install 'jepa-steps[onnx]'"
        ) from None
    size, channels = both(encoder.config["image_size"]), encoder.config["channels"]
    program = torch.onnx.export(
        _Deployed(encoder).eval(),
        (torch.zeros(2, *size, channels, dtype=torch.uint8),),
        input_names=["images"],
        output_names=["tokens", "embedding"],
        dynamic_shapes={"images": {0: torch.export.Dim("batch")}},
        dynamo=True,
        verbose=False,
    )
    program.save(folder / "encoder.onnx")


FORMATS: dict[str, Callable[[Encoder, Path], None]] = {
    "transformers": write_transformers,
    "timm": write_timm,
    "onnx": write_onnx,
}
