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
            "results/evaluate/{experiment}/evaluation.svg",
            caption="../report/evaluation.rst",
            category="Predictions",
            subcategory="{experiment}",
            labels={"figure": "predictions beside baselines"},
        ),
    log:
        "logs/evaluate/{experiment}.log",
    group:
        "judge"
    threads: threads_of("evaluate")
    resources:
        mem_mb=growing(lambda w: 4000),
    params:
        code=code("evaluate"),
        spec=spec("evaluate"),
        data=dataset_of,
    shell:
        "python -m jepa_steps.evaluate --spec {params.spec:q} --data {params.data:q} "
        "--train results/train/{wildcards.experiment} "
        "--out results/evaluate/{wildcards.experiment} 2>&1 | tee {log:q}"
