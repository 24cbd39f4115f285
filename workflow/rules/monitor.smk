rule monitor:
    input:
        embed=multiext(
            "results/embed/{experiment}/",
            "embeddings.npy",
            "tokens.npy",
            "snapshots.npy",
            "views.npy",
            "embed.json",
        ),
        train=multiext(
            "results/train/{experiment}/",
            "encoder.json",
            "metrics.csv",
            "validation.csv",
            "timing.csv",
        ),
        splits=lambda w: f"{dataset_of(w)}/splits.csv",
    output:
        multiext(
            "results/monitor/{experiment}/",
            "monitor.json",
            "snapshots.csv",
            "masks.svg",
            "norms.svg",
            "rates.svg",
            "spectra.svg",
            "std.svg",
            "throughput.svg",
        ),
        report(
            "results/monitor/{experiment}/losses.svg",
            caption="../report/losses.rst",
            category="Training",
            subcategory="{experiment}",
            labels={"figure": "losses"},
        ),
        report(
            "results/monitor/{experiment}/over_training.svg",
            caption="../report/over_training.rst",
            category="Training",
            subcategory="{experiment}",
            labels={"figure": "rank over training"},
        ),
    log:
        "logs/monitor/{experiment}.log",
    params:
        code=code_digest("monitor"),
        spec=spec("monitor"),
        data=dataset_of,
    shell:
        "python -m jepa_steps.monitor --spec {params.spec:q} --data {params.data:q} "
        "--embed results/embed/{wildcards.experiment} --train results/train/{wildcards.experiment} "
        "--out results/monitor/{wildcards.experiment} 2>&1 | tee {log:q}"
