# A customer-managed key (CMEK) for all storage: variable kms_key, decided before the first apply. Firestore and
# Kafka take a key only when they are created, so Terraform would have to recreate them, and refuses (prevent_destroy).
# The key lives outside this code. Deleting it deletes the data.
#
# Each service uses the key through its service agent; bootstrap.sh creates the agents first (foundation.tf).
locals {
  key_agents = var.kms_key == null ? {} : {
    artifactregistry = "gcp-sa-artifactregistry"
    firestore        = "gcp-sa-firestore"
    managedkafka     = "gcp-sa-managedkafka"
    pubsub           = "gcp-sa-pubsub"
    secretmanager    = "gcp-sa-secretmanager"
  }

  key_users = var.kms_key == null ? {} : merge(
    {
      for name, domain in local.key_agents :
      name => "serviceAccount:service-${data.google_project.this.number}@${domain}.iam.gserviceaccount.com"
    },
    {
      logging = "serviceAccount:${data.google_logging_project_cmek_settings.this[0].service_account_id}"
      storage = data.google_storage_project_service_account.gcs.member
    },
  )

  # For the dynamic encryption blocks: one key or none.
  kms_keys = var.kms_key == null ? [] : [var.kms_key]
}

data "google_logging_project_cmek_settings" "this" {
  count = var.kms_key == null ? 0 : 1

  project = var.project_id

  depends_on = [google_project_service.api]
}

resource "google_kms_crypto_key_iam_member" "user" {
  for_each = local.key_users

  crypto_key_id = var.kms_key
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = each.value
}
