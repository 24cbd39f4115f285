rule evaluate:
    input:
        train=multiext(
            "results/train/{experiment}/", "encoder.json", "jepa.safetensors"
        ),
        data=prepared,
    output:
        multiext(
            "results/evaluate/{experiment}/",
            "evaluation.json",
            "scores.csv",
            "predictions.npy",
        ),
        report(
            "results/evaluate/{experiment}/effects.svg",
            caption="../report/effects.rst",
            category="Perturbations",
            subcategory="{experiment}",
            labels={"figure": "predicted effects"},
        ),
    log:
        "logs/evaluate/{experiment}.log",
    group:
        "judge"
    threads: threads_of("evaluate")
    resources:
        mem_mb=growing(lambda w: 4000),
    params:
        code=code_digest("evaluate"),
        spec=spec("evaluate"),
        data=dataset_of,
    shell:
        "python -m jepa_steps.evaluate --spec {params.spec:q} --data {params.data:q} "
        "--train results/train/{wildcards.experiment} "
        "--out results/evaluate/{wildcards.experiment} 2>&1 | tee {log:q}"
