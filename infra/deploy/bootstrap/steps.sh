# shellcheck shell=bash
# The steps of bootstrap.sh. `done_STEP` checks and changes nothing. `do_STEP` may be repeated at any time.
readonly NAMES=(import-registration patients-api check-health kafka-worker ops)
readonly NEEDED_FIRST=(cloudresourcemanager serviceusage iam storage eventarc pubsub monitoring secretmanager artifactregistry cloudbuild firestore managedkafka)
readonly AGENTS=(eventarc pubsub monitoring)
# The service agents that use the customer's encryption key.
readonly AGENTS_WITH_KEY=(artifactregistry firestore managedkafka secretmanager)

preflight() {
  local program account
  for program in gcloud terraform openssl; do
    command -v "$program" >/dev/null || die "${program} is not installed"
  done
  [[ -f $TFVARS ]] || die "${TFVARS} does not exist: copy another file of infra/environments/ and set the variables of infra/variables.tf"
  [[ $(setting project_id) == "$PROJECT" ]] || die "${TFVARS} is for the project $(setting project_id), not ${PROJECT}"
  [[ $(setting environment) == "$ENVIRONMENT" ]] || die "${TFVARS} says environment = $(setting environment)"
  account=$(gcloud auth list --filter=status:ACTIVE --format='value(account)')
  [[ -n $account ]] || die 'nobody is logged in: gcloud auth login'
  gcloud auth application-default print-access-token >/dev/null 2>&1 ||
    die 'Terraform has no credentials: gcloud auth application-default login'
  if [[ $(gcloud billing projects describe "$PROJECT" --format='value(billingEnabled)') != True ]]; then
    die "the project ${PROJECT} has no billing, or ${account} may not see it"
  fi
  if [[ $ENVIRONMENT == prod && -z $(setting promotes_from) ]]; then
    die "production only runs images that another environment has tested: set promotes_from in ${TFVARS}"
  fi
  if ! infra/deploy/pin.sh --check >/dev/null 2>&1; then
    infra/deploy/pin.sh || die 'base images and build steps are not pinned by digest'
    die 'base images and build steps are now pinned by digest: read the diff, commit it, and run this again'
  fi
}

done_services() {
  local enabled service
  enabled=$(cloud services list --enabled --format='value(config.name)')
  for service in "${NEEDED_FIRST[@]}"; do grep -qx "${service}.googleapis.com" <<<"$enabled" || return 1; done
}
do_services() { cloud services enable "${NEEDED_FIRST[@]/%/.googleapis.com}"; }

state_bucket() {
  cloud storage buckets describe "gs://${PROJECT}-terraform" \
    --format='csv[no-heading](location,versioning_enabled,public_access_prevention)'
}
is_initialised() {
  grep -q "\"bucket\": *\"${PROJECT}-terraform\"" infra/.terraform/terraform.tfstate && [[ -f infra/.terraform.lock.hcl ]]
}
done_state() {
  local bucket
  bucket=$(state_bucket) || return 1
  [[ ${bucket,,} == "${REGION},true,enforced" ]] && is_initialised
}
do_state() {
  local url="gs://${PROJECT}-terraform"
  state_bucket >/dev/null 2>&1 ||
    cloud storage buckets create "$url" --location="$REGION" --uniform-bucket-level-access --public-access-prevention
  # `create` has no flag for object versions.
  cloud storage buckets update "$url" --versioning --public-access-prevention
  tf init -input=false -reconfigure "-backend-config=bucket=${PROJECT}-terraform"
}

