rule prepare:
    input:
        source=lambda w: config["datasets"][w.dataset]["path"],
    output:
        multiext("data/{dataset}/", "images.npy", "splits.csv", "manifest.json"),
    log:
        "logs/prepare/{dataset}.log",
    threads: workflow.cores
    params:
        code=code_digest("prepare"),
        spec=lambda w: json.dumps(config["datasets"][w.dataset]),
    shell:
        "python -m jepa_steps.prepare --spec {params.spec:q} --out data/{wildcards.dataset} "
        "--workers {threads} 2>&1 | tee {log:q}"
