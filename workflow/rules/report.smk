rule report:
    input:
        reported(),
    output:
        multiext(
            "results/report/",
            "summary.csv",
            "summary.md",
            "history.csv",
        ),
        directory("results/report/metrics"),
        report(
            "results/report/report.html",
            caption="../report/report.rst",
            category="Report",
            labels={"figure": "the whole page"},
        ),
        report(
            "results/report/comparison.svg",
            caption="../report/comparison.rst",
            category="Report",
            labels={"figure": "comparison"},
        ),
        report(
            "results/report/few_labels.svg",
            caption="../report/few_labels.rst",
            category="Report",
            labels={"figure": "few labels"},
        ),
    log:
        "logs/report.log",
    params:
        code=code_digest("report", *MODALITIES),
        experiments=list(config["experiments"]),
        data=data_folders(),
    shell:
        "python -m jepa_steps.report --results results --data {params.data:q} "
        "--experiments {params.experiments:q} --out results/report 2>&1 | tee {log:q}"