done_agents() {
  local number policy agent
  number=$(cloud projects describe "$PROJECT" --format='value(projectNumber)')
  policy=$(cloud projects get-iam-policy "$PROJECT" --flatten='bindings[].members' --format='value(bindings.members)')
  for agent in gcp-sa-eventarc gcp-sa-pubsub; do
    grep -q "service-${number}@${agent}\.iam" <<<"$policy" || return 1
  done
}
do_agents() {
  local agent number agents=("${AGENTS[@]}")
  if [[ -n $(setting kms_key) ]]; then agents+=("${AGENTS_WITH_KEY[@]}"); fi
  for agent in "${agents[@]}"; do
    cloud beta services identity create "--service=${agent}.googleapis.com"
  done
  cloud storage service-agent
  number=$(cloud projects describe "$PROJECT" --format='value(projectNumber)')
  # A new account needs time until IAM knows it. Granting it a role proves that it does.
  for agent in eventarc pubsub; do
    cloud projects add-iam-policy-binding "$PROJECT" --condition=None "--role=roles/${agent}.serviceAgent" \
      "--member=serviceAccount:service-${number}@gcp-sa-${agent}.iam.gserviceaccount.com" >/dev/null
  done
}

done_foundation() { in_state terraform_data.foundation; }
do_foundation() { apply -target=terraform_data.foundation; }

secrets() { cloud secrets list --filter=labels.service=patient-service --format='value(name.basename())'; }
version_of() { cloud secrets versions list "$1" --filter=state=ENABLED --limit=1 --format='value(name)'; }
done_secrets() {
  local names name
  done_foundation || return 1
  names=$(secrets) || return 1
  for name in $names; do [[ -n $(version_of "$name") ]] || return 1; done
}
do_secrets() {
  local names name value existing
  names=$(secrets)
  for name in $names; do
    # If this command fails, the step fails. A second key would lock out the holder of the first.
    existing=$(version_of "$name")
    if [[ -n $existing ]]; then continue; fi
    case "$name" in
      registration-hmac-key) value=$(openssl rand -hex 32) ;;
      kafka-sasl-password) value=${KAFKA_SASL_PASSWORD:-} ;;
      *) value='' ;;
    esac
    if [[ -z $value && -t 0 ]]; then read -r -s -p "Value of the secret ${name}: " value && echo; fi
    [[ -n $value ]] || die "the secret ${name} has no value: printf %s \"\$VALUE\" | gcloud secrets versions add ${name} --project=${PROJECT} --data-file=-"
    printf %s "$value" | cloud secrets versions add "$name" --data-file=-
  done
}

image_of() { sed -nE "s|^ +$1 *= *\"(.*)\"\$|\1|p" "$TFVARS"; }
done_images() {
  local name image
  for name in "${NAMES[@]}"; do
    image=$(image_of "$name")
    [[ $image == "${REGION}-docker.pkg.dev/${PROJECT}/patient-service/${name}@sha256:"* && ! $image =~ :0{64}$ ]] || return 1
  done
}
# Prints the id of the build that makes or copies the first images. Reuses one that is running or has succeeded.
first_build() {
  local id config=cloudbuild.yaml from=''
  id=$(cloud builds list "--region=${BUILD_REGION}" --limit=1 --format='value(id)' \
    --filter='substitutions._DEPLOY=no AND (status=QUEUED OR status=WORKING OR status=SUCCESS)')
  if [[ -z $id ]]; then
    from=$(setting promotes_from)
    if [[ -n $from ]]; then config=infra/deploy/promote.yaml; fi
    id=$(cloud builds submit . "--region=${BUILD_REGION}" "--config=${config}" --async --format='value(id)' \
      "--substitutions=_DEPLOY=no${from:+,_FROM=$from}" "--gcs-source-staging-dir=gs://${PROJECT}-build-source/source") ||
      { echo "Cloud Build refused. If it may not build in ${BUILD_REGION}, set build_region in ${TFVARS}" >&2 && return 1; }
  fi
  echo "$id"
}
do_images() {
  local id status name digest edits=()
  id=$(first_build)
  for (( ; ; )); do
    status=$(cloud builds describe "$id" "--region=${BUILD_REGION}" --format='value(status)')
    echo "build ${id}: ${status}"
    case "$status" in
      SUCCESS) break ;;
      QUEUED | WORKING | PENDING) sleep "$PAUSE" ;;
      *) die "the build failed: gcloud builds log ${id} --region=${BUILD_REGION} --project=${PROJECT}" ;;
    esac
  done
  for name in "${NAMES[@]}"; do
    digest=$(cloud artifacts docker images describe "${REGION}-docker.pkg.dev/${PROJECT}/patient-service/${name}:${id}" \
      --format='value(image_summary.digest)')
    edits+=(-e "s|^( +${name} *= *)\".*\"|\1\"${REGION}-docker.pkg.dev/${PROJECT}/patient-service/${name}@${digest}\"|")
  done
  sed -E "${edits[@]}" "$TFVARS" | write_tfvars
  echo "wrote the digests into ${TFVARS}: commit it"
}
done_apply() { in_state google_eventarc_trigger.registration && [[ -z $(tainted) ]]; }
do_apply() {
  local address
  for address in $(tainted); do remove_broken "$address"; done
  apply -var=deletion_protection=false
}
# Deletes a service that never became ready. Terraform cannot replace it once it is protected.
remove_broken() {
  local name=${1#*\[\"}
  name=${name%\"\]}
  case "$1" in
    google_cloud_run_v2_service.*) cloud run services delete "$name" "--region=${REGION}" ;;
    google_cloud_run_v2_worker_pool.*) cloud beta run worker-pools delete kafka-worker "--region=${REGION}" ;;
    *) return 0 ;;
  esac || echo "${name} does not exist any more"
  tf state rm "$1"
}

