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
        code=code(
            "report.py",
            "config.py",
            *TABLES,
            "metrics",
            "figures",
            "templates/report.html",
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
        experiments=list(config["experiments"]),
    shell:
        "python -m jepa_steps.report --results results --experiments {params.experiments:q} "
        "--out results/report 2>&1 | tee {log:q}"
