# One clinic at the least cost, as an example: terraform plan -var-file=environments/small.tfvars
# The differences to prod.tfvars are at the end; docs/cost.md says what they save.
project_id  = "patient-service-clinic"
environment = "prod"

# Takes the images that dev has tested, and a person approves it.
promotes_from = "patient-service-dev"
approvers     = ["group:operators@example.org"]

# Used when a service is first created. infra/deploy/bootstrap.sh writes the digests.
images = {
  import-registration = "europe-west3-docker.pkg.dev/patient-service-clinic/patient-service/import-registration@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  patients-api        = "europe-west3-docker.pkg.dev/patient-service-clinic/patient-service/patients-api@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  check-health        = "europe-west3-docker.pkg.dev/patient-service-clinic/patient-service/check-health@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  kafka-worker        = "europe-west3-docker.pkg.dev/patient-service-clinic/patient-service/kafka-worker@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  ops                 = "europe-west3-docker.pkg.dev/patient-service-clinic/patient-service/ops@sha256:0000000000000000000000000000000000000000000000000000000000000000"
}

uploaders                = ["serviceAccount:website@patient-service-clinic.iam.gserviceaccount.com"]
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
  "serviceAccount:matching@patient-service-clinic.iam.gserviceaccount.com",
  "serviceAccount:staff-app@patient-service-clinic.iam.gserviceaccount.com",
  "serviceAccount:erasure@patient-service-clinic.iam.gserviceaccount.com",
]

auth = {
  issuer   = "https://accounts.google.com"
  audience = "patients-api"
  readers  = ["matching@patient-service-clinic.iam.gserviceaccount.com"]
  staff    = ["staff-app@patient-service-clinic.iam.gserviceaccount.com"]
  # The data protection officer may act as this account (docs/operations.md, Erasure).
  admins = ["erasure@patient-service-clinic.iam.gserviceaccount.com"]
}

alert_mail_addresses = ["bereitschaft@example.org"]
operators            = ["group:operators@example.org"]
health_viewers       = ["group:operators@example.org"]

# Kafka is shared with others, whose topics have no prefix or another one.
kafka_brokers = {
  bootstrap_servers = ["kafka.internal.example.org:9096"]
  sasl_mechanism    = "SCRAM-SHA-512"
  sasl_username     = "clinic"
}
kafka_topic_prefix = "clinic."

# One worker: while it is replaced, events and mails wait for half a minute.
worker_instances = 1

# The first request after a pause takes about half a second longer.
min_instances = {
  import-registration = 0
  patients-api        = 0
  check-health        = 0
}

# The base images are renewed by every build; scan by hand when a vulnerability is reported.
image_scanning   = false
objective_alerts = false

# budget = { billing_account = "000000-000000-000000", amount = 120 }
