rule train:
    input:
        data=prepared,
        weights=weights,
    output:
        multiext(
            "results/train/{experiment}/",
            "encoder.safetensors",
            "encoder.json",
            "snapshots.safetensors",
            "best.safetensors",
            "jepa.safetensors",
            "metrics.csv",
            "validation.csv",
            "timing.csv",
            "summary.json",
        ),
    log:
        "logs/train/{experiment}.log",
    benchmark:
        "benchmarks/snakemake/train/{experiment}.tsv"
    priority: 1  # the longest job first: what judges an encoder fits into the gaps
    threads: threads_of("train")
    resources:
        mem_mb=growing(lambda w: machines(w).mem_mb),
        runtime=growing(lambda w: machines(w).runtime),
        # Only a rule with mpi spans nodes; without, or with one task, the executor adds no srun.
        mpi=lambda w: "srun" if processes(w) > 1 else "",
        nodes=lambda w: machines(w).nodes,
        tasks=processes,
        gres=gpus_of_a_node,
        gpus_a_node=lambda w: machines(w).gpus,
        # Of this machine: with "--resources cards=8" a training that would wait for one is not started.
        cards=lambda w: machines(w).nodes * machines(w).gpus,
        tasks_per_gpu=0,
        local_disk=lambda w: machines(w).local_disk or "",
        loggers=lambda w: ",".join(machines(w).loggers),
        slurm_extra=lambda w: f"--ntasks-per-node={processes_per_node(w)} "
        "--signal=USR2@180 --open-mode=append",
    params:
        code=code("train"),
        spec=spec("train"),
        data=dataset_of,
    shell:
        "python -m jepa_steps.launch --nodes {resources.nodes} --gpus {resources.gpus_a_node} "
        "--cpus {threads} -- --spec {params.spec:q} --data {params.data:q} "
        "--local-disk={resources.local_disk:q} --loggers={resources.loggers:q} "
        "--out results/train/{wildcards.experiment} "
        "--checkpoints checkpoints/{wildcards.experiment} 2>&1 | tee {log:q}"
