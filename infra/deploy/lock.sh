# shellcheck shell=bash
# One deployment at a time, and never an older build over a newer one. Sourced by deploy.sh.
#
# The lock is an object that only one build can create. It names its build, so that a lock whose build has ended is
# known to be stale without a clock. To take it away by hand: gcloud storage rm gs://PROJECT-releases/deployment/lock
LOCK_PAUSE="${LOCK_PAUSE:-15}"
LOCK_TRIES="${LOCK_TRIES:-120}"
lock_object="gs://${PROJECT_ID}-releases/deployment/lock"
# What was deployed last: `CREATED BUILD_ID`, where CREATED is the build's time of creation (RFC 3339, UTC).
live_object="gs://${PROJECT_ID}-releases/deployment/live"
lock_created=

build_field() {
  gcloud builds describe "$1" --region="$BUILD_REGION" --project="$PROJECT_ID" --format="value($2)"
}

# object_read COMMAND…: what a gcloud storage command answers; nothing when there is no such object.
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
    # The lock is ours when only the answer to an earlier try was lost.
    if [[ $holder == "$BUILD_ID" ]]; then break; fi
    if [[ -n $holder ]] && lock_is_stale "$holder"; then
      gcloud storage rm "$lock_object" --if-generation-match="$generation" --quiet || true
    else
      echo "build ${holder:-?} deploys: waiting (${try} of ${LOCK_TRIES})"
      sleep "$LOCK_PAUSE"
    fi
  done
  if ((try > LOCK_TRIES)); then
    echo "build ${holder:-?} still holds the lock. If it does not deploy: gcloud storage rm ${lock_object}" >&2
    return 1
  fi
}

lock_is_stale() {
  local state
  state=$(build_field "$1" status)
  case "$state" in
    '' | PENDING | QUEUED | WORKING) return 1 ;;
  esac
  echo "build $1 ended (${state}) without giving the lock back: taking it"
}

# Builds may finish in another order than they began.
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

# Gives back this build's own lock only: after a removal by hand another build may hold it.
lock_release() {
  local generation holder
  lock_look
  if [[ $holder == "$BUILD_ID" ]]; then
    gcloud storage rm "$lock_object" --if-generation-match="$generation" --quiet || true
  fi
}
