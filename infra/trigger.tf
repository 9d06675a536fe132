# A file that arrives in the bucket is delivered to import-registration, at least once.
resource "google_eventarc_trigger" "registration" {
  name            = "registration-file"
  location        = var.region
  service_account = google_service_account.caller["registration-trigger"].email

  matching_criteria {
    attribute = "type"
    value     = "google.cloud.storage.object.v1.finalized"
  }

  matching_criteria {
    attribute = "bucket"
    value     = google_storage_bucket.import.name
  }

  destination {
    cloud_run_service {
      service = google_cloud_run_v2_service.function["import-registration"].name
      region  = var.region
      path    = "/"
    }
  }

  depends_on = [
    terraform_data.foundation,
    google_project_iam_member.event_receiver,
    google_project_iam_member.storage_publisher,
    google_cloud_run_v2_service_iam_member.registration_trigger,
  ]
}

resource "google_project_iam_member" "event_receiver" {
  project = var.project_id
  role    = "roles/eventarc.eventReceiver"
  member  = google_service_account.caller["registration-trigger"].member
}

data "google_storage_project_service_account" "gcs" {
  depends_on = [google_project_service.api]
}

resource "google_project_iam_member" "storage_publisher" {
  project = var.project_id
  role    = "roles/pubsub.publisher"
  member  = data.google_storage_project_service_account.gcs.member
}

# Eventarc creates the trigger's subscription itself, with 24 hours of retries and no dead-letter topic. Terraform adopts
# it here, by its name, to set both; Eventarc keeps managing the delivery (push_config).
import {
  for_each = local.trigger_subscriptions
  to       = google_pubsub_subscription.registration[each.key]
  id       = "projects/${var.project_id}/subscriptions/${each.value}"
}

locals {
  trigger_subscriptions = var.trigger_subscription == null ? {} : { registration = var.trigger_subscription }
}

resource "google_pubsub_subscription" "registration" {
  for_each = local.trigger_subscriptions

  name                       = each.value
  topic                      = google_eventarc_trigger.registration.transport[0].pubsub[0].topic
  ack_deadline_seconds       = 90
  message_retention_duration = "604800s"

  expiration_policy {
    ttl = ""
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  # 100 attempts, the maximum, last about 16 hours; the sweep imports the file anyway.
  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.registration_dead_letters.id
    max_delivery_attempts = 100
  }

  lifecycle {
    ignore_changes = [push_config, topic, labels]
  }

  depends_on = [google_pubsub_topic_iam_member.dead_letter_publisher]
}

check "trigger_has_dead_letter_topic" {
  assert {
    condition     = var.trigger_subscription != null
    error_message = "The trigger's subscription has no dead-letter topic yet: set trigger_subscription to the output of that name and apply again."
  }
}

resource "google_pubsub_topic" "registration_dead_letters" {
  name         = "registration-dead-letters"
  kms_key_name = var.kms_key

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }

  depends_on = [google_project_service.api, google_kms_crypto_key_iam_member.user]
}

# Keeps undeliverable events for an operator to read; the alert counts them.
resource "google_pubsub_subscription" "registration_dead_letters" {
  name                       = "registration-dead-letters"
  topic                      = google_pubsub_topic.registration_dead_letters.id
  ack_deadline_seconds       = 60
  message_retention_duration = "604800s"

  expiration_policy {
    ttl = ""
  }
}

resource "google_pubsub_topic_iam_member" "dead_letter_publisher" {
  topic  = google_pubsub_topic.registration_dead_letters.id
  role   = "roles/pubsub.publisher"
  member = local.service_agent["pubsub"]
}

resource "google_pubsub_subscription_iam_member" "dead_letter_forwarder" {
  for_each = google_pubsub_subscription.registration

  subscription = each.value.name
  role         = "roles/pubsub.subscriber"
  member       = local.service_agent["pubsub"]
}