done_adopt() {
  [[ -n $(setting trigger_subscription) ]] && in_state google_pubsub_subscription.registration && settled
}
# Whether the project matches the configuration: `plan` exits with 2 when there is something to apply.
settled() {
  tf plan -input=false -lock=false -detailed-exitcode "-var-file=environments/${ENVIRONMENT}.tfvars" >/dev/null
}
do_adopt() {
  local name
  if [[ -z $(setting trigger_subscription) ]]; then
    name=$(tf output -raw trigger_subscription)
    { grep -Ev '^trigger_subscription *=' "$TFVARS"; printf '\n# Made by Eventarc, adopted by bootstrap.sh.\ntrigger_subscription = "%s"\n' "$name"; } | write_tfvars
    echo "wrote trigger_subscription into ${TFVARS}: commit it"
  fi
  apply
}

done_check() { return 1; }
do_check() {
  local name state url
  for name in import-registration check-health patients-api; do
    state=$(cloud run services describe "$name" "--region=${REGION}" --format='value(status.conditions[0].status)')
    [[ $state == True ]] || die "${name} is not ready: gcloud run services describe ${name} --region=${REGION} --project=${PROJECT}"
    echo "${name} is ready"
  done
  state=$(cloud pubsub subscriptions describe "$(setting trigger_subscription)" \
    --format='csv[no-heading](messageRetentionDuration,deadLetterPolicy.deadLetterTopic)')
  [[ $state == 604800s,*registration-dead-letters ]] || die "the trigger's subscription keeps events ${state:-not at all}, not 7 days with a dead-letter topic"
  echo 'undelivered file events are kept for 7 days and then become dead letters'
  url=$(tf output -raw health_url)
  state=$(curl --silent --show-error --max-time 60 --header "Authorization: Bearer $(gcloud auth print-identity-token)" "${url}/health") || return 1
  echo "health: ${state:0:400}"
  if [[ $state != *'"status":"healthy"'* ]]; then
    echo 'not healthy yet: docs/runbooks/ has a page for each reason'
    if grep -q '^kafka_brokers' "$TFVARS"; then
      echo 'create the topics on your own brokers first (docs/deployment.md, Your own brokers)'
    fi
    return 1
  fi
}

what_is_left() {
  echo "Commit ${TFVARS} and infra/.terraform.lock.hcl."
  if ! grep -q '^repository' "$TFVARS"; then
    echo 'To deploy by push, connect the repository (docs/deployment.md, Connect the repository).'
  fi
  echo 'For daily work see docs/deployment.md.'
}
