rule probe:
    input:
        embeddings="results/embed/{experiment}/embeddings.npy",
        poolings="results/embed/{experiment}/poolings.safetensors",
        tokens="results/embed/{experiment}/tokens.npy",
        description="results/embed/{experiment}/embed.json",
        splits=splits,
    output:
        multiext(
            "results/probe/{experiment}/",
            "probe.json",
            "classes.csv",
            "predictions.csv",
            "targets.csv",
            "probe.safetensors",
        ),
        report(
            "results/probe/{experiment}/confusion.svg",
            caption="../report/confusion.rst",
            category="Probe",
            subcategory="{experiment}",
            labels={"figure": "confusion"},
        ),
        report(
            "results/probe/{experiment}/components.svg",
            caption="../report/components.rst",
            category="Embeddings",
            subcategory="{experiment}",
            labels={"figure": "two principal components"},
        ),
    log:
        "logs/probe/{experiment}.log",
    group:
        "judge"
    params:
        code=code_digest("probe"),
        spec=spec("probe"),
    shell:
        "python -m jepa_steps.probe --spec {params.spec:q} --embeddings {input.embeddings:q} "
        "--poolings {input.poolings:q} --tokens {input.tokens:q} --splits {input.splits[0]:q} "
        "--out results/probe/{wildcards.experiment} 2>&1 | tee {log:q}"
