import json
import typing
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel
from support import ROOT, TINY, parse_training

from jepa_steps import config
from jepa_steps.config import experiments, settings_page, training
from jepa_steps.config.predictor import sized
from jepa_steps.errors import InputError

DATASET = {"source": "digits", "path": "x", "image_size": 8, "channels": 1}

SCREEN = {"source": "h5ad", "path": "x"}


def whole(train=None, **dataset):
    return {
        "images": {"d": {**DATASET, **dataset}},
        "experiments": {"e": {"dataset": "d", "train": train or {"encoder": "raw"}}},
    }


@pytest.mark.parametrize(
    ("value", "field", "says"),
    [
        (whole(chanels=1), "images.d", "did you mean 'channels'?"),
        (
            whole({**TINY, "optimizer": {"learning_rate": 1}}),
            "experiments.e.train.optimizer",
            "'lr'|valid keys",
        ),
        (whole({**TINY, "optimizer": {"lr": -1.0}}), "experiments.e.train.optimizer.lr", "found -1"),
        (whole({**TINY, "optimizer": {"lr": "1e-3"}}), "experiments.e.train.optimizer.lr", "1.0e-3"),
        (whole({**TINY, "batch_size": 1.5}), "experiments.e.train.batch_size", "found 1.5"),
        (whole({**TINY, "masks": {"scale": [0.3, 0.1]}}), "experiments.e.train.masks", "low <= high"),
        (whole({**TINY, "model": {"patch_size": 3}}), "experiments.e.train.model.patch_size", "divisor"),
        (
            whole({**TINY, "model": {"patch_size": 16}}),
            "experiments.e.train.model.patch_size",
            "divisor",
        ),
        (
            whole({**TINY, "model": {"patch_size": 2, "dim": 64, "heads": 5}}),
            "train.model",
            "multiple of heads",
        ),
        (
            whole({**TINY, "augment": {"target": "own"}}),
            "experiments.e.train",
            "objective.level pooled",
        ),
        (
            whole({**TINY, "objective": {"level": "pooled"}}),
            "experiments.e.train.objective",
            "expected tokens",
        ),
        (
            whole({**TINY, "objective": {"projector": 64}}),
            "experiments.e.train.objective",
            "expected null",
        ),
        (
            whole({**TINY, "augment": {"saturation": 0.4}}),
            "experiments.e.train.augment.saturation",
            "no colour",
        ),
        (whole({"encoder": "pca", "dim": 65}), "experiments.e.train.dim", "at most 64"),
        (whole({"encoder": "random"}), "experiments.e.train", "'untrained'"),
        (whole(image_size=0), "images.d.image_size", "found 0"),
        (whole(split={"val": 0.6, "test": 0.5}), "images.d.split", "sum below"),
        (whole(source="torchvision"), "images.d", "torchvision_class"),
        (whole(groups="(a)"), "images.d", "groups belongs to source folder"),
        (whole(source="folder", groups="(a"), "images.d", "not a regular expression"),
        (whole(source="folder", groups="a"), "images.d", "found 0 capture groups"),
        ({**whole(), "images": {}}, "", "found no data set, expected at least one under images"),
        (
            {**whole(), "images": {"dx": DATASET}},
            "experiments.e.dataset",
            "found 'd', did you mean 'dx'?",
        ),
        (
            {**whole(), "images": {}, "expression": {"x": SCREEN}},
            "experiments.e.dataset",
            "(there: x)",
        ),
        (
            {**whole(TINY), "images": {}, "expression": {"d": SCREEN}},
            "experiments.e.train.encoder",
            "found 'jepa', expected one of 'bio-jepa'",
        ),
        ({**whole(), "expression": {"d": SCREEN}}, "expression.d", "under images too"),
        ({"expression": {"s": {**SCREEN, "control": 7}}}, "expression.s.control", "found 7"),
        ({"expression": {"s": {**SCREEN, "perturbation": "x"}}}, "expression.s", "'perturbation_type'"),
        ({"expresion": {"s": SCREEN}}, "", "did you mean 'expression'?"),
        (
            {"images": {"a b": DATASET}},
            "images.a b",
            "found 'a b'",
        ),
    ],
)
def test_bad_settings_name_field_and_remedy_in_one_line(value, field, says):
    with pytest.raises(InputError) as error:
        config.parse(experiments.Config, value, "config.yaml")
    line = str(error.value)
    assert "\n" not in line
    assert line.startswith("config.yaml: ")
    assert field in line
    assert any(option in line for option in says.split("|"))


