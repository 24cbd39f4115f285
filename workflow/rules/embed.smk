rule embed:
    input:
        encoder=multiext(
            "results/train/{experiment}/",
            "encoder.safetensors",
            "encoder.json",
            "snapshots.safetensors",
            "jepa.safetensors",
        ),
        data=prepared,
    output:
        multiext(
            "results/embed/{experiment}/",
            "embeddings.npy",
            "tokens.npy",
            "snapshots.npy",
            "poolings.safetensors",
            "views.npy",
            "embed.json",
        ),
    log:
        "logs/embed/{experiment}.log",
    group:
        "judge"
    threads: threads_of("embed")
    resources:
        mem_mb=growing(lambda w: 4000),
    params:
        code=code("embed"),
        spec=spec("embed"),
        data=dataset_of,
    shell:
        "python -m jepa_steps.embed --spec {params.spec:q} --data {params.data:q} "
        "--encoder results/train/{wildcards.experiment} "
        "--out results/embed/{wildcards.experiment} 2>&1 | tee {log:q}"
