# Development, as an example: terraform plan -var-file=environments/dev.tfvars
# Only the worker runs while there is no load, and Kafka is an existing cluster.
project_id  = "patient-service-dev"
environment = "dev"
log_level   = "debug"

# Used when a service is first created. infra/deploy/bootstrap.sh writes the digests.
images = {
  import-registration = "europe-west3-docker.pkg.dev/patient-service-dev/patient-service/import-registration@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  patients-api        = "europe-west3-docker.pkg.dev/patient-service-dev/patient-service/patients-api@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  check-health        = "europe-west3-docker.pkg.dev/patient-service-dev/patient-service/check-health@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  kafka-worker        = "europe-west3-docker.pkg.dev/patient-service-dev/patient-service/kafka-worker@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  ops                 = "europe-west3-docker.pkg.dev/patient-service-dev/patient-service/ops@sha256:0000000000000000000000000000000000000000000000000000000000000000"
}

registrations_are_signed = false

payment = {
  account_holder = "Beispiel gGmbH (Test)"
  iban           = "DE02120300000000202051"
  bic            = "BYLADEM1001"
}

mail = {
  sender_address            = "test@example.org"
  sender_name               = "Beispiel Therapievermittlung (Test)"
  contract_url              = "https://test.example.org/vertrag"
  contact_address           = "test@example.org"
  communication_service_url = "https://communication-test.example.org"
}

api_invokers = ["serviceAccount:developer@patient-service-dev.iam.gserviceaccount.com"]

auth = {
  issuer   = "https://accounts.google.com"
  audience = "patients-api"
  admins   = ["developer@patient-service-dev.iam.gserviceaccount.com"]
}

kafka_brokers = {
  bootstrap_servers = ["kafka.internal.example.org:9096"]
  sasl_mechanism    = "SCRAM-SHA-512"
  sasl_username     = "patient-service"
}
kafka_topic_prefix   = "dev."
kafka_retention_days = 1

min_instances = {
  import-registration = 0
  patients-api        = 0
  check-health        = 0
}
worker_instances = 1

alert_mail_addresses = ["entwicklung@example.org"]
operators            = ["group:developers@example.org"]

# Once production's build account exists (step 4 of its bootstrap).
# promotes_to = "patient-service-prod"
