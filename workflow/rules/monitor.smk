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
        evaluation="results/evaluate/{experiment}/evaluation.json",
        data=prepared,
    output:
        "results/monitor/{experiment}/monitor.json",
        "results/monitor/{experiment}/snapshots.csv",
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
            labels={"figure": "schedules"},
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
        report(
            "results/monitor/{experiment}/norms.svg",
            caption="../report/norms.rst",
            category="Training",
            subcategory="{experiment}",
            labels={"figure": "norms"},
        ),
        report(
            "results/monitor/{experiment}/throughput.svg",
            caption="../report/throughput.rst",
            category="Training",
            subcategory="{experiment}",
            labels={"figure": "throughput"},
        ),
        report(
            "results/monitor/{experiment}/spectra.svg",
            caption="../report/spectra.rst",
            category="Rank",
            subcategory="{experiment}",
            labels={"figure": "spectra over training"},
        ),
        report(
            "results/monitor/{experiment}/samples.svg",
            caption="../report/samples.rst",
            category="Training",
            subcategory="{experiment}",
            labels={"figure": "masks on images"},
        ),
        report(
            "results/monitor/{experiment}/neighbours.svg",
            caption="../report/neighbours.rst",
            category="Embeddings",
            subcategory="{experiment}",
            labels={"figure": "nearest neighbours"},
        ),
    log:
        "logs/monitor/{experiment}.log",
    group:
        "judge"
    params:
        code=code("monitor"),
        spec=spec("monitor"),
        data=dataset_of,
    shell:
        "python -m jepa_steps.monitor --spec {params.spec:q} --data {params.data:q} "
        "--embed results/embed/{wildcards.experiment} --train results/train/{wildcards.experiment} "
        "--evaluation {input.evaluation:q} "
        "--out results/monitor/{wildcards.experiment} 2>&1 | tee {log:q}"
