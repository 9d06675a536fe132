# shellcheck shell=bash
# Functions that the steps of bootstrap.sh share: output, settings, retries, Terraform.
PAUSE="${PAUSE:-30}"
readonly TRIES=6
# Exit code of a step that needs a person. It is not tried again.
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

# setting NAME: prints a string from the environment's tfvars, or the variable's default.
setting() {
  local value
  value=$(sed -nE "s/^$1 *= *\"(.*)\"\$/\1/p" "$TFVARS")
  if [[ -z $value ]]; then
    value=$(sed -nE "/^variable \"$1\"/,/^}/s/^  default *= *\"(.*)\"\$/\1/p" infra/variables.tf)
  fi
  echo "$value"
}

# write_tfvars: replaces the tfvars by standard input in one move, so that an interruption cannot leave half a file.
write_tfvars() {
  local new
  new=$(mktemp "${TFVARS}.XXXXXX")
  cat >"$new"
  chmod 644 "$new"
  mv "$new" "$TFVARS"
}

# A check that fails counts as not done. The step itself then reports the problem.
is_done() { ("done_$1") >/dev/null 2>&1; }

# perform STEP: runs the step, checks the result and retries, because new resources take minutes to become visible.
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
    echo "not done yet, trying again in ${PAUSE} s (try $((try + 1)) of ${TRIES})"
    sleep "$PAUSE"
  done
}

tf() { terraform -chdir=infra "$@"; }

# apply FLAG…: runs terraform apply, which asks unless --yes was given.
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
    die "Another Terraform is using this state, or one was killed. If none is running: terraform -chdir=infra force-unlock $(awk '$2 == "ID:" { print $3; exit } $1 == "ID:" { print $2; exit }' "$log")"
  fi
  if grep -q 'Apply cancelled' "$log"; then die 'you did not approve the plan'; fi
  return 1
}

in_state() { tf state list 2>/dev/null | grep -Eq "^$1(\[|\$)"; }

# Prints the addresses of resources that were created but never became ready.
tainted() {
  # Terraform indents its state by 2 spaces: the keys of a resource by 6, those of its instances by 10.
  tf state pull | awk -F'"' '
    /^      "type":/ { type = $4 }
    /^      "name":/ { name = $4 }
    /^        \{/ { key = "" }
    /^          "index_key":/ { key = "[\"" $4 "\"]" }
    /^          "status": "tainted"/ { print type "." name key }
  '
}
