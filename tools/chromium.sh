#!/usr/bin/env bash
# Installs Chromium for the browser tests, where there is none: with apt, on Debian and Ubuntu, as root.
set -euo pipefail
if command -v chromium chromium-browser google-chrome >/dev/null; then
    exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "The browser tests need Chromium: install the package chromium with your system's package manager." >&2
    exit 1
fi
apt-get update -qq
apt-get install -qq --no-install-recommends chromium >/dev/null
