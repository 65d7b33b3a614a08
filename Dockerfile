# duckpost in a container: `docker build --target worker .` is the worker, `--target emulator` the
# SQS, SNS, S3 and Firehose that docker-compose.yml tries it with.

FROM python:3.13.16-slim-trixie AS base
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PYTHONDONTWRITEBYTECODE=1


FROM base AS build
WORKDIR /src
# What the wheel needs changes seldom, and its layer stays: what is installed is what
# constraints.txt pins, build backend included.
COPY constraints.txt ./
RUN python -m venv /opt/build \
    && /opt/build/bin/pip install --constraint constraints.txt pip hatchling
COPY pyproject.toml README.md LICENSE ./
COPY schemas ./schemas
COPY sql ./sql
COPY dashboards ./dashboards
COPY consumer ./consumer
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && python -m venv --without-pip /opt/duckpost \
    && /opt/build/bin/pip --python /opt/duckpost/bin/python install \
        --constraint constraints.txt /wheels/*.whl \
    && /opt/duckpost/bin/python -m compileall -q /opt/duckpost/lib


# The moto that the tests are run against, rather than an image of it: one pin for both.
FROM base AS emulator
COPY constraints.txt /tmp/
RUN python -m pip install --constraint /tmp/constraints.txt "moto[server]" \
    && useradd --system --uid 10002 --no-create-home moto
USER 10002
EXPOSE 5000
HEALTHCHECK --interval=2s --timeout=5s --start-period=30s --retries=15 \
    CMD ["python", "-c", "import urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:5000/moto-api/', timeout=4)"]
ENTRYPOINT ["moto_server", "--host", "0.0.0.0", "--port", "5000"]


# The last stage is what a plain `docker build` makes.
FROM base AS worker
COPY --from=build /opt/duckpost /opt/duckpost
# /etc/duckpost is where it starts, so that a duckpost.toml mounted there is found. Rows hold
# addresses: the data folder is its owner's alone, and duckpost sets umask 077 for itself.
RUN useradd --system --uid 10001 --home-dir /var/lib/duckpost --no-create-home duckpost \
    && install --directory --mode 0700 --owner duckpost --group duckpost /var/lib/duckpost \
    && install --directory --mode 0755 /etc/duckpost
ENV PATH=/opt/duckpost/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DUCKPOST_WAREHOUSE=/var/lib/duckpost/ses.duckdb \
    DUCKPOST_TELEMETRY_HOST=0.0.0.0
WORKDIR /etc/duckpost
USER 10001
VOLUME /var/lib/duckpost
EXPOSE 9464
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:9464/health', timeout=4)"]
ENTRYPOINT ["duckpost"]
CMD ["run"]
