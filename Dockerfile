# jepa-steps on CPUs, to the versions of constraints.txt.
#
#   docker build -t jepa-steps .
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/work" jepa-steps init mine
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD/mine:/work" --entrypoint snakemake jepa-steps
#
# Nothing listens on a port, and the container needs no network: add --network none where you like.
FROM python:3.12-slim-bookworm

# For DVC, which keeps its ledger in a Git repository.
RUN apt-get update \
    && apt-get install -y --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /src
COPY constraints.txt ./
# PyPI's torch brings three gigabytes for CUDA.
RUN pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu -c constraints.txt torch
COPY pyproject.toml setup.py README.md LICENSE Snakefile dvc.yaml .gitignore .dvcignore ./
COPY .dvc .dvc
COPY workflow workflow
COPY profiles profiles
COPY config config
COPY jepa_steps jepa_steps
RUN pip install --no-cache-dir -c constraints.txt '.[torchvision,expression,series,video,tiff,geotiff,zarr]' \
    && pip install --no-cache-dir -c constraints.txt --no-deps cdt sktime \
    && rm -rf /src

# Caches of matplotlib, Snakemake and DVC: writable for whichever user runs the container.
ENV HOME=/home/jepa
RUN useradd --home-dir /home/jepa --create-home --uid 1000 jepa && chmod 0777 /home/jepa
USER jepa
WORKDIR /work
ENTRYPOINT ["jepa-steps"]
CMD ["--help"]
