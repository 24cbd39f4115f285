rule train:
    input:
        data=prepared,
    output:
        multiext(
            "results/train/{experiment}/",
            "encoder.safetensors",
            "encoder.json",
            "snapshots.safetensors",
            "best.safetensors",
            "jepa.safetensors",
            "metrics.csv",
            "validation.csv",
            "timing.csv",
            "summary.json",
        ),
    log:
        "logs/train/{experiment}.log",
    benchmark:
        "benchmarks/snakemake/train/{experiment}.tsv"
    threads: threads_of
    resources:
        mem_mb=4000,
        runtime="4h",
    params:
        code=code_digest("train"),
        spec=spec("train"),
        data=dataset_of,
    shell:
        "python -m jepa_steps.train --spec {params.spec:q} --data {params.data:q} "
        "--out results/train/{wildcards.experiment} "
        "--checkpoints checkpoints/{wildcards.experiment} 2>&1 | tee {log:q}"
