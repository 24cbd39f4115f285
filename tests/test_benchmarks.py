"""Benchmarks that need another machine run here in small, so that they still run there."""

import subprocess
import sys

import pytest
from support import ROOT


@pytest.mark.slow
def test_the_measurement_of_a_gpu_runs_on_a_cpu():
    command = [sys.executable, "-W", "ignore", "benchmarks/gpu.py", "--smoke"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    wanted = ("matmul peak", "GB/s", "plain: MFU", "compiled: MFU", "end to end", "embeds")
    wanted += (
        "resume at step 5 of 10, plain: equal to the bit",
        "deterministic kernels",
        "mean loss of",
    )
    assert all(text in done.stdout for text in wanted), done.stdout
