#!/usr/bin/env bash
# Sets up a running system in an empty project.
#
#   infra/deploy/bootstrap.sh PROJECT ENVIRONMENT [--plan] [--yes]
#
# Reads the settings from infra/environments/ENVIRONMENT.tfvars, shows which of the nine steps are done, asks for your
# consent and does the rest. Each step checks first and skips what exists. So after an interruption, run the same command
# again. On a finished environment it changes nothing.
#
#   --plan   show the steps and stop
#   --yes    do not ask, not even in Terraform
#   --help   show this text
#
# Examples:
#   infra/deploy/bootstrap.sh patient-service-dev dev --plan
#   infra/deploy/bootstrap.sh patient-service-dev dev
#   KAFKA_SASL_PASSWORD=… infra/deploy/bootstrap.sh patient-service-prod prod --yes
set -Eeuo pipefail
shopt -s inherit_errexit
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# shellcheck source=infra/deploy/bootstrap/lib.sh
source infra/deploy/bootstrap/lib.sh
# shellcheck source=infra/deploy/bootstrap/steps.sh
source infra/deploy/bootstrap/steps.sh

STEPS=(services state agents foundation secrets images apply adopt check)
declare -A TITLES=(
  [services]='enable the services that the next steps need'
  [state]='create the bucket for the Terraform state and initialise Terraform'
  [agents]='create the service agents that triggers need'
  [foundation]='apply the first stage: registry, build account, secrets, permissions'
  [secrets]='create the first version of each secret'
  [images]='build or copy the first images'
  [apply]='apply everything (half an hour with Managed Kafka)'
  [adopt]="import the trigger's subscription and protect the services"
  [check]='check that it works'
)

usage() { sed -n '2,19s/^# \{0,1\}//p' "$0"; }

PROJECT='' ENVIRONMENT='' only_plan='' YES=''
for argument in "$@"; do
  case "$argument" in
    --plan) only_plan=1 ;;
    --yes) YES=1 ;;
    --help) usage && exit 0 ;;
    -*) echo "unknown option ${argument}; --help shows all" >&2 && exit 2 ;;
    *) if [[ -z $PROJECT ]]; then PROJECT=$argument; elif [[ -z $ENVIRONMENT ]]; then ENVIRONMENT=$argument; else usage >&2 && exit 2; fi ;;
  esac
done
if [[ -z $ENVIRONMENT ]]; then usage >&2 && exit 2; fi
TFVARS="infra/environments/${ENVIRONMENT}.tfvars"
readonly PROJECT ENVIRONMENT TFVARS YES

current='before step 1'
finished=''
go_on() {
  if [[ -n $finished ]]; then return; fi
  say "$red" "stopped ${current}. To continue, run the same command again:"
  echo "  infra/deploy/bootstrap.sh ${PROJECT} ${ENVIRONMENT}${YES:+ --yes}" >&2
}

preflight
REGION=$(setting region)
BUILD_REGION=$(setting build_region)
readonly REGION BUILD_REGION

echo "Plan for ${PROJECT} (${ENVIRONMENT}): data in ${REGION}, builds in ${BUILD_REGION}"
for index in "${!STEPS[@]}"; do
  step=${STEPS[index]}
  if is_done "$step"; then state="${green}done${plain} "; else state='to do'; fi
  printf '  %d  %b  %s\n' "$((index + 1))" "$state" "${TITLES[$step]}"
done
if [[ -n $only_plan ]]; then exit 0; fi
if [[ -z $YES ]]; then
  [[ -t 0 ]] || die 'no terminal to ask on: use --yes to continue without asking, or --plan to show the steps'
  read -r -p 'Continue? [y/N] ' reply
  [[ $reply == [yY]* ]] || die 'cancelled, nothing was changed'
fi

trap go_on EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
for index in "${!STEPS[@]}"; do
  step=${STEPS[index]}
  current="in step $((index + 1)) of ${#STEPS[@]} (${step})"
  say "$bold" "step $((index + 1)) of ${#STEPS[@]}: ${TITLES[$step]}"
  if is_done "$step"; then
    echo 'already done'
  else
    perform "$step"
  fi
done
finished=1
say "$green" "${PROJECT} is running"
what_is_left
