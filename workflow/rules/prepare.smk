# One step, one module; a rule for each kind of data, since their files differ.


for modality in MODALITIES:

    rule:
        name:
            f"prepare_{modality}"
        input:
            lambda w, modality=modality: list(sources(modality, w.dataset).values()),
        output:
            multiext("data/{dataset}/", *files_of(modality)),
        log:
            "logs/prepare/{dataset}.log",
        wildcard_constraints:
            dataset=one_of(config[modality]),
        # A data set that takes all cores would wait until none is busy, and all that needs it with it.
        priority: 2
        threads: needs_of(modality)["threads"]  # where there are as many
        resources:
            mem_mb=growing(lambda w, modality=modality: needs_of(modality)["mem_mb"]),
        params:
            code=code_digest("prepare", modality),
            source=source_of(modality),
            spec=lambda w, modality=modality: json.dumps(config[modality][w.dataset]),
            modality=modality,
        shell:
            "python -m jepa_steps.prepare {params.modality} --spec {params.spec:q} "
            "--out data/{wildcards.dataset} --workers {threads} 2>&1 | tee {log:q}"
