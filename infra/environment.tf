# The environment variables of each deployable. infra/checks compares this file with the variables that the
# code reads, both ways. A null is left out: the variable is not set.
locals {
  variables_of_project = {
    GOOGLE_CLOUD_PROJECT = var.project_id
  }

  variables_of_service = {
    ENVIRONMENT = var.environment
    LOG_LEVEL   = var.log_level
  }

  variables_of_bucket = {
    GCS_IMPORT_BUCKET = google_storage_bucket.import.name
  }

  variables_of_import = {
    REGISTRATION_HMAC_KEY = var.registrations_are_signed ? "sm://${var.project_id}/registration-hmac-key" : null
  }

  variables_of_mail_texts = {
    PAYMENT_ACCOUNT_HOLDER = var.payment.account_holder
    PAYMENT_IBAN           = var.payment.iban
    PAYMENT_BIC            = var.payment.bic
    PRICE_INDIVIDUAL_EUR   = var.payment.price_individual_eur
    PRICE_GROUP_EUR        = var.payment.price_group_eur
    MAIL_SENDER_ADDRESS    = var.mail.sender_address
    MAIL_SENDER_NAME       = var.mail.sender_name
    CONTRACT_URL           = var.mail.contract_url
    CONTACT_ADDRESS        = var.mail.contact_address
  }

  variables_of_health = {
    PATIENT_IMPORT_CHECK_INTERVAL_SECONDS = var.import_check_interval_seconds
    IMPORT_STUCK_AFTER_SECONDS            = var.import_stuck_after_seconds
    IMPORT_STORAGE_QUOTA_BYTES            = var.import_storage_quota_bytes
  }

  variables_of_retention = {
    RETENTION_UNPAID_DAYS = var.retention_unpaid_days
    RETENTION_CLOSED_DAYS = var.retention_closed_days
  }

  variables_of_kept_days = {
    KAFKA_RETENTION_DAYS       = var.kafka_retention_days
    LOG_RETENTION_DAYS         = var.log_retention_days
    AUDIT_RETENTION_DAYS       = var.audit_retention_days
    AUDIT_TRAIL_RETENTION_DAYS = var.audit_trail_retention_days
  }

  variables_of_auth = {
    AUTH_ISSUER           = var.auth.issuer
    AUTH_AUDIENCE         = var.auth.audience
    AUTH_JWKS_URL         = var.auth.jwks_url
    AUTH_ROLE_CLAIM       = var.auth.role_claim
    AUTH_READERS          = join(",", var.auth.readers)
    AUTH_STAFF            = join(",", var.auth.staff)
    AUTH_ADMINS           = join(",", var.auth.admins)
    AUTH_TRUSTED_BACKENDS = join(",", var.auth.trusted_backends)
    AUTH_REQUIRE_ACTOR    = var.auth.require_actor
  }

  variables_of_kafka = {
    KAFKA_BOOTSTRAP_SERVERS = local.kafka_bootstrap
    KAFKA_LOG_LEVEL         = "warn"
    KAFKA_TOPIC_PREFIX      = var.kafka_topic_prefix
    KAFKA_GROUP_PREFIX      = var.kafka_topic_prefix
    KAFKA_SECURITY_PROTOCOL = "SASL_SSL"
    KAFKA_SASL_MECHANISM    = local.kafka_is_managed ? "OAUTHBEARER" : var.kafka_brokers.sasl_mechanism
    KAFKA_SASL_USERNAME     = try(var.kafka_brokers.sasl_username, null)
    KAFKA_SASL_PASSWORD     = try(var.kafka_brokers.sasl_username, null) == null ? null : "sm://${var.project_id}/kafka-sasl-password"
    KAFKA_SSL_CA            = try(var.kafka_brokers.ca_pem, null)
  }

  variables_of_mail_delivery = {
    COMMUNICATION_SERVICE_URL = var.mail.communication_service_url
  }

  variable_groups = {
    import-registration = [local.variables_of_project, local.variables_of_service, local.variables_of_bucket, local.variables_of_import, local.variables_of_mail_texts]
    patients-api        = [local.variables_of_project, local.variables_of_service, local.variables_of_bucket, local.variables_of_kept_days, local.variables_of_auth]
    check-health        = [local.variables_of_project, local.variables_of_service, local.variables_of_bucket, local.variables_of_import, local.variables_of_mail_texts, local.variables_of_health, local.variables_of_retention]
    kafka-worker        = [local.variables_of_project, local.variables_of_service, local.variables_of_bucket, local.variables_of_kafka, local.variables_of_mail_delivery]
    ops                 = [local.variables_of_project, local.variables_of_bucket, local.variables_of_kafka, local.variables_of_retention, local.variables_of_kept_days]
  }

  environment = {
    for deployable, groups in local.variable_groups :
    deployable => { for name, value in merge(groups...) : name => tostring(value) if value != null }
  }
}
