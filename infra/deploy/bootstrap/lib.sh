# shellcheck shell=bash
# What bootstrap.sh's steps have in common: output, settings, repetition, Terraform.
PAUSE="${PAUSE:-30}"
readonly TRIES=6
# How a step ends that only a person can help: it is not tried again.
readonly NEEDS_A_PERSON=3

# shellcheck disable=SC2034 # used by bootstrap.sh
bold='' red='' green='' plain=''
# shellcheck disable=SC2034
if [[ -t 1 && -z ${NO_COLOR:-} ]]; then bold='\033[1m' red='\033[31m' green='\033[32m' plain='\033[0m'; fi

say() { printf '%b%s%b\n' "$1" "$2" "$plain"; }

die() {
  say "$red" "$1" >&2
  exit "$NEEDS_A_PERSON"
}

cloud() { gcloud "$@" --project="$PROJECT" --quiet; }

# setting NAME: a string of the environment's tfvars, or the variable's default.
setting() {
  local value
  value=$(sed -nE "s/^$1 *= *\"(.*)\"\$/\1/p" "$TFVARS")
  if [[ -z $value ]]; then
    value=$(sed -nE "/^variable \"$1\"/,/^}/s/^  default *= *\"(.*)\"\$/\1/p" infra/variables.tf)
  fi
  echo "$value"
}

# write_tfvars: replaces the tfvars in one move by what comes in, so that an interruption leaves the old or the new.
write_tfvars() {
  local new
  new=$(mktemp "${TFVARS}.XXXXXX")
  cat >"$new"
  chmod 644 "$new"
  mv "$new" "$TFVARS"
}

# A check that cannot be answered counts as not done: the step itself then says what is wrong.
is_done() { ("done_$1") >/dev/null 2>&1; }

# perform STEP: does it, checks that it is done, and repeats what failed: Google takes minutes to know new things.
perform() {
  local status try
  for ((try = 1; ; try++)); do
    set +e
    (
      set -e
      "do_$1"
    )
    status=$?
    set -e
    if ((status == 0)) && { [[ $1 == check ]] || is_done "$1"; }; then return; fi
    if ((status == NEEDS_A_PERSON || try >= TRIES)); then exit "$NEEDS_A_PERSON"; fi
    echo "not done yet: again in ${PAUSE} s (try $((try + 1)) of ${TRIES})"
    sleep "$PAUSE"
  done
}

tf() { terraform -chdir=infra "$@"; }

# apply FLAG…: terraform apply. Asks, unless --yes was given.
apply() {
  local log status
  log=$(mktemp)
  set +e
  tf apply -input=false -lock-timeout=60s "-var-file=environments/${ENVIRONMENT}.tfvars" \
    ${YES:+-auto-approve} "$@" 2>&1 | tee "$log"
  status=${PIPESTATUS[0]}
  set -e
  if ((status == 0)); then return; fi
  if grep -q 'Error acquiring the state lock' "$log"; then
    die "Another Terraform works on this state, or one was killed. If none runs: terraform -chdir=infra force-unlock $(awk '$2 == "ID:" { print $3; exit } $1 == "ID:" { print $2; exit }' "$log")"
  fi
  if grep -q 'Apply cancelled' "$log"; then die 'you did not agree to the plan'; fi
  return 1
}

in_state() { tf state list 2>/dev/null | grep -Eq "^$1(\[|\$)"; }

# Addresses of resources that were made but never became ready.
tainted() {
  # Terraform indents its state by two: keys of a resource stand at 6, those of its instances at 10.
  tf state pull | awk -F'"' '
    /^      "type":/ { type = $4 }
    /^      "name":/ { name = $4 }
    /^        \{/ { key = "" }
    /^          "index_key":/ { key = "[\"" $4 "\"]" }
    /^          "status": "tainted"/ { print type "." name key }
  '
}
