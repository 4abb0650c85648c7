# The checkout with its environment, as `make` sets it up. From this folder:
#   docker build -t mixup-repro .
#   docker build -t mixup-repro --build-arg BASE=nvidia/cuda:13.0.1-runtime-ubuntu24.04 .   (GPUs)
#   docker run --rm -v "$PWD/runs:/app/runs" -v "$PWD/data:/app/data" mixup-repro demo
# For GPUs add --gpus all. What follows the image's name is a target of the Makefile.
ARG BASE=ubuntu:24.04
FROM ${BASE}
RUN apt-get update \
 && apt-get install -y --no-install-recommends git make gcc g++ python3 python3-dev python3-venv \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
# First what the environment is made of, so that an edit elsewhere installs nothing anew.
COPY pyproject.toml setup.py requirements.lock README.md LICENSE Makefile ./
COPY mixup_repro/__init__.py mixup_repro/
RUN make .venv/installed
COPY . .
ENTRYPOINT ["make", "-o", ".venv/installed"]
CMD ["help"]
