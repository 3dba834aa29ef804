# Everything a node of a cluster needs: docker build -t REGISTRY/fairsweep .
# torch brings its own CUDA; of the machine it needs only a driver and the NVIDIA container runtime.
FROM rayproject/ray:2.60.0-py311

WORKDIR /home/ray/fairsweep
# The packages first: this layer, the large one, stays while only the code changes.
COPY --chown=ray:users requirements.lock pyproject.toml README.md LICENSE ./
RUN pip install --no-cache-dir --quiet --disable-pip-version-check -r requirements.lock

COPY --chown=ray:users platform platform
COPY --chown=ray:users metrics metrics
COPY --chown=ray:users dashboards dashboards
COPY --chown=ray:users jobs jobs
RUN pip install --no-cache-dir --quiet --disable-pip-version-check --no-deps -e .
