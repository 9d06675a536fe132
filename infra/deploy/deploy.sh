#!/usr/bin/env bash
# Deploys the images of one release by digest. Every new revision starts without traffic and must pass a smoke test
# before any traffic moves. On a failure, all traffic returns to the previous revisions.
#
#   PROJECT_ID=… REGION=europe-west3 BUILD_REGION=… BUILD_ID=… BUILD_ACCOUNT=… RELEASE=release.txt infra/deploy/deploy.sh
#
# RELEASE is the file that release.sh writes. Production deploys it only in a build that a person has approved.
set -Eeuo pipefail
shopt -s inherit_errexit

: "${PROJECT_ID:?}" "${REGION:?}" "${BUILD_REGION:?}" "${BUILD_ID:?}" "${BUILD_ACCOUNT:?}" "${RELEASE:?}"
readonly REPOSITORY="${REGION}-docker.pkg.dev/${PROJECT_ID}/patient-service"
readonly SERVICES=(import-registration check-health patients-api)
readonly WORKER=kafka-worker
# Ask check-health this many times, with this pause in seconds before each, whether the new worker reaches Kafka.
readonly WORKER_PAUSE="${WORKER_PAUSE:-45}" WORKER_TRIES="${WORKER_TRIES:-4}"

# shellcheck source=infra/deploy/lock.sh
source "${BASH_SOURCE[0]%/*}/lock.sh"

fail() {
  echo "$1" >&2
  return 1
}

run() { gcloud run "$@" --region="$REGION" --project="$PROJECT_ID" --quiet; }
pools() { gcloud beta run worker-pools "$@" --region="$REGION" --project="$PROJECT_ID" --quiet; }

# image NAME: prints the image address with the digest from the release.
image() {
  local digest
  digest=$(awk -v name="$1" '$1 == name { print $2 }' "$RELEASE")
  [[ $digest == sha256:* ]] || fail "the release ${RELEASE} names no digest for $1"
  echo "${REPOSITORY}/$1@${digest}"
}

# serving SERVICE: prints the revision that has all the traffic; nothing when it is split.
serving() {
  run services describe "$1" --flatten='status.traffic[]' \
    --format='csv[no-heading](status.traffic.revisionName,status.traffic.percent)' |
    awk -F, '$2 == 100 { print $1 }'
}

# Prints the worker's revision that has all the instances; nothing when they are split.
working() {
  pools describe "$WORKER" --flatten='status.instanceSplits[]' \
    --format='csv[no-heading](status.instanceSplits.revisionName,status.instanceSplits.percent)' |
    awk -F, '$2 == 100 { print $1 }'
}

candidate_url() {
  run services describe "$1" --flatten='status.traffic[]' \
    --format='csv[no-heading](status.traffic.tag,status.traffic.url)' |
    awk -F, '$1 == "candidate" { print $2 }'
}

# identity_token AUDIENCE: prints a token for Cloud Run's IAM. For a tagged revision too, the audience is the service.
identity_token() {
  curl --silent --show-error --fail --request POST \
    --header "Authorization: Bearer $(gcloud auth print-access-token)" \
    --header 'Content-Type: application/json' \
    --data "{\"audience\": \"$1\", \"includeEmail\": true}" \
    "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${BUILD_ACCOUNT}:generateIdToken" |
    sed -n 's/.*"token": *"\([^"]*\)".*/\1/p'
}

# answers SERVICE BASE_URL PATH STATUSES TEXT: sends one request and compares the status and the body.
answers() {
  local service=$1 url=$2 path=$3 statuses=$4 text=$5 audience body status
  audience=$(run services describe "$service" --format='value(status.url)')
  body=$(mktemp)
  status=$(curl --silent --show-error --max-time 30 --output "$body" --write-out '%{http_code}' \
    --header "X-Serverless-Authorization: Bearer $(identity_token "$audience")" "${url}${path}")
  if [[ " $statuses " != *" $status "* ]] || ! grep -q "$text" "$body"; then
    echo "smoke test: ${service}${path} answered ${status}, expected ${statuses} with ${text}" >&2
    return 1
  fi
  echo "smoke test: ${service}${path} ${status}"
}

