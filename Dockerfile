# The workbench in a container, with the versions of docs/requirements.lock.
#   docker build -t exdd .                            for CPUs
#   docker build -t exdd --build-arg DEVICE=cuda .    for NVIDIA GPUs; run it with --gpus all
#   docker run -p 127.0.0.1:7860:7860 -v exdd:/data exdd    prints the address; its 0.0.0.0 is localhost outside
# podman and buildah keep HEALTHCHECK with --format docker alone.
# Everything that stays is in /data. Words after the image's name take the place of CMD, as in
#   docker run -it -v exdd:/data exdd python -m exdd_core users add ann --role admin

FROM python:3.11-slim-bookworm

# opencv-python needs two libraries that a bare Debian does not have; exported pictures need a font for their captions.
RUN apt-get update -q \
  && apt-get install -y -q --no-install-recommends libgl1 libglib2.0-0 fonts-dejavu-core \
  && rm -rf /var/lib/apt/lists/*

WORKDIR /exdd
ARG DEVICE=cpu
COPY docs/requirements.lock ./
# For CPUs, PyTorch of the locked version from its own index, which the lock has no digests of, and nothing of CUDA.
RUN set -eu; \
  locked() { sed -n "s/^\($1==[^ ]*\).*/\1/p" requirements.lock; }; \
  case "$DEVICE" in \
    cuda) out='^faiss-cpu==';; \
    cpu) out='^(faiss-gpu|torch|torchvision|triton|cuda-[a-z]+|nvidia-[a-z0-9-]+)=='; \
      pip install --no-cache-dir --no-deps --index-url https://download.pytorch.org/whl/cpu \
        "$(locked torch)" "$(locked torchvision)";; \
    *) echo "DEVICE is $DEVICE; give cpu or cuda." >&2; exit 1;; \
  esac; \
  awk -v out="$out" '/^[a-zA-Z]/ { kept = $0 !~ out } kept' requirements.lock > kept.lock; \
  pip install --no-cache-dir --no-deps --require-hashes -r kept.lock

COPY app.py LICENSE ./
COPY assets assets
COPY exdd_core exdd_core
COPY pages pages

RUN useradd --create-home exdd && mkdir /data && chown exdd /data
USER exdd
VOLUME /data
ENV EXDD_WORKSPACE=/data/workspace HF_HOME=/data/hub GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT=7860
EXPOSE 7860
HEALTHCHECK --start-period=120s CMD python -c "import urllib.request as ask; ask.urlopen('http://127.0.0.1:7860/healthz')"
CMD ["python", "-m", "exdd_core", "serve", "--demo", "--token"]
