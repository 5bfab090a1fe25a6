# Penstock's image: the controller, the command line, and what runs in the pods of core tasks.
#
#   docker build -t penstock .
#   docker build -t penstock --build-arg BASE_IMAGE=registry.example.com/python:3.12-slim .
#
# The base is named by tag, so that a build takes the newest patches of it. A build for a release names it
# by digest, BASE_IMAGE=python:3.12-slim@sha256:…, and its label org.opencontainers.image.base.name keeps
# that: docs/operations.md says how a release is built, signed and installed.
#
# Any Debian with Python 3.11 or newer serves as the base. What it lacks is installed with apt: git (with
# ca-certificates), and python3-venv where Debian's own Python is used, which does not get into the image.
# Of a base that has them apt is not called. Python's packages come by hash from the two lock files.
ARG BASE_IMAGE=python:3.12-slim

FROM ${BASE_IMAGE} AS builder

# Debian splits venv off its Python.
RUN python3 -c 'import ensurepip' 2>/dev/null \
    || (apt-get update && apt-get install -y --no-install-recommends python3-venv)

WORKDIR /build
COPY requirements-build.lock requirements.lock ./
RUN python3 -m venv tools \
    && tools/bin/pip install --no-cache-dir --require-hashes -r requirements-build.lock

# No pip and no setuptools in the image: nothing there installs anything, and every start of Python
# would read setuptools' .pth file, which the pod of a Log task waits for.
RUN python3 -m venv --without-pip /opt/penstock \
    && tools/bin/pip --python /opt/penstock/bin/python install \
        --no-cache-dir --no-compile --only-binary :all: --require-hashes -r requirements.lock

COPY pyproject.toml LICENSE ./
COPY operator operator
RUN tools/bin/pip wheel --no-cache-dir --no-index --no-deps --no-build-isolation --wheel-dir dist . \
    && tools/bin/pip --python /opt/penstock/bin/python install \
        --no-cache-dir --no-compile --no-index --no-deps dist/*.whl \
    && /opt/penstock/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash \
        /opt/penstock/lib

FROM ${BASE_IMAGE}

RUN command -v git >/dev/null \
    || (apt-get update && apt-get install -y --no-install-recommends ca-certificates git \
        && rm -rf /var/lib/apt/lists/*)
# A name for the user, which kopf asks for; by number in USER, so that runAsNonRoot can be checked.
RUN groupadd --gid 65532 penstock \
    && useradd --uid 65532 --gid 65532 --home-dir /tmp --no-create-home \
        --shell /usr/sbin/nologin penstock \
    && install -d -o penstock -g penstock /var/cache/penstock

COPY --from=builder /opt/penstock /opt/penstock

# The root filesystem is read-only in the cluster: bytecode is in the image, and home is /tmp.
ENV PATH=/opt/penstock/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    LANG=C.UTF-8 \
    USER=penstock \
    HOME=/tmp

ARG BASE_IMAGE
LABEL org.opencontainers.image.title="Penstock" \
    org.opencontainers.image.description="Runs Kestra-style flows as native Kubernetes resources" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.base.name="${BASE_IMAGE}"

USER 65532:65532
ENTRYPOINT ["penstock"]