# Production deploys only a build that a person has approved, which the trigger `promote` requires.
approved() {
  local environment decision
  environment=$(run services describe patients-api --format='value(metadata.labels.environment)')
  [[ -n $environment ]] || fail "patients-api has no label environment: apply Terraform first"
  [[ $environment == prod ]] || return 0
  decision=$(gcloud builds describe "$BUILD_ID" --region="$BUILD_REGION" --project="$PROJECT_ID" \
    --format='value(approval.result.decision,approval.result.approverAccount)')
  [[ $decision == APPROVED* ]] ||
    fail "production deploys only an approved build: run the trigger promote (docs/deployment.md, Promote)"
  echo "approved by ${decision#APPROVED}"
}

declare -A before
moved=()
tagged=()
worker_before=

roll_back() {
  # A subshell inherits the trap, but only its parent rolls back.
  [[ $BASHPID == "$$" ]] || exit 1
  trap - ERR
  echo "deployment failed: rolling back" >&2
  for service in "${moved[@]}"; do
    run services update-traffic "$service" --to-revisions="${before[$service]}=100" || true
  done
  if [[ -n $worker_before ]]; then
    pools update-instance-split "$WORKER" --to-revisions="${worker_before}=100" || true
  fi
  for service in "${tagged[@]}"; do
    run services update-traffic "$service" --remove-tags=candidate || true
  done
  exit 1
}

approved
trap lock_release EXIT
lock_acquire
refuse_overtaken
trap roll_back ERR

# Read the current revisions first. Without them a rollback is impossible, so stop before any change.
for service in "${SERVICES[@]}"; do
  before[$service]=$(serving "$service")
  [[ -n ${before[$service]} ]] || fail "no revision of ${service} has all the traffic, so a rollback would be impossible"
done
worker_revision=$(working)
[[ -n $worker_revision ]] || fail "no revision of ${WORKER} has all the instances, so a rollback would be impossible"

for service in "${SERVICES[@]}"; do
  service_image=$(image "$service")
  # This command fails if the revision cannot read its configuration, because it does not start. Let Cloud Run name the
  # revision: a name chosen here would stay in the template, and Terraform's next change would conflict with it (409).
  revision=$(run deploy "$service" --image="$service_image" --no-traffic \
    --format='value(status.latestCreatedRevisionName)')
  [[ -n $revision ]] || fail "Cloud Run did not name the new revision of ${service}"
  tagged+=("$service")
  run services update-traffic "$service" --set-tags="candidate=${revision}"
done

answers patients-api "$(candidate_url patients-api)" /livez '200' ''
answers patients-api "$(candidate_url patients-api)" /openapi.json '200' '"openapi"'
answers patients-api "$(candidate_url patients-api)" /api/patients '401' 'bearer token'
# This deployment may be the repair of an unhealthy system, so accept an unhealthy verdict.
answers check-health "$(candidate_url check-health)" /health '200 503' '"status"'

for service in "${SERVICES[@]}"; do
  moved+=("$service")
  run services update-traffic "$service" --to-tags=candidate=100
done

# The worker serves no requests. Judge it by what it reports while it runs.
worker_image=$(image "$WORKER")
worker_before=$worker_revision
pools update "$WORKER" --image="$worker_image" --no-promote
pools update-instance-split "$WORKER" --to-latest
health_url=$(run services describe check-health --format='value(status.url)')
for ((try = 1; ; try++)); do
  # The old worker's last report is valid for 30 s, so after the pause the report is the new worker's.
  sleep "$WORKER_PAUSE"
  if answers check-health "$health_url" /health '200 503' '"kafka":{[^{}]*"reachable":true'; then break; fi
  ((try < WORKER_TRIES))
done
# The two services have the same image and differ by their accounts.
ops_image=$(image ops)
for service in ops-read ops-write; do
  run services update "$service" --image="$ops_image"
done

for service in "${SERVICES[@]}"; do
  run services update-traffic "$service" --remove-tags=candidate
done
record_live
echo "deployed $(awk '$1 == "release" { print $2 }' "$RELEASE")"
