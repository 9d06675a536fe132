#!/usr/bin/env bash
# Handles a release: a file of `NAME DIGEST` lines that lists the images of one build, from dev to production.
#
#   release.sh describe         write the images that this build has pushed into the file RELEASE
#   release.sh publish          publish RELEASE for production, after it was tested and deployed here
#   release.sh fetch PROJECT ID write a release that PROJECT has published into RELEASE; ID `latest` is the live one
#   release.sh compare          fail unless this project's registry holds exactly the images of RELEASE
set -euo pipefail

: "${PROJECT_ID:?}" "${REGION:?}" "${RELEASE:?}"
readonly NAMES=(import-registration patients-api check-health kafka-worker ops)

die() {
  echo "$1" >&2
  exit 1
}

repository() { echo "${REGION}-docker.pkg.dev/$1/patient-service"; }

pushed_digest() {
  gcloud artifacts docker images describe "$(repository "$PROJECT_ID")/$1:$2" --format='value(image_summary.digest)'
}

released() { awk -v name="$1" '$1 == name { print $2 }' "$RELEASE"; }

describe() {
  local name digest
  : "${BUILD_ID:?}"
  {
    echo "release ${BUILD_ID}"
    echo "commit ${COMMIT_SHA:-by-hand}"
    for name in "${NAMES[@]}"; do
      digest=$(pushed_digest "$name" "$BUILD_ID")
      [[ $digest == sha256:* ]] || die "the registry has no image ${name}:${BUILD_ID}"
      echo "${name} ${digest}"
    done
  } >"$RELEASE"
}

publish() {
  local id name
  id=$(released release)
  for name in "${NAMES[@]}"; do
    gcloud storage cp "dist/${name}/sbom.cdx.json" "gs://${PROJECT_ID}-releases/sbom/${id}/${name}.cdx.json" --quiet
  done
  # Write this object last: it makes the release visible. It is never changed.
  gcloud storage cp "$RELEASE" "gs://${PROJECT_ID}-releases/releases/${id}.txt" --if-generation-match=0 --quiet
}

fetch() {
  local from=$1 id=$2 name digest provenance
  if [[ $id == latest ]]; then
    id=$(gcloud storage cat "gs://${from}-releases/deployment/live")
    id=${id#* }
  fi
  [[ $id =~ ^[0-9a-z-]+$ ]] || die "'${id}' is not a release id"
  gcloud storage cat "gs://${from}-releases/releases/${id}.txt" >"$RELEASE" ||
    die "${from} has published no release ${id}: only a release that was tested and deployed there can be promoted"
  for name in "${NAMES[@]}"; do
    digest=$(released "$name")
    [[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] || die "release ${id} has no digest for ${name}"
    provenance=$(gcloud artifacts docker images describe "$(repository "$from")/${name}@${digest}" --show-provenance \
      --format='value(provenance_summary.provenance[].name)')
    [[ -n $provenance ]] || die "${name}@${digest} has no provenance: Cloud Build of ${from} did not build it"
  done
  echo "release ${id} of ${from}, commit $(released commit)"
}

compare() {
  local name digest
  for name in "${NAMES[@]}"; do
    digest=$(pushed_digest "$name" "$(released release)")
    [[ $digest == "$(released "$name")" ]] || die "${name} here is ${digest:-missing}, but the tested image is $(released "$name")"
  done
}

case "${1:-}" in
  describe | publish | compare) "$1" ;;
  fetch) fetch "${2:?the project that tested the release}" "${3:?the id of the release, or latest}" ;;
  *) die "release.sh describe | publish | fetch PROJECT ID | compare" ;;
esac
