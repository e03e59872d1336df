# The service for production: no embedded parts, no build tools, no root. Runs on a read-only root file system.
#   docker build -t phoneagent . && docker run --read-only --env-file .env phoneagent all

FROM python:3.11-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build

COPY requirements requirements
RUN pip install --require-hashes --no-deps -r requirements/build.lock \
 && python -m venv /opt/phoneagent \
 && /opt/phoneagent/bin/pip install --require-hashes --no-deps -r requirements/runtime.lock

COPY LICENSE README.md pyproject.toml ./
COPY phoneagent phoneagent
RUN pip wheel --no-deps --no-build-isolation --no-index --wheel-dir dist . \
 && /opt/phoneagent/bin/pip install --no-deps --no-index dist/*.whl \
 && /opt/phoneagent/bin/pip uninstall --yes pip setuptools

FROM python:3.11-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin phoneagent
COPY --from=build /opt/phoneagent /opt/phoneagent
ENV PATH=/opt/phoneagent/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001
ENTRYPOINT ["phoneagent"]
CMD ["all"]
