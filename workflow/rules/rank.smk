rule rank:
    input:
        embeddings="results/embed/{experiment}/embeddings.npy",
        splits=lambda w: f"{dataset_of(w)}/splits.csv",
    output:
        "results/rank/{experiment}/rank.json",
        "results/rank/{experiment}/spectrum.csv",
        report(
            "results/rank/{experiment}/spectrum.svg",
            caption="../report/spectrum.rst",
            category="Rank",
            subcategory="{experiment}",
            labels={"figure": "spectrum"},
        ),
    log:
        "logs/rank/{experiment}.log",
    params:
        code=code_digest("rank"),
        spec=spec("rank"),
    shell:
        "python -m jepa_steps.rank --spec {params.spec:q} --embeddings {input.embeddings:q} "
        "--splits {input.splits:q} --out results/rank/{wildcards.experiment} 2>&1 | tee {log:q}"
