rule monitor:
    input:
        embed=multiext(
            "results/embed/{experiment}/",
            "embeddings.npy",
            "tokens.npy",
            "snapshots.npy",
            "embed.json",
        ),
        train=multiext("results/train/{experiment}/", "metrics.csv", "encoder.json"),
        splits=lambda w: f"{dataset_of(w)}/splits.csv",
    output:
        multiext(
            "results/monitor/{experiment}/",
            "monitor.json",
            "snapshots.csv",
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
        report(
            "results/monitor/{experiment}/rates.svg",
            caption="../report/rates.rst",
            category="Training",
            subcategory="{experiment}",
            labels={"figure": "schedules and norms"},
        ),
        report(
            "results/monitor/{experiment}/masks.svg",
            caption="../report/masks.rst",
            category="Training",
            subcategory="{experiment}",
            labels={"figure": "masks"},
        ),
        report(
            "results/monitor/{experiment}/std.svg",
            caption="../report/std.rst",
            category="Embeddings",
            subcategory="{experiment}",
            labels={"figure": "spread by dimension"},
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