@pytest.mark.parametrize("value", [{"images": {"d": DATASET}}, {"expression": {"s": SCREEN}}])
def test_a_config_may_have_one_kind_of_data_and_no_experiments(value):
    loaded = config.parse(experiments.Config, value, "config.yaml")
    assert (len(loaded.images) + len(loaded.expression), loaded.experiments) == (1, {})


def test_a_key_that_stands_twice_is_one_line(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("images:\n  a: {}\nexperiments: {}\nimages:\n  b: {}\n")
    with pytest.raises(InputError, match=r"c\.yaml: lines 1 and 4: found the key 'images' twice"):
        experiments.load_config(path)
    path.write_text("a: [{b: 1,\n  b: 2}]\n<<: {c: 1}\n")
    with pytest.raises(InputError, match=r"lines 1 and 2: found the key 'b' twice"):
        config.read_yaml(path)
    path.write_text("a: {[x, x]: x, b: 1, b: 2}\n")
    with pytest.raises(InputError, match=r"lines 1 and 1: found the key 'b' twice"):
        config.read_yaml(path)
    path.write_text("a: {b: [b, b], c: {b: b}}\nb: {a: 1}\n")
    assert config.read_yaml(path) == {"a": {"b": ["b", "b"], "c": {"b": "b"}}, "b": {"a": 1}}


def test_files_that_are_not_yaml_name_the_line(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("a: 1\nb: [\n")
    with pytest.raises(InputError, match=r"c\.yaml: line \d: not valid YAML"):
        experiments.load_config(path)
    with pytest.raises(InputError, match="no such file"):
        experiments.load_config(tmp_path / "none.yaml")


def test_schema_file_is_in_step():
    file = ROOT / "workflow" / "schemas" / "config.schema.json"
    assert json.loads(file.read_text()) == experiments.schema(), (
        "python -m jepa_steps.config schema > " + str(file)
    )


def test_every_setting_says_what_it_is():
    def blocks(model):
        yield model
        for field in model.model_fields.values():
            for part in [field.annotation, *getattr(field.annotation, "__args__", ())]:
                if isinstance(part, type) and issubclass(part, config.Settings):
                    yield from blocks(part)

    seen = {
        b
        for m in (
            experiments.Config,
            *settings_page.BLOCKS.values(),
        )
        for b in blocks(m)
    }
    assert len(seen) > 12
    for block in seen:
        assert block.__doc__
        for name, field in block.model_fields.items():
            assert field.description, f"{block.__name__}.{name}"


@pytest.mark.parametrize("name", experiments.PRESETS)
def test_presets_are_valid(name):
    modality, block = experiments.PRESETS[name]
    train = training.parse_training(block, name, modality)
    assert train.optimizer.clip_norm == 1.0


@pytest.mark.parametrize("file", sorted((ROOT / "config").glob("*.yaml")), ids=lambda p: p.name)
def test_shipped_configs_are_valid_and_written_out_in_full(file: Path):
    loaded = experiments.load_config(file)
    text = yaml.safe_load(file.read_text())
    for name, dataset in loaded.expression.items():
        for block, written in (("", text["expression"][name]), *text["expression"][name].items()):
            full = config.resolved(dataset).get(block) if block else config.resolved(dataset)
            if isinstance(full, dict):
                assert set(full) == set(written), f"{name}.{block}"
    if file.stem == "digits":  # the short one to start from
        return
    for name, experiment in loaded.experiments.items():
        written = text["experiments"][name]
        for block in ("train", "embed", "monitor", "rank", "probe"):
            missing = set(config.resolved(getattr(experiment, block))) - set(written[block])
            assert not missing, f"{name}.{block}: {missing}"


def test_part_of_an_objective_of_cells_changes_its_default_and_a_kind_replaces_it():
    def kind(**objective):
        value = {"encoder": "bio-jepa", "objective": objective}
        return parse_training(value, "x").objective

    assert kind(distance="l2").kind == "ema_target+vicreg" and kind(distance="l2").variance == 1
    assert kind(kind="vicreg").variance == config.Objective().variance
    assert kind() == parse_training({"encoder": "bio-jepa"}, "x").objective


def test_the_page_of_settings_is_in_step():
    page = (ROOT / "docs" / "settings.md").read_text()
    assert page == settings_page.settings_page(), (
        "python -m jepa_steps.config settings > docs/settings.md"
    )


def test_the_page_of_settings_leaves_no_block_out():
    """Every block of settings that a config can hold has its table."""
    inside, found = [experiments.Config], set()
    while inside:
        annotation = inside.pop()
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            found.add(annotation)
            inside += [field.annotation for field in annotation.model_fields.values()]
        inside += typing.get_args(annotation)
    mine = {block for block in found if issubclass(block, experiments.Experiment | experiments.Config)}
    assert found - mine == set(settings_page.BLOCKS.values()) - {experiments.Experiment, config.JepaRun}


@pytest.mark.parametrize(
    ("model", "given", "sizes"),
    [
        ({"dim": 384, "depth": 12, "heads": 6}, {}, (192, 6, 6)),
        ({"dim": 32, "depth": 2, "heads": 1}, {}, (16, 1, 1)),
        ({"dim": 36, "depth": 3, "heads": 3}, {}, (24, 2, 3)),
        ({"dim": 4, "depth": 1, "heads": 1}, {}, (4, 1, 1)),
        ({"dim": 384, "depth": 12, "heads": 6}, {"dim": 64, "depth": 1, "heads": 2}, (64, 1, 2)),
    ],
)
def test_a_predictor_is_half_of_its_encoder_unless_sizes_are_given(model, given, sizes):
    spec = {"encoder": "jepa", "model": {"patch_size": 2, **model}, "predictor": given}
    run = parse_training(spec, "test")
    predictor = sized(run.predictor, run.model)
    assert (predictor.dim, predictor.depth, predictor.heads) == sizes
    assert predictor.dim <= run.model.dim


def test_a_predictor_width_that_the_encoders_heads_do_not_divide_is_one_line():
    spec = {
        "encoder": "jepa",
        "model": {"patch_size": 2, "dim": 96, "heads": 6},
        "predictor": {"dim": 64},
    }
    with pytest.raises(
        InputError, match="predictor: dim 64 is not a multiple of heads 6, which are the enc"
    ):
        parse_training(spec, "test")


@pytest.mark.parametrize("name", ["no", "on", "1"])
def test_a_name_that_yaml_reads_as_another_value_is_one_line(name, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(f"images:\n  {name}: {{source: digits, path: x, image_size: 8, channels: 1}}\n")
    with pytest.raises(InputError, match=r"images: found the name .*, expected text; .*quotes"):
        experiments.load_config(path)


def test_what_can_be_known_before_training_is_an_error_of_the_config():
    """A batch that does not divide among processes; a horizon beyond what is forecast."""
    split = whole({**TINY, "batch_size": 126})
    split["experiments"]["e"]["resources"] = {"nodes": 2, "gpus": 2}
    with pytest.raises(
        InputError,
        match=r"e\.train\.batch_size: found 126, expected a multiple of 4 \(resources.nodes 2 x 2 per node",
    ):
        config.parse(experiments.Config, split, "test")
    split["experiments"]["e"]["resources"] = {"nodes": 2}
    config.parse(experiments.Config, split, "test")
    video = {"source": "frames", "path": "x", "image_size": 24, "clip_length": 8}
    clip = {
        "dataset": "v",
        "train": {"encoder": "video-jepa", "model": {"tubelet_length": 2, "patch_size": 4}},
    }
    whole_video = {
        "video": {"v": video},
        "experiments": {"e": {**clip, "evaluate": {"past": 3, "horizons": [2]}}},
    }
    with pytest.raises(InputError, match=r"e\.evaluate\.horizons: found 2, expected at most 1"):
        config.parse(experiments.Config, whole_video, "test")
    series = {"source": "table", "path": "x.csv", "context_length": 48, "target_length": 24}
    far = {"dataset": "s", "train": {"encoder": "raw"}, "evaluate": {"horizons": [6, 48]}}
    with pytest.raises(
        InputError, match=r"e\.evaluate\.horizons: found 48, expected at most target_length 24"
    ):
        config.parse(experiments.Config, {"series": {"s": series}, "experiments": {"e": far}}, "test")
