"""The workflow inside another one: with ``module``, and as snakedeploy writes it."""

from pathlib import Path

import pytest
import snakemake_server
import yaml
from support import ROOT

OWN_RULES = """
configfile: "config/mine.yaml"

module jepa:
    snakefile: "{root}/Snakefile"
    config: config["jepa"]

use rule * from jepa as jepa_*

rule copy:
    default_target: True
    input: rules.jepa_report.output[4]
    output: "copied.html"
    shell: "cp {{input}} {{output}}"
"""
# As snakedeploy 0.17 writes it, but for github(...) in the place of the path.
DEPLOYED = """
configfile: "config/mine.yaml"

module jepa_steps:
    snakefile:
        "{root}/workflow/Snakefile"
    config:
        config

use rule * from jepa_steps
"""


@pytest.mark.parametrize(
    ("text", "block", "last"),
    [
        (OWN_RULES, "jepa", {"copy", "jepa_report", "jepa_train"}),
        (DEPLOYED, None, {"default", "report"}),
    ],
    ids=["module", "snakedeploy"],
)
def test_it_plans_inside_another_workflow(text, block, last, tmp_path: Path):
    config = yaml.safe_load((ROOT / "config" / "digits.yaml").read_text())
    (tmp_path / "config" / "cards").mkdir(parents=True)
    (tmp_path / "config" / "cards" / "digits.md").touch()
    mine = {block: config, "other": 1} if block else config
    (tmp_path / "config" / "mine.yaml").write_text(yaml.safe_dump(mine))
    (tmp_path / "Snakefile").write_text(text.format(root=ROOT))
    code, said = snakemake_server.run("-n", "--cores", "2", cwd=tmp_path)
    assert code == 0, said
    assert last <= {line.split()[0] for line in said.split("Job stats:")[1].splitlines() if line.strip()}


def test_the_catalog_finds_what_it_asks_for():
    """https://snakemake.github.io/snakemake-workflow-catalog: standardized usage."""
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert set(usage) == {"mandatory-flags", "software-stack-deployment", "report"}
    assert usage["report"] is True and set(usage["mandatory-flags"]) == {"desc", "flags"}
    assert set(usage["software-stack-deployment"]) == {"conda", "apptainer", "apptainer+conda"}
    readme = (ROOT / "README.md").read_text().lower()
    assert "snakemake" in readme and "workflow" in readme
    for name in ("workflow/Snakefile", "config/README.md", "workflow/rules/common.smk"):
        assert (ROOT / name).is_file()
