# One image for every role; the command chooses: docker run drift-aware worker
FROM python:3.12-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY schema schema
COPY producers producers
COPY streams streams
COPY sql sql
COPY actions actions
COPY dashboards dashboards
RUN python -m venv /opt/drift-aware && /opt/drift-aware/bin/pip install --no-cache-dir '.[dashboards]'

FROM python:3.12-slim
RUN useradd --system --create-home drift-aware
COPY --from=build /opt/drift-aware /opt/drift-aware
# The matrices of one batch are small: more threads than one cost more than they bring.
ENV PATH=/opt/drift-aware/bin:$PATH PYTHONUNBUFFERED=1 OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
USER drift-aware
ENTRYPOINT ["drift-aware"]
CMD ["--help"]
