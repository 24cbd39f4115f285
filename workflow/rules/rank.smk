rule rank:
    input:
        embed=multiext(
            "results/embed/{experiment}/",
            "embeddings.npy",
            "tokens.npy",
            "views.npy",
            "embed.json",
        ),
        splits=splits,
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
        report(
            "results/rank/{experiment}/correlation.svg",
            caption="../report/correlation.rst",
            category="Rank",
            subcategory="{experiment}",
            labels={"figure": "correlation"},
        ),
    log:
        "logs/rank/{experiment}.log",
    group:
        "judge"
    params:
        code=code_digest("rank"),
        spec=spec("rank"),
    shell:
        "python -m jepa_steps.rank --spec {params.spec:q} --embeddings {input.embed[0]:q} "
        "--tokens {input.embed[1]:q} --views {input.embed[2]:q} --splits {input.splits[0]:q} "
        "--out results/rank/{wildcards.experiment} 2>&1 | tee {log:q}"
