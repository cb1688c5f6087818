#!/bin/sh
# Used by the Containerfile: install confsvc with the extras in $1 into /opt/confsvc, compiled and with nothing to spare.
set -eu

python3 -m venv --without-pip /opt/confsvc
python3 -m venv /tmp/pip  # the image needs no pip
pip="/tmp/pip/bin/python -m pip --python /opt/confsvc/bin/python --no-cache-dir --disable-pip-version-check"

# A wheelhouse is all there is, or there is none.
if ls /wheels/*.whl >/dev/null 2>&1; then
  $pip install --no-compile --no-index --find-links /wheels "confsvc[$1]"
else
  $pip install --no-compile "/src[$1]"
fi

# What Python compiles here is valid whatever the layers do to the files' times.
/opt/confsvc/bin/python -m compileall -q -o 0 --invalidation-mode unchecked-hash /opt/confsvc/lib
/opt/confsvc/bin/confsvc --version
