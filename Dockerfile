# The environment from the hashed lock files. Two targets:
#   docker build --target cpu  -t mmclust:cpu  .
#   docker build --target cuda -t mmclust:cuda .    # run with --gpus all
# and in a clone, as the user whose clone it is:
#   docker run --rm -it --user "$(id -u):$(id -g)" -v "$PWD":/mmclust \
#     mmclust:cpu dvc repro

FROM python:3.11-slim-bookworm AS base
# git: DVC and the leaderboard. libgomp1: OpenMP of faiss and scikit-learn.
# libglib2.0-0: OpenCV.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends git libgomp1 libglib2.0-0 \
 && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check 'uv>=0.5'
ENV PATH=/opt/venv/bin:$PATH \
    VIRTUAL_ENV=/opt/venv \
    UV_COMPILE_BYTECODE=1 \
    UV_NO_CACHE=1 \
    PYTHONPATH=/mmclust/src \
    HOME=/home/mmclust \
    USER=mmclust
WORKDIR /mmclust
# A clone that is mounted here belongs to somebody else, and so may who runs it: any
# user may write to this home.
RUN git config --system --add safe.directory /mmclust \
 && useradd --uid 1000 --create-home mmclust \
 && chmod 1777 /home/mmclust \
 && chown mmclust /mmclust

FROM base AS cpu
COPY requirements-cpu.lock ./
RUN uv pip install --require-hashes --requirements requirements-cpu.lock
COPY --chown=mmclust . .
# The package itself: its metadata is on the report's page.
RUN uv pip install --no-deps --editable .
USER mmclust
RUN python -m mmclust plots-page
CMD ["python", "-m", "mmclust", "--help"]

# PyTorch's wheels carry CUDA's libraries; the host needs the driver and NVIDIA's
# container toolkit.
FROM base AS cuda
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY requirements-gpu.lock ./
RUN uv pip install --require-hashes --requirements requirements-gpu.lock
COPY --chown=mmclust . .
# The package itself: its metadata is on the report's page.
RUN uv pip install --no-deps --editable .
USER mmclust
RUN python -m mmclust plots-page
CMD ["python", "-m", "mmclust", "--help"]
