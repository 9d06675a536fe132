# Production, as an example: terraform plan -var-file=environments/prod.tfvars
project_id  = "patient-service-prod"
environment = "prod"

# Production takes the images that dev has tested, and a person approves it.
promotes_from = "patient-service-dev"
approvers     = ["group:operators@example.org"]

# Used when a service is first created. infra/deploy/bootstrap.sh writes the digests.
images = {
  import-registration = "europe-west3-docker.pkg.dev/patient-service-prod/patient-service/import-registration@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  patients-api        = "europe-west3-docker.pkg.dev/patient-service-prod/patient-service/patients-api@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  check-health        = "europe-west3-docker.pkg.dev/patient-service-prod/patient-service/check-health@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  kafka-worker        = "europe-west3-docker.pkg.dev/patient-service-prod/patient-service/kafka-worker@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  ops                 = "europe-west3-docker.pkg.dev/patient-service-prod/patient-service/ops@sha256:0000000000000000000000000000000000000000000000000000000000000000"
}

uploaders                = ["serviceAccount:website@patient-service-prod.iam.gserviceaccount.com"]
registrations_are_signed = true

payment = {
  account_holder = "Beispiel gGmbH"
  iban           = "DE02120300000000202051"
  bic            = "BYLADEM1001"
}

mail = {
  sender_address            = "aufnahme@example.org"
  sender_name               = "Beispiel Therapievermittlung"
  contract_url              = "https://www.example.org/vertrag"
  contact_address           = "kontakt@example.org"
  communication_service_url = "https://communication.example.org"
}

api_invokers = [
  "serviceAccount:matching@patient-service-prod.iam.gserviceaccount.com",
  "serviceAccount:staff-app@patient-service-prod.iam.gserviceaccount.com",
  "serviceAccount:erasure@patient-service-prod.iam.gserviceaccount.com",
]

auth = {
  issuer   = "https://accounts.google.com"
  audience = "patients-api"
  readers  = ["matching@patient-service-prod.iam.gserviceaccount.com"]
  staff    = ["staff-app@patient-service-prod.iam.gserviceaccount.com"]
  # The data protection officer may act as this account (docs/operations.md, Erasure).
  admins = ["erasure@patient-service-prod.iam.gserviceaccount.com"]
}

min_instances = {
  import-registration = 1
  patients-api        = 1
  check-health        = 0
}
worker_instances = 2

alert_mail_addresses = ["bereitschaft@example.org"]
# Made by hand: gcloud beta monitoring channels list
alert_channels = ["projects/patient-service-prod/notificationChannels/0000000000000000000"]
operators      = ["group:operators@example.org"]
health_viewers = ["group:operators@example.org"]

# budget = { billing_account = "000000-000000-000000", amount = 800 }

# Once the repository is connected to Cloud Build (docs/deployment.md, Connect the repository).
# repository = { owner = "example-org", name = "patient-service" }
