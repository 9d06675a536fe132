# Secrets without values: bootstrap.sh adds the first version, an operator the later ones, both with
# `gcloud secrets versions add`. So no value ever passes through Terraform, its plan or its state.
locals {
  secrets = merge(
    var.registrations_are_signed ? { "registration-hmac-key" = ["import-registration", "check-health"] } : {},
    try(var.kafka_brokers.sasl_username, null) == null ? {} : { "kafka-sasl-password" = ["kafka-worker", "ops-read", "ops-write"] },
  )

  secret_readers = merge([
    for secret, readers in local.secrets : {
      for reader in readers : "${secret} ${reader}" => { secret = secret, reader = reader }
    }
  ]...)
}

resource "google_secret_manager_secret" "secret" {
  for_each = local.secrets

  secret_id = each.key

  replication {
    user_managed {
      replicas {
        location = var.region

        dynamic "customer_managed_encryption" {
          for_each = local.kms_keys

          content {
            kms_key_name = customer_managed_encryption.value
          }
        }
      }
    }
  }

  depends_on = [google_project_service.api, google_kms_crypto_key_iam_member.user]
}

resource "google_secret_manager_secret_iam_member" "reader" {
  for_each = local.secret_readers

  secret_id = google_secret_manager_secret.secret[each.value.secret].id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.workload[each.value.reader].member
}

# Services read their secret when they start. Without a version this read fails and they are not created, which is
# better than one that never becomes ready. It asks for the version, never for its value.
data "google_secret_manager_secret_version" "first" {
  for_each = google_secret_manager_secret.secret

  secret            = each.value.id
  fetch_secret_data = false
}
