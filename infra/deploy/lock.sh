# shellcheck shell=bash
# Allows one deployment at a time, and refuses an older build after a newer one. Sourced by deploy.sh.
#
# The lock is an object that only one build can create. It names the build, so a lock is stale when its build has ended,
# and no clock is needed. To remove it by hand: gcloud storage rm gs://PROJECT-releases/deployment/lock
LOCK_PAUSE="${LOCK_PAUSE:-15}"
LOCK_TRIES="${LOCK_TRIES:-120}"
lock_object="gs://${PROJECT_ID}-releases/deployment/lock"
# The last deployment as `CREATED BUILD_ID`, where CREATED is the creation time of the build (RFC 3339, UTC).
live_object="gs://${PROJECT_ID}-releases/deployment/live"
lock_created=

build_field() {
  gcloud builds describe "$1" --region="$BUILD_REGION" --project="$PROJECT_ID" --format="value($2)"
}

# object_read COMMAND…: prints the output of a gcloud storage command; nothing when the object does not exist.
object_read() {
  local errors
  errors=$(mktemp)
  gcloud storage "$@" 2>"$errors" && return 0
  grep -Eqi 'matched no objects|not found|404' "$errors" && return 0
  cat "$errors" >&2
  return 1
}

# Sets `generation` and `holder`; both are empty when nobody holds the lock.
lock_look() {
  generation=$(object_read objects describe "$lock_object" --format='value(generation)')
  holder=
  if [[ -n $generation ]]; then holder=$(object_read cat "${lock_object}#${generation}"); fi
}

lock_take() {
  printf %s "$BUILD_ID" | gcloud storage cp - "$lock_object" --if-generation-match=0 --quiet 2>/dev/null
}

lock_acquire() {
  local generation holder try
  lock_created=$(build_field "$BUILD_ID" createTime)
  [[ -n $lock_created ]] || { echo "Cloud Build does not know the build ${BUILD_ID}" >&2 && return 1; }
  for ((try = 1; try <= LOCK_TRIES; try++)); do
    if lock_take; then break; fi
    lock_look
    # The lock is ours if the response to an earlier try was lost.
    if [[ $holder == "$BUILD_ID" ]]; then break; fi
    if [[ -n $holder ]] && lock_is_stale "$holder"; then
      gcloud storage rm "$lock_object" --if-generation-match="$generation" --quiet || true
    else
      echo "build ${holder:-?} is deploying, waiting (${try} of ${LOCK_TRIES})"
      sleep "$LOCK_PAUSE"
    fi
  done
  if ((try > LOCK_TRIES)); then
    echo "build ${holder:-?} still holds the lock. If it is not deploying: gcloud storage rm ${lock_object}" >&2
    return 1
  fi
}

lock_is_stale() {
  local state
  state=$(build_field "$1" status)
  case "$state" in
    '' | PENDING | QUEUED | WORKING) return 1 ;;
  esac
  echo "build $1 ended (${state}) without releasing the lock, removing it"
}

# Builds may finish in a different order than they started.
refuse_overtaken() {
  local live
  live=$(object_read cat "$live_object")
  if [[ -n $live && ${live%% *} > $lock_created ]]; then
    echo "build ${live#* } is newer and already live: build ${BUILD_ID} is not deployed" >&2
    return 1
  fi
}

record_live() {
  printf '%s %s' "$lock_created" "$BUILD_ID" | gcloud storage cp - "$live_object" --quiet
}

# Releases the lock only if this build holds it: after a removal by hand, another build may hold it.
lock_release() {
  local generation holder
  lock_look
  if [[ $holder == "$BUILD_ID" ]]; then
    gcloud storage rm "$lock_object" --if-generation-match="$generation" --quiet || true
  fi
}
