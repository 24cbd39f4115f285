rule report:
    input:
        collect(
            "results/{path}",
            path=[
                f"{step}/{experiment}/{name}"
                for experiment in config["experiments"]
                for step, names in REPORTED.items()
                for name in names
            ],
        ),
    output:
        multiext(
            "results/report/",
            "summary.csv",
            "summary.md",
            "metrics.json",
            "history.csv",
            "comparison.svg",
            "few_labels.svg",
        ),
        report(
            "results/report/report.html",
            caption="../report/report.rst",
            category="Report",
        ),
    log:
        "logs/report.log",
    params:
        code=code_digest("report"),
        experiments=list(config["experiments"]),
    shell:
        "python -m jepa_steps.report --results results --experiments {params.experiments:q} "
        "--out results/report 2>&1 | tee {log:q}"
