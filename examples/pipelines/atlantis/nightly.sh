#!/bin/sh
# Changes nothing, and fails if somebody has to look. Atlantis has no clock: let cron, or a CronJob of
# Kubernetes, run it in this image, with the same environment: nightly.sh FOLDER-OF-A-CHECKOUT
set -u
cd "$1" || exit 2
code=0
terraform-provider-crusoe check --expires-within 7d || code=1
terraform init -input=false || exit 1
terraform plan -input=false -detailed-exitcode -lock=false || code=1
exit "$code"
