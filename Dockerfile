# Not built where it was written (no container engine there): please report what does not work.
FROM debian:12-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-venv make ca-certificates \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 1000 sessions \
    && install -d -o sessions -g sessions /app /data
USER sessions
WORKDIR /app
COPY --chown=sessions Makefile requirements.lock ./
COPY --chown=sessions locale locale
RUN make venv
COPY --chown=sessions . .
ENV HOST=0.0.0.0 PORT=8000 SESSIONS_DATA_DIR=/data
VOLUME /data
EXPOSE 8000
# exec form without make: signals reach the server itself.
CMD [".venv/bin/python", "manage.py", "serve"]
