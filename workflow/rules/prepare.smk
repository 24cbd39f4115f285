# One step, one module; a rule for each modality, since their files differ.


rule prepare:
    input:
        source=lambda w: config["images"][w.dataset]["path"],
    output:
        multiext("data/{dataset}/", *IMAGES),
    log:
        "logs/prepare/{dataset}.log",
    wildcard_constraints:
        dataset=one_of(config["images"]),
    threads: 8  # where there are as many
    params:
        code=code_digest("prepare"),
        spec=lambda w: json.dumps(config["images"][w.dataset]),
    shell:
        "python -m jepa_steps.prepare --spec {params.spec:q} --out data/{wildcards.dataset} "
        "--workers {threads} 2>&1 | tee {log:q}"


rule prepare_expression:
    input:
        files_of_expression,
    output:
        multiext("data/{dataset}/", *CELLS),
    log:
        "logs/prepare/{dataset}.log",
    wildcard_constraints:
        dataset=one_of(config["expression"]),
    resources:
        mem_mb=1000,
    params:
        code=code_digest("prepare_expression"),
        spec=lambda w: json.dumps(config["expression"][w.dataset]),
    shell:
        "python -m jepa_steps.prepare --modality expression --spec {params.spec:q} "
        "--out data/{wildcards.dataset} 2>&1 | tee {log:q}"
