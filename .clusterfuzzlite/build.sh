#!/bin/bash
set -euo pipefail
exec "$SRC/heapyard/fuzz/oss-fuzz/build.sh"
