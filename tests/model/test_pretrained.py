"""Published weights: tokens as their own library gives them, and folders that are refused.

No weights can be fetched here: models of the libraries' classes with random weights, made small, saved and
loaded again, are the proof.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from jepa_steps.errors import InputError
from jepa_steps.model import pretrained
from jepa_steps.model.pretrained import timm_folder, transformers_folder
from jepa_steps.model.pretrained.initial import as_initial
from jepa_steps.model.pretrained.preprocessing import of_plain

SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 8,
}
SWIN = {"image_size": 32, "patch_size": 2, "embed_dim": 8, "depths": [1, 1], "num_heads": [2, 2]}
CONVOLUTIONS = {"hidden_sizes": [8, 8, 8, 16], "depths": [1, 1, 1, 1]}
# The table "which classes of transformers are loaded": settings, special tokens, grid.
TRANSFORMERS = {
    "IJepaModel": (SMALL, 0, (4, 4)),
    "IJepaForImageClassification": (SMALL, 0, (4, 4)),
    "ViTModel": (SMALL, 1, (4, 4)),
    "ViTForImageClassification": (SMALL, 1, (4, 4)),
    "Dinov2Model": (SMALL, 1, (4, 4)),
    "Dinov2WithRegistersModel": (SMALL, 5, (4, 4)),
    "DINOv3ViTModel": (SMALL | {"num_register_tokens": 3}, 4, (4, 4)),
    "ViTMAEModel": (SMALL, 1, (4, 4)),
    "ViTMAEForPreTraining": (SMALL, 1, (4, 4)),
    "DeiTModel": (SMALL, 2, (4, 4)),
    "BeitModel": (SMALL, 1, (4, 4)),
    "Data2VecVisionModel": (SMALL, 1, (4, 4)),
    "ViTMSNModel": (SMALL, 1, (4, 4)),
    "CLIPVisionModel": (SMALL, 1, (4, 4)),
    "SiglipVisionModel": (SMALL, 0, (4, 4)),
    "SwinModel": (SWIN | {"window_size": 4}, 0, (8, 8)),
    "Swinv2Model": (SWIN | {"window_size": 4}, 0, (8, 8)),
    "ConvNextModel": (CONVOLUTIONS, 0, (1, 1)),
    "ConvNextV2Model": (CONVOLUTIONS, 0, (1, 1)),
    "ResNetModel": (CONVOLUTIONS | {"embedding_size": 8}, 0, (1, 1)),
}
CLIPS = {
    "VJEPA2Model": (
        {"crop_size": 32, "patch_size": 8, "frames_per_clip": 4, "hidden_size": 24}
        | {"num_attention_heads": 4, "num_hidden_layers": 2, "pred_hidden_size": 24}
        | {"pred_num_attention_heads": 4, "pred_num_hidden_layers": 1},
        0,
    ),
    "VideoMAEModel": (SMALL | {"num_frames": 4}, 0),
    "VivitModel": ({k: v for k, v in SMALL.items() if k != "patch_size"} | {"num_frames": 4}, 1),
}
CLIPS["VivitModel"][0]["tubelet_size"] = [2, 8, 8]
VIT = {"img_size": 32, "embed_dim": 32, "depth": 2, "num_heads": 2}
# The same of timm: arguments, special tokens, grid.
TIMM = {
    "vit_tiny_patch16_224": (VIT | {"patch_size": 8}, 1, (4, 4)),
    "vit_small_patch14_reg4_dinov2": (VIT | {"img_size": 28}, 5, (2, 2)),
    "vit_small_patch16_dinov3": (VIT, 5, (2, 2)),
    "vit_base_patch16_siglip_224": (VIT, 0, (2, 2)),
    "deit_tiny_distilled_patch16_224": (VIT, 2, (2, 2)),
    "beit_base_patch16_224": (VIT, 1, (2, 2)),
    "swin_tiny_patch4_window7_224": (
        {"img_size": 32, "window_size": 4, "embed_dim": 8, "depths": [1, 1], "num_heads": [1, 1]},
        0,
        (4, 4),
    ),
    "convnext_atto": ({"dims": [8, 8, 8, 16], "depths": [1, 1, 1, 1]}, 0, (7, 7)),
    "resnet18": ({}, 0, (7, 7)),
}
PIXELS = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def transformers():
    pytest.importorskip("transformers", reason="pip install 'jepa-steps[pretrained]'")
    return transformers_folder.library()


@pytest.fixture(scope="module")
def timm():
    pytest.importorskip("timm", reason="pip install 'jepa-steps[pretrained]'")
    return timm_folder.library()


def saved(transformers, name: str, settings: dict, folder: Path):
    """A small model of a class with random weights, saved with a preprocessing that resizes nothing."""
    cls = getattr(transformers, name)
    torch.manual_seed(0)
    model = cls(cls.config_class(**settings)).eval()
    model.save_pretrained(folder)
    write_preprocessing(folder)
    return model


def write_preprocessing(folder: Path, **changes) -> None:
    found = {"do_resize": True, "size": {"height": 32, "width": 32}, "resample": 3}
    found |= {"do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True}
    found |= {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.5, 0.6, 0.7]}
    (folder / "preprocessor_config.json").write_text(json.dumps(found | changes))


def loaded(folder: Path, frames: int = 0):
    """(encoder with the folder's weights, its preprocessing, what is said of the weights)."""
    description = pretrained.describe(folder, 3)
    encoder = pretrained.build(description, 0, frames)
    looks = pretrained.load(folder, description, encoder, frames)
    return encoder.eval(), of_plain(description["preprocessing"]), looks


def tokens(given: torch.Tensor, special: int) -> torch.Tensor:
    return given[:, special:] if given.ndim == 3 else given.flatten(2).mT


@pytest.mark.parametrize("name", TRANSFORMERS)
@torch.no_grad()
def test_classes_of_transformers_give_the_tokens_that_transformers_gives(name, transformers, tmp_path):
    settings, special, grid = TRANSFORMERS[name]
    model = saved(transformers, name, settings, tmp_path)
    encoder, preprocessing, looks = loaded(tmp_path)
    x = preprocessing(PIXELS)
    body = model if "For" not in name else model.base_model
    if "MAE" in name:  # whose tokens come in a drawn order, which it tells
        model.config.mask_ratio = 0.0
        given = body(x)
        places = given.ids_restore[..., None].expand(-1, -1, 32)
        expected = given.last_hidden_state[:, 1:].gather(1, places)
    else:
        expected = tokens(body(x).last_hidden_state, special)
    assert encoder.grid == grid and encoder.special == special
    assert float((encoder(x) - expected).abs().max()) <= 1e-5
    assert encoder.class_token == (special > 0)
    assert looks["as_initial"] >= 0.9 * looks["tensors"] > 0  # random weights are seen to be random
    keep = torch.tensor([[0], [0], [0]])
    assert torch.equal(encoder(x, keep), encoder(x)[:, :1])


@pytest.mark.parametrize("name", CLIPS)
@torch.no_grad()
def test_classes_of_clips_give_the_tokens_that_transformers_gives(name, transformers, tmp_path):
    settings, special = CLIPS[name]
    model = saved(transformers, name, settings, tmp_path)
    encoder, preprocessing, _ = loaded(tmp_path, frames=4)
    x = preprocessing(np.concatenate([PIXELS, PIXELS])[:4])[None]
    more = {"skip_predictor": True} if name == "VJEPA2Model" else {}
    expected = model(x, **more).last_hidden_state[:, special:]
    assert encoder.grid == (2, 4, 4)
    assert float((encoder(x) - expected).abs().max()) <= 1e-5
    with pytest.raises(InputError, match=r"an encoder of clips, expected one of single frames"):
        pretrained.build(pretrained.describe(tmp_path, 3), 0)


@pytest.mark.parametrize("name", TIMM)
@torch.no_grad()
def test_models_of_timm_give_the_tokens_that_timm_gives(name, timm, tmp_path):
    arguments, special, grid = TIMM[name]
    torch.manual_seed(0)
    model = timm.create_model(name, **arguments).eval()
    timm.models.save_for_hf(model, tmp_path, safe_serialization=True, model_args=arguments)
    encoder, preprocessing, _ = loaded(tmp_path)
    stated = json.loads((tmp_path / "config.json").read_text())["pretrained_cfg"]
    data = timm.data.create_transform(**timm.data.resolve_data_config(pretrained_cfg=stated))
    from PIL import Image

    theirs = torch.stack([data(Image.fromarray(image)) for image in PIXELS])
    assert torch.allclose(preprocessing(PIXELS), theirs, atol=1e-6)
    given = model.forward_features(theirs)
    given = given.permute(0, 3, 1, 2) if getattr(model, "output_fmt", "") == "NHWC" else given
    if name != "vit_small_patch16_dinov3":  # saved with the size of its default, 256
        assert encoder.grid == grid
    assert encoder.special == special
    assert float((encoder(theirs) - tokens(given, special)).abs().max()) <= 1e-5


@torch.no_grad()
def test_last_layers_and_the_class_token_are_the_librarys(transformers, tmp_path):
    model = saved(transformers, "ViTModel", SMALL, tmp_path)
    encoder, preprocessing, _ = loaded(tmp_path)
    x = preprocessing(PIXELS)
    given = model(x, output_hidden_states=True)
    first, last = encoder.layers(x, 2)
    assert torch.allclose(first, given.hidden_states[-2][:, 1:], atol=1e-6)
    assert torch.allclose(last, given.last_hidden_state[:, 1:], atol=1e-6)
    assert torch.allclose(encoder.summary(x), given.last_hidden_state[:, 0], atol=1e-6)


def test_a_shorter_side_alone_is_a_size(transformers, tmp_path):
    saved(transformers, "ViTModel", SMALL, tmp_path)
    write_preprocessing(tmp_path, size={"shortest_edge": 32})
    encoder, preprocessing, _ = loaded(tmp_path)
    larger = PIXELS.repeat(2, axis=1).repeat(2, axis=2)
    assert (
        preprocessing(larger).shape == (3, 3, 32, 32) and encoder(preprocessing(larger)).shape[1] == 16
    )


PROCESSORS = {
    "ViTImageProcessor": {"size": {"height": 24, "width": 24}},
    "BitImageProcessor": {"size": {"shortest_edge": 41}, "crop_size": {"height": 32, "width": 32}},
    "CLIPImageProcessor": {"size": {"shortest_edge": 24}, "crop_size": {"height": 17, "width": 17}},
    "ConvNextImageProcessor": {"size": {"shortest_edge": 28}},
    "SiglipImageProcessor": {"size": {"height": 16, "width": 16}, "resample": 2},
}


@pytest.mark.parametrize("name", PROCESSORS)
def test_preprocessing_is_that_of_the_folders_processor(name, transformers, tmp_path):
    processor = getattr(transformers, f"{name}Pil", None) or getattr(transformers, name)
    processor = processor(**PROCESSORS[name])
    processor.save_pretrained(tmp_path)
    from jepa_steps.model.pretrained.preprocessing import of_transformers

    ours = of_transformers(tmp_path)(PIXELS)
    images = list(PIXELS.transpose(0, 3, 1, 2))
    theirs = processor(images, return_tensors="pt", input_data_format="channels_first")["pixel_values"]
    assert ours.shape == theirs.shape
    assert float((ours - theirs).abs().max()) <= 1e-5


def test_a_folder_without_its_pooler_is_taken_and_gives_the_same_bytes(transformers, tmp_path):
    torch.manual_seed(0)
    model = transformers.ViTModel(transformers.ViTConfig(**SMALL), add_pooling_layer=False).eval()
    model.save_pretrained(tmp_path)
    write_preprocessing(tmp_path)
    (encoder, preprocessing, _), (again, _, _) = loaded(tmp_path), loaded(tmp_path)
    x = preprocessing(PIXELS)
    with torch.no_grad():
        expected = model(x).last_hidden_state[:, 1:]
        assert float((encoder(x) - expected).abs().max()) <= 1e-5
    pairs = zip(encoder.state_dict().values(), again.state_dict().values(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_grey_pixels_are_repeated_and_other_channels_refused(transformers, tmp_path):
    saved(transformers, "ViTModel", SMALL, tmp_path)
    preprocessing = of_plain(pretrained.describe(tmp_path, 1)["preprocessing"])
    grey = PIXELS[..., :1]
    assert torch.equal(preprocessing(grey), preprocessing(grey.repeat(3, axis=-1)))
    with pytest.raises(InputError, match="takes 3 channels, found 5"):
        pretrained.describe(tmp_path, 5)


def renamed(folder: Path) -> None:
    path = folder / "model.safetensors"
    weights = load_file(path)
    save_file({name.replace("layer.0", "block.0"): x for name, x in weights.items()}, path, PT)


def shortened(folder: Path) -> None:
    path = folder / "model.safetensors"
    save_file({k: x for k, x in load_file(path).items() if "layer.1" not in k}, path, PT)


def reshaped(folder: Path) -> None:
    path, key = folder / "model.safetensors", "layernorm.weight"
    save_file(load_file(path) | {key: torch.ones(7)}, path, PT)


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")


def another(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config |= {"architectures": ["Dinov2Model"], "model_type": "dinov2"}
    (folder / "config.json").write_text(json.dumps(config))


def edited(**changes) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return edit


PT = {"format": "pt"}
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
WRONG: dict[str, tuple[Callable[[Path], None], str]] = {
    "pickle only": (pickled, r"found only pytorch_model\.bin, a pickle, which can run code"),
    "another architecture": (
        another,
        r"weights do not fit Dinov2Model: found keys \d+ missing .*unexpected",
    ),
    "missing keys": (shortened, r"weights do not fit ViTModel: found keys \d+ missing"),
    "renamed keys": (renamed, r"weights do not fit ViTModel: found keys \d+ missing .* \d+ unexpected"),
    "another shape": (
        reshaped,
        r"layernorm\.weight: found the shape \(7,\), expected \(32,\) by config\.json",
    ),
    "zero size": (lambda f: (f / "model.safetensors").write_bytes(b""), "found 0 bytes"),
    "pointer": (lambda f: (f / "model.safetensors").write_text(POINTER), "run git lfs pull there"),
    "damaged": (lambda f: (f / "model.safetensors").write_bytes(b"\x10" * 99), "cannot be read"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "found no weights"),
    "no preprocessing": (lambda f: (f / "preprocessor_config.json").unlink(), "no preprocessor_config"),
    "padding": (lambda f: write_preprocessing(f, do_pad=True), r"found do_pad, expected none but"),
    "another size": (
        lambda f: write_preprocessing(f, size={"height": 64, "width": 64}),
        r"cannot be applied to the 64 x 64 pixels that the folder's preprocessing gives",
    ),
    "no size": (lambda f: write_preprocessing(f, do_resize=False), "expected a size of images"),
    "statistics of two lengths": (
        lambda f: write_preprocessing(f, image_std=[0.5, 0.5]),
        "one per channel, image_std above 0",
    ),
    "no scale": (lambda f: write_preprocessing(f, rescale_factor=None), "rescale_factor: found None"),
    "no config": (lambda f: (f / "config.json").unlink(), "found no config.json"),
    "broken config": (lambda f: (f / "config.json").write_text("{"), r"config\.json: cannot be read"),
    "code of its own": (edited(auto_map={"AutoModel": "x.Y"}), "is code of its own and is not run"),
    "unknown class": (edited(architectures=["MyModel"]), r"found 'MyModel', which transformers .* have"),
    "no class": (edited(architectures=None), r"architectures: found \[\], expected one class"),
    "a text model": (edited(architectures=["BertModel"]), "whose tokens are not known here|cannot be"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_folders_give_one_line(case, transformers, tmp_path):
    saved(transformers, "ViTModel", SMALL, tmp_path)
    spoil, message = WRONG[case]
    spoil(tmp_path)
    with pytest.raises(InputError, match=message) as caught:
        loaded(tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value) or "train.path" in str(caught.value)


def test_an_unknown_architecture_of_timm_and_other_keys_give_one_line(timm, tmp_path):
    arguments = TIMM["vit_tiny_patch16_224"][0]
    model = timm.create_model("vit_tiny_patch16_224", **arguments)
    timm.models.save_for_hf(model, tmp_path, safe_serialization=True, model_args=arguments)
    config = json.loads((tmp_path / "config.json").read_text())
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config | {"architecture": "hf-hub:someone/model"}))
    with pytest.raises(InputError, match="found 'hf-hub:someone/model', which timm"):
        pretrained.describe(tmp_path, 3)
    path.write_text(json.dumps(config | {"architecture": "vit_small_patch16_dinov3"}))
    with pytest.raises(InputError, match=r"weights do not fit vit_small_patch16_dinov3: found keys"):
        loaded(tmp_path)


def test_trained_weights_do_not_look_initial_and_a_fresh_build_does():
    def build(seed: int) -> dict[str, torch.Tensor]:
        torch.manual_seed(seed)
        model = torch.nn.Sequential(
            torch.nn.Linear(40, 50), torch.nn.LayerNorm(50), torch.nn.Linear(50, 3)
        )
        return {name: x.detach().clone() for name, x in model.state_dict().items()}

    fresh, other = build(0), build(1)
    assert as_initial(build(2), fresh, other) == (6, 6)
    trained = {name: x * 4 + 1 for name, x in build(2).items()}
    assert as_initial(trained, fresh, other)[0] == 0


def test_fixed_codes_tell_nothing_of_training():
    codes = {"positions": torch.arange(10.0)}
    assert as_initial(codes, codes, codes) == (0, 0)
